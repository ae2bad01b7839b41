namespace SecureChat.Signal.Spqr;

/// <summary>Collects chunks of one message until there are enough to rebuild it. Immutable.</summary>
internal sealed class ChunkDecoder
{
    private readonly int _needed;
    private readonly ushort[] _positions;
    private readonly byte[] _chunks;

    private ChunkDecoder(int needed, ushort[] positions, byte[] chunks) =>
        (_needed, _positions, _chunks) = (needed, positions, chunks);

    /// <summary>Whether <see cref="Decode"/> may be called.</summary>
    public bool IsComplete => _positions.Length == _needed;

    /// <summary>The positions held, all different, in the order of arrival.</summary>
    public ReadOnlySpan<ushort> Positions => _positions;

    /// <summary>The chunks at <see cref="Positions"/>, end to end.</summary>
    public ReadOnlySpan<byte> Chunks => _chunks;

    /// <summary>A decoder that waits for a message of this many bytes, a whole number of chunks.</summary>
    public static ChunkDecoder For(int messageSize) => new(messageSize / ErasureCode.ChunkSize, [], []);

    /// <summary>The decoder after one more chunk. A position seen before, or a chunk too many, changes nothing.</summary>
    public ChunkDecoder Add(Chunk chunk) =>
        IsComplete || Array.IndexOf(_positions, chunk.Position) >= 0
            ? this
            : new ChunkDecoder(_needed, [.. _positions, chunk.Position], [.. _chunks, .. chunk.Data]);

    /// <summary>The message.</summary>
    public byte[] Decode()
    {
        if (!IsComplete)
        {
            throw new InvalidOperationException("Chunks are missing.");
        }

        var message = new byte[_needed * ErasureCode.ChunkSize];
        var missing = new List<ushort>();
        for (var i = 0; i < _needed; i++)
        {
            var held = Array.IndexOf(_positions, (ushort)i);
            if (held < 0)
            {
                missing.Add((ushort)i);
                continue;
            }

            _chunks.AsSpan(held * ErasureCode.ChunkSize, ErasureCode.ChunkSize)
                .CopyTo(message.AsSpan(i * ErasureCode.ChunkSize));
        }

        if (missing.Count > 0)
        {
            var weights = ErasureCode.Weights(_positions);
            foreach (var position in missing)
            {
                var chunk = message.AsSpan(position * ErasureCode.ChunkSize, ErasureCode.ChunkSize);
                ErasureCode.Interpolate(_positions, weights, _chunks, position, chunk);
            }
        }

        return message;
    }
}
