namespace SecureChat.Signal.Tests.Support;

/// <summary>Tampering: every way to change one bit.</summary>
internal static class Bits
{
    public static IEnumerable<byte[]> Flips(byte[] bytes)
    {
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            byte[] changed = [.. bytes];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            yield return changed;
        }
    }

    /// <summary>Changes one bit, whichever.</summary>
    public static void FlipOne(Span<byte> bytes, SeededRandom random) =>
        bytes[random.Below(bytes.Length)] ^= (byte)(1 << random.Below(8));

    /// <summary>Everything shorter.</summary>
    public static IEnumerable<byte[]> Prefixes(byte[] bytes) => Enumerable.Range(0, bytes.Length).Select(size => bytes[..size]);
}
