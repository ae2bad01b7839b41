using System.Buffers.Binary;
using System.Security.Cryptography;

namespace SecureChat.Signal.Tests.Support;

/// <summary>Chance that repeats: the same seed gives the same bytes, so that a failure can be run again.</summary>
internal sealed class SeededRandom(ulong seed) : RandomSource
{
    private ulong _block;

    public override void Fill(Span<byte> bytes)
    {
        Span<byte> input = stackalloc byte[16];
        Span<byte> block = stackalloc byte[32];
        BinaryPrimitives.WriteUInt64BigEndian(input, seed);
        while (!bytes.IsEmpty)
        {
            BinaryPrimitives.WriteUInt64BigEndian(input[8..], _block++);
            SHA256.HashData(input, block);
            var taken = Math.Min(block.Length, bytes.Length);
            block[..taken].CopyTo(bytes);
            bytes = bytes[taken..];
        }
    }

    /// <summary>Fresh bytes.</summary>
    public byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    /// <summary>A number from 0 to below <paramref name="limit"/>, even enough for tests.</summary>
    public int Below(int limit) => (int)(BinaryPrimitives.ReadUInt32BigEndian(Bytes(4)) % (uint)limit);

    /// <summary>True in so many cases out of a hundred.</summary>
    public bool Percent(int chance) => Below(100) < chance;
}
