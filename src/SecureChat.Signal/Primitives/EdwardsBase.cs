using System.Runtime.CompilerServices;

namespace SecureChat.Signal.Primitives;

/// <summary>Multiples of the Ed25519 base point, in constant time, from a table of 256 of them.</summary>
internal static class EdwardsBase
{
    private const int Positions = 32;
    private const int Entries = 8;

    /// <summary>The base point.</summary>
    public static readonly EdwardsPoint Point = new(
        FieldElement.Parse("1ad5258f602d56c9b2a7259560c72c695cdcd6fd31e2a4c0fe536ecdd3366921"),
        FieldElement.Parse("5866666666666666666666666666666666666666666666666666666666666666"));

    /// <summary>For each position i the points 1 B_i to 8 B_i, with B_i = 256^i B.</summary>
    private static readonly PreparedPoint[] Table = MakeTable();

    /// <summary>scalar * B.</summary>
    /// <param name="scalar">32 bytes, little-endian, below 2^255.</param>
    public static EdwardsPoint Multiply(ReadOnlySpan<byte> scalar)
    {
        Span<int> digits = stackalloc int[2 * Positions];
        SignedDigits(scalar, digits);
        var sum = EdwardsPoint.Neutral;
        for (var i = 1; i < digits.Length; i += 2)
        {
            Select(i / 2, digits[i], out var multiple);
            sum.Add(multiple);
        }

        for (var i = 0; i < 4; i++)
        {
            sum.Double();
        }

        for (var i = 0; i < digits.Length; i += 2)
        {
            Select(i / 2, digits[i], out var multiple);
            sum.Add(multiple);
        }

        digits.Clear();
        return sum;
    }

    /// <summary>The scalar as 64 digits from -8 to 8 in base 16.</summary>
    private static void SignedDigits(ReadOnlySpan<byte> scalar, Span<int> digits)
    {
        for (var i = 0; i < Positions; i++)
        {
            digits[2 * i] = scalar[i] & 15;
            digits[(2 * i) + 1] = scalar[i] >> 4;
        }

        var carry = 0;
        for (var i = 0; i < digits.Length - 1; i++)
        {
            digits[i] += carry;
            carry = (digits[i] + 8) >> 4;
            digits[i] -= carry << 4;
        }

        digits[^1] += carry;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Select(int position, int digit, out PreparedPoint selected)
    {
        var negative = digit >> 31;
        var magnitude = (digit ^ negative) - negative;
        selected = default;
        selected.OrIf(MaskIfZero(magnitude), PreparedPoint.Neutral);
        var entries = Table.AsSpan(position * Entries, Entries);
        for (var i = 0; i < entries.Length; i++)
        {
            // Every entry is read, whichever is wanted.
            selected.OrIf(MaskIfZero(magnitude ^ (i + 1)), entries[i]);
        }

        selected.NegateIf(unchecked((ulong)negative));
    }

    /// <summary>All ones for zero, and zero for a small positive number.</summary>
    private static ulong MaskIfZero(int number) => unchecked((ulong)(long)((number - 1) >> 31));

    private static PreparedPoint[] MakeTable()
    {
        var points = new EdwardsPoint[Positions * Entries];
        var unit = Point;
        for (var position = 0; position < Positions; position++)
        {
            var prepared = unit.Prepare();
            var multiple = EdwardsPoint.Neutral;
            for (var i = 0; i < Entries; i++)
            {
                multiple.Add(prepared);
                points[(position * Entries) + i] = multiple;
            }

            for (var i = 0; i < 8; i++)
            {
                unit.Double();
            }
        }

        return EdwardsPoint.PrepareAll(points);
    }
}
