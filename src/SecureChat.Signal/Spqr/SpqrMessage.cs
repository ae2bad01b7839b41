namespace SecureChat.Signal.Spqr;

/// <summary>What a message carries besides its place in the chains; the numbers are those on the wire.</summary>
internal enum SpqrMessageType : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A chunk of the public key's first part.</summary>
    Header = 1,

    /// <summary>A chunk of the public key's second part.</summary>
    Vector = 2,

    /// <summary>The same, and word that the ciphertext's first part has arrived.</summary>
    VectorAndCiphertext1Ack = 3,

    /// <summary>Word that the ciphertext's first part has arrived.</summary>
    Ciphertext1Ack = 4,

    /// <summary>A chunk of the ciphertext's first part.</summary>
    Ciphertext1 = 5,

    /// <summary>A chunk of the ciphertext's second part.</summary>
    Ciphertext2 = 6,
}

/// <summary>The content of a message's <c>pq_ratchet</c> field. docs/protocol/spqr.md#messages.</summary>
/// <param name="Epoch">The sender's epoch, at least 1.</param>
/// <param name="Index">The message's position in the sender's chain of the epoch before, counted from 1.</param>
/// <param name="Type">What it carries.</param>
/// <param name="Chunk">The chunk, for the types that have one.</param>
internal sealed record SpqrMessage(ulong Epoch, uint Index, SpqrMessageType Type, Chunk? Chunk)
{
    /// <summary>The version of the protocol that is spoken here.</summary>
    public const byte Version = 1;

    private const int LongestVarint = 10;

    /// <summary>Whether a type comes with a chunk.</summary>
    public static bool HasChunk(SpqrMessageType type) =>
        type is not (SpqrMessageType.None or SpqrMessageType.Ciphertext1Ack);

    public byte[] Serialize()
    {
        Span<byte> buffer = stackalloc byte[2 + (3 * LongestVarint) + ErasureCode.ChunkSize];
        buffer[0] = Version;
        var size = 1;
        size += WriteVarint(buffer[size..], Epoch);
        size += WriteVarint(buffer[size..], Index);
        buffer[size++] = (byte)Type;
        if (Chunk is not null)
        {
            size += WriteVarint(buffer[size..], Chunk.Position);
            Chunk.Data.CopyTo(buffer[size..]);
            size += Chunk.Data.Length;
        }

        return buffer[..size].ToArray();
    }

    /// <summary>Reads the part that every version has in common: the chain position that the key is taken from.</summary>
    public static bool TryParsePreamble(ReadOnlySpan<byte> bytes, out byte version, out ulong epoch, out uint index)
    {
        version = 0;
        epoch = 0;
        index = 0;
        if (bytes.IsEmpty)
        {
            return false;
        }

        version = bytes[0];
        var rest = bytes[1..];
        return TryReadVarint(ref rest, out epoch) && TryReadVarint(ref rest, uint.MaxValue, out index);
    }

    /// <summary>Reads a message of <see cref="Version"/>. Bytes after it are left for later extensions, and ignored.</summary>
    public static SpqrMessage? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || bytes[0] != Version)
        {
            return null;
        }

        var rest = bytes[1..];
        if (!TryReadVarint(ref rest, out var epoch) || epoch == 0
            || !TryReadVarint(ref rest, uint.MaxValue, out var index)
            || rest.IsEmpty || rest[0] > (byte)SpqrMessageType.Ciphertext2)
        {
            return null;
        }

        var type = (SpqrMessageType)rest[0];
        rest = rest[1..];
        if (!HasChunk(type))
        {
            return new SpqrMessage(epoch, index, type, null);
        }

        return TryReadVarint(ref rest, ushort.MaxValue, out var position) && rest.Length >= ErasureCode.ChunkSize
            ? new SpqrMessage(epoch, index, type, new Chunk((ushort)position, rest[..ErasureCode.ChunkSize].ToArray()))
            : null;
    }

    private static int WriteVarint(Span<byte> buffer, ulong value)
    {
        var size = 0;
        for (; value >= 0x80; value >>= 7)
        {
            buffer[size++] = (byte)((value & 0x7F) | 0x80);
        }

        buffer[size++] = (byte)value;
        return size;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, uint max, out uint value)
    {
        var read = TryReadVarint(ref bytes, out var wide) && wide <= max;
        value = read ? (uint)wide : 0;
        return read;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < Math.Min(bytes.Length, LongestVarint); i++)
        {
            // The tenth byte has room for one bit of the 64.
            if (i == LongestVarint - 1 && bytes[i] > 1)
            {
                return false;
            }

            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }
}
