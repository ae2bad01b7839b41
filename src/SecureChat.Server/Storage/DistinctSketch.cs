using System.Numerics;

namespace SecureChat.Server.Storage;

/// <summary>HyperLogLog with 1,024 registers of one byte: how many different values there were, within 3 percent, and not which.</summary>
/// <remarks>Flajolet and others 2007, with linear counting while many registers are empty. Values are hashes, uniform in all 64 bits.</remarks>
internal static class DistinctSketch
{
    public const int Size = 1 << IndexBits;

    private const int IndexBits = 10;
    private const double Alpha = 0.7213 / (1 + (1.079 / Size));

    /// <summary>Adds values and returns by how much the estimate grew.</summary>
    public static double Add(Span<byte> registers, IEnumerable<ulong> values)
    {
        var before = Estimate(registers);
        foreach (var value in values)
        {
            ref var register = ref registers[(int)(value & (Size - 1))];
            register = Math.Max(register, (byte)(BitOperations.LeadingZeroCount(value | (Size - 1)) + 1));
        }

        return Math.Max(0, Estimate(registers) - before);
    }

    public static double Estimate(ReadOnlySpan<byte> registers)
    {
        var (sum, empty) = (0.0, 0);
        foreach (var register in registers)
        {
            sum += Math.ScaleB(1, -register);
            empty += register is 0 ? 1 : 0;
        }

        var raw = Alpha * Size * Size / sum;
        return raw <= 2.5 * Size && empty > 0 ? Size * Math.Log((double)Size / empty) : raw;
    }
}
