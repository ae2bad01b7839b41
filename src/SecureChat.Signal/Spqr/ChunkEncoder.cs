namespace SecureChat.Signal.Spqr;

/// <summary>One piece of a message in transit.</summary>
/// <param name="Position">Where the code was evaluated; below the message's number of chunks it is a plain part.</param>
/// <param name="Data"><see cref="ErasureCode.ChunkSize"/> bytes.</param>
internal sealed record Chunk(ushort Position, byte[] Data);

/// <summary>An endless supply of chunks of one message. Immutable: each step gives the next encoder.</summary>
/// <param name="message">A whole number of chunks, which the encoder keeps.</param>
/// <param name="next">The position of the next chunk; after 65535 it starts over.</param>
internal sealed class ChunkEncoder(byte[] message, ushort next)
{
    /// <summary>The message being sent.</summary>
    public ReadOnlySpan<byte> Message => message;

    /// <summary>The position of the next chunk.</summary>
    public ushort Position => next;

    /// <summary>The next chunk, and the encoder that continues after it.</summary>
    public (Chunk Chunk, ChunkEncoder Next) Take() =>
        (new Chunk(next, ChunkAt(next)), new ChunkEncoder(message, unchecked((ushort)(next + 1))));

    private byte[] ChunkAt(ushort position)
    {
        var count = message.Length / ErasureCode.ChunkSize;
        if (position < count)
        {
            return message.AsSpan(position * ErasureCode.ChunkSize, ErasureCode.ChunkSize).ToArray();
        }

        Span<ushort> positions = stackalloc ushort[count];
        for (var i = 0; i < count; i++)
        {
            positions[i] = (ushort)i;
        }

        var chunk = new byte[ErasureCode.ChunkSize];
        ErasureCode.Interpolate(positions, ErasureCode.Weights(positions), message, position, chunk);
        return chunk;
    }
}
