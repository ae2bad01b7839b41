using System.Buffers.Binary;

namespace SecureChat.Signal.Spqr;

/// <summary>
/// The systematic Reed-Solomon code that cuts a message into chunks of which any N rebuild it.
/// docs/protocol/spqr.md#chunks.
/// </summary>
/// <remarks>
/// A message of N chunks is sixteen polynomials of degree below N over <see cref="GaloisField"/>. Chunk x holds their
/// values at x, so that the first N chunks are the message itself.
/// </remarks>
internal static class ErasureCode
{
    /// <summary>Bytes in a chunk: the values of sixteen polynomials.</summary>
    public const int ChunkSize = 32;

    /// <summary>
    /// The logarithms of the barycentric weights of a set of positions: 1 / product of the differences to the others.
    /// </summary>
    public static int[] Weights(ReadOnlySpan<ushort> positions)
    {
        var weights = new int[positions.Length];
        for (var i = 0; i < positions.Length; i++)
        {
            var product = 0;
            for (var j = 0; j < positions.Length; j++)
            {
                if (j != i)
                {
                    product = GaloisField.AddLogs(product, GaloisField.Log((ushort)(positions[i] ^ positions[j])));
                }
            }

            weights[i] = GaloisField.SubtractLogs(0, product);
        }

        return weights;
    }

    /// <summary>The chunk at a position that is not among those known.</summary>
    /// <param name="positions">The known positions, all different.</param>
    /// <param name="weights">Their <see cref="Weights"/>.</param>
    /// <param name="chunks">The chunks at the known positions, end to end.</param>
    /// <param name="at">The position wanted.</param>
    /// <param name="chunk">Receives <see cref="ChunkSize"/> bytes.</param>
    public static void Interpolate(
        ReadOnlySpan<ushort> positions,
        ReadOnlySpan<int> weights,
        ReadOnlySpan<byte> chunks,
        ushort at,
        Span<byte> chunk)
    {
        var product = 0;
        foreach (var position in positions)
        {
            product = GaloisField.AddLogs(product, GaloisField.Log((ushort)(at ^ position)));
        }

        chunk.Clear();
        for (var i = 0; i < positions.Length; i++)
        {
            var distance = GaloisField.Log((ushort)(at ^ positions[i]));
            var coefficient = GaloisField.SubtractLogs(GaloisField.AddLogs(product, weights[i]), distance);
            AddMultiple(chunk, chunks.Slice(i * ChunkSize, ChunkSize), coefficient);
        }
    }

    private static void AddMultiple(Span<byte> sum, ReadOnlySpan<byte> chunk, int coefficient)
    {
        for (var offset = 0; offset < ChunkSize; offset += sizeof(ushort))
        {
            var value = BinaryPrimitives.ReadUInt16BigEndian(chunk[offset..]);
            var term = GaloisField.MultiplyByLog(value, coefficient);
            sum[offset] ^= (byte)(term >> 8);
            sum[offset + 1] ^= (byte)(term & 0xFF);
        }
    }
}
