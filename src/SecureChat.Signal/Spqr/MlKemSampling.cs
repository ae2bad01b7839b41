using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Digests;

namespace SecureChat.Signal.Spqr;

/// <summary>How FIPS 203 draws polynomials and turns them into bytes.</summary>
internal static class MlKemSampling
{
    private const int ShakeRate = 168;

    /// <summary>The matrix entry A[row, column] in transformed form (algorithm 7). Its seed is public.</summary>
    public static void Matrix(ReadOnlySpan<byte> rho, int row, int column, Span<int> polynomial)
    {
        var shake = new ShakeDigest(128);
        shake.BlockUpdate(rho);
        shake.Update((byte)column);
        shake.Update((byte)row);
        Span<byte> block = stackalloc byte[ShakeRate];
        var filled = 0;
        while (filled < MlKemRing.N)
        {
            shake.Output(block);
            for (var i = 0; i < ShakeRate && filled < MlKemRing.N; i += 3)
            {
                var first = block[i] | ((block[i + 1] & 0x0F) << 8);
                var second = (block[i + 1] >> 4) | (block[i + 2] << 4);
                if (first < MlKemRing.Q)
                {
                    polynomial[filled++] = first;
                }

                if (second < MlKemRing.Q && filled < MlKemRing.N)
                {
                    polynomial[filled++] = second;
                }
            }
        }
    }

    /// <summary>A polynomial of small coefficients from secret randomness: PRF and algorithm 8, both with eta = 2.</summary>
    public static void Noise(ReadOnlySpan<byte> seed, byte nonce, Span<int> polynomial)
    {
        Span<byte> stream = stackalloc byte[MlKemRing.N / 2];
        var shake = new ShakeDigest(256);
        shake.BlockUpdate(seed);
        shake.Update(nonce);
        shake.OutputFinal(stream);
        for (var i = 0; i < stream.Length; i++)
        {
            polynomial[2 * i] = Binomial(stream[i]);
            polynomial[(2 * i) + 1] = Binomial(stream[i] >> 4);
        }

        CryptographicOperations.ZeroMemory(stream);
    }

    /// <summary>ByteEncode_d after Compress_d, for the d = 10 and d = 4 of ML-KEM-768 (algorithm 5).</summary>
    public static void CompressAndEncode(ReadOnlySpan<int> polynomial, int bits, Span<byte> encoded)
    {
        var held = 0;
        var pending = 0;
        var written = 0;
        foreach (var coefficient in polynomial)
        {
            pending |= MlKemRing.Compress(coefficient, bits) << held;
            held += bits;
            while (held >= 8)
            {
                encoded[written++] = (byte)(pending & 0xFF);
                pending >>= 8;
                held -= 8;
            }
        }
    }

    /// <summary>ByteDecode_12 (algorithm 6) of a public polynomial; false if a coefficient is q or more.</summary>
    public static bool TryDecode12(ReadOnlySpan<byte> encoded, Span<int> polynomial)
    {
        var canonical = true;
        for (var i = 0; i < MlKemRing.N; i += 2)
        {
            var bytes = encoded.Slice(i / 2 * 3, 3);
            polynomial[i] = bytes[0] | ((bytes[1] & 0x0F) << 8);
            polynomial[i + 1] = (bytes[1] >> 4) | (bytes[2] << 4);
            canonical &= polynomial[i] < MlKemRing.Q && polynomial[i + 1] < MlKemRing.Q;
        }

        return canonical;
    }

    private static int Binomial(int bits) =>
        MlKemRing.CorrectNegative((bits & 1) + ((bits >> 1) & 1) - ((bits >> 2) & 1) - ((bits >> 3) & 1));
}
