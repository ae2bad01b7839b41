using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Client.Connection;

/// <summary>Solves what a server asks of somebody who does very much. Spec: docs/protocol/abuse.md#proof-of-work.</summary>
internal static class ProofSolver
{
    /// <summary>Above this a server asks for more than a telephone should give.</summary>
    public const int MaxDifficulty = 24;

    private const int TriesPerSlice = 20_000;

    /// <summary>The proof: challenge, dot, solution.</summary>
    public static async Task<string> SolveAsync(ProofOfWork work, CancellationToken ct)
    {
        for (long first = 0; ; first += TriesPerSlice)
        {
            if (TrySlice(work, first) is { } proof)
            {
                return proof;
            }

            // A browser has one thread: it has to breathe.
            await Task.Yield();
            ct.ThrowIfCancellationRequested();
        }
    }

    private static string? TrySlice(ProofOfWork work, long first)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        for (var number = first; number < first + TriesPerSlice; number++)
        {
            var proof = string.Create(CultureInfo.InvariantCulture, $"{work.Challenge}.{number}");
            SHA256.HashData(Encoding.ASCII.GetBytes(proof), hash);
            if (BinaryPrimitives.ReadUInt32BigEndian(hash) >> (32 - work.Difficulty) == 0)
            {
                return proof;
            }
        }

        return null;
    }
}
