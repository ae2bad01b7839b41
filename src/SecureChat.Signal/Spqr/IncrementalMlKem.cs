using System.Diagnostics;
using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Kems;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Spqr;

/// <summary>
/// ML-KEM-768 (FIPS 203) whose public key and ciphertext travel in two parts each. The first part of the ciphertext,
/// and the shared secret with it, are made from the first part of the key alone. docs/protocol/spqr.md#incremental-kem.
/// </summary>
/// <remarks>
/// Keys and ciphertexts are those of the standard, only cut, so that generation and decapsulation come from a library. What
/// is written here is K-PKE.Encrypt, which no library offers in two halves.
/// </remarks>
internal static class IncrementalMlKem
{
    /// <summary>What a key pair is regenerated from: d and z of FIPS 203.</summary>
    public const int SeedSize = 64;

    /// <summary>First part of a public key: the matrix seed (32) and the hash of the whole key (32).</summary>
    public const int HeaderSize = 64;

    /// <summary>Second part of a public key: the encoded vector t.</summary>
    public const int VectorSize = 1152;

    /// <summary>First part of a ciphertext: the compressed vector u.</summary>
    public const int Ciphertext1Size = 960;

    /// <summary>Second part of a ciphertext: the compressed polynomial v.</summary>
    public const int Ciphertext2Size = 128;

    /// <summary>The message m that an encapsulation starts from.</summary>
    public const int MessageSize = 32;

    /// <summary>A shared secret.</summary>
    public const int SecretSize = 32;

    private const int RhoSize = 32;
    private const int K = 3;
    private const int EncodedPolynomial = VectorSize / K;
    private const int CompressedPolynomial = Ciphertext1Size / K;

    /// <summary>The public parts of the key pair of a seed.</summary>
    public static (byte[] Header, byte[] Vector) PublicKey(ReadOnlySpan<byte> seed)
    {
        var encoded = PrivateKey(seed).GetPublicKeyEncoded();
        byte[] header = [.. encoded.AsSpan(VectorSize), .. HashOf(encoded)];
        return (header, encoded[..VectorSize]);
    }

    /// <summary>Whether a vector is well formed and the one that a header announced.</summary>
    public static bool Matches(ReadOnlySpan<byte> header, ReadOnlySpan<byte> vector)
    {
        Span<int> polynomial = stackalloc int[MlKemRing.N];
        var canonical = true;
        for (var i = 0; i < K; i++)
        {
            canonical &= MlKemSampling.TryDecode12(vector.Slice(i * EncodedPolynomial, EncodedPolynomial), polynomial);
        }

        byte[] key = [.. vector, .. header[..RhoSize]];
        return canonical && CryptographicOperations.FixedTimeEquals(HashOf(key), header[RhoSize..]);
    }

    /// <summary>First half of an encapsulation: the shared secret, and the ciphertext's first part.</summary>
    /// <param name="header">First part of the public key.</param>
    /// <param name="message">Fresh randomness, kept until the second half is made.</param>
    /// <param name="secret">Receives the shared secret.</param>
    public static byte[] Encapsulate1(ReadOnlySpan<byte> header, ReadOnlySpan<byte> message, Span<byte> secret)
    {
        Span<byte> randomness = stackalloc byte[32];
        Derive(header, message, secret, randomness);
        Span<int> y = stackalloc int[K * MlKemRing.N];
        Blinding(randomness, y);

        Span<int> u = stackalloc int[MlKemRing.N];
        Span<int> other = stackalloc int[MlKemRing.N];
        var ciphertext = new byte[Ciphertext1Size];
        for (var i = 0; i < K; i++)
        {
            u.Clear();
            for (var j = 0; j < K; j++)
            {
                // Row i of the transposed matrix.
                MlKemSampling.Matrix(header[..RhoSize], row: j, column: i, other);
                MlKemRing.AddProduct(u, other, y.Slice(j * MlKemRing.N, MlKemRing.N));
            }

            MlKemRing.InverseNtt(u);
            MlKemSampling.Noise(randomness, (byte)(K + i), other);
            MlKemRing.AddTo(u, other);
            var part = ciphertext.AsSpan(i * CompressedPolynomial, CompressedPolynomial);
            MlKemSampling.CompressAndEncode(u, bits: 10, part);
        }

        Wipe(randomness, y, u, other);
        return ciphertext;
    }

    /// <summary>Second half of an encapsulation: the ciphertext's second part.</summary>
    /// <param name="header">First part of the public key.</param>
    /// <param name="vector">Second part, for which <see cref="Matches"/> was true.</param>
    /// <param name="message">The randomness of the first half.</param>
    public static byte[] Encapsulate2(
        ReadOnlySpan<byte> header, ReadOnlySpan<byte> vector, ReadOnlySpan<byte> message)
    {
        Span<byte> secret = stackalloc byte[SecretSize];
        Span<byte> randomness = stackalloc byte[32];
        Derive(header, message, secret, randomness);
        CryptographicOperations.ZeroMemory(secret);
        Span<int> y = stackalloc int[K * MlKemRing.N];
        Blinding(randomness, y);

        Span<int> v = stackalloc int[MlKemRing.N];
        Span<int> other = stackalloc int[MlKemRing.N];
        v.Clear();
        for (var i = 0; i < K; i++)
        {
            MlKemSampling.TryDecode12(vector.Slice(i * EncodedPolynomial, EncodedPolynomial), other);
            MlKemRing.AddProduct(v, other, y.Slice(i * MlKemRing.N, MlKemRing.N));
        }

        MlKemRing.InverseNtt(v);
        MlKemSampling.Noise(randomness, 2 * K, other);
        MlKemRing.AddTo(v, other);
        AddMessage(v, message);
        var ciphertext = new byte[Ciphertext2Size];
        MlKemSampling.CompressAndEncode(v, bits: 4, ciphertext);
        Wipe(randomness, y, v, other);
        return ciphertext;
    }

    /// <summary>The shared secret of a ciphertext; an unrelated one when it was tampered with (implicit rejection).</summary>
    public static byte[] Decapsulate(
        ReadOnlySpan<byte> seed, ReadOnlySpan<byte> ciphertext1, ReadOnlySpan<byte> ciphertext2)
    {
        var decapsulator = new MLKemDecapsulator(MLKemParameters.ml_kem_768);
        decapsulator.Init(PrivateKey(seed));
        var secret = new byte[SecretSize];
        decapsulator.Decapsulate([.. ciphertext1, .. ciphertext2], secret);
        return secret;
    }

    private static MLKemPrivateKeyParameters PrivateKey(ReadOnlySpan<byte> seed)
    {
        Debug.Assert(seed.Length == SeedSize);
        var copy = seed.ToArray();
        var key = MLKemPrivateKeyParameters.FromSeed(MLKemParameters.ml_kem_768, copy);
        CryptographicOperations.ZeroMemory(copy);
        return key;
    }

    private static byte[] HashOf(byte[] encodedKey)
    {
        var sha3 = new Sha3Digest(256);
        sha3.BlockUpdate(encodedKey);
        var hash = new byte[32];
        sha3.DoFinal(hash);
        return hash;
    }

    /// <summary>(K, r) = G(m || H(ek)).</summary>
    private static void Derive(
        ReadOnlySpan<byte> header, ReadOnlySpan<byte> message, Span<byte> secret, Span<byte> randomness)
    {
        Span<byte> both = stackalloc byte[64];
        var sha3 = new Sha3Digest(512);
        sha3.BlockUpdate(message);
        sha3.BlockUpdate(header[RhoSize..]);
        sha3.DoFinal(both);
        both[..32].CopyTo(secret);
        both[32..].CopyTo(randomness);
        CryptographicOperations.ZeroMemory(both);
    }

    private static void Blinding(ReadOnlySpan<byte> randomness, Span<int> y)
    {
        for (var i = 0; i < K; i++)
        {
            var polynomial = y.Slice(i * MlKemRing.N, MlKemRing.N);
            MlKemSampling.Noise(randomness, (byte)i, polynomial);
            MlKemRing.Ntt(polynomial);
        }
    }

    /// <summary>Adds Decompress_1 of the message's bits: (q+1)/2 for a one.</summary>
    private static void AddMessage(Span<int> v, ReadOnlySpan<byte> message)
    {
        for (var i = 0; i < MlKemRing.N; i++)
        {
            var bit = (message[i / 8] >> (i & 7)) & 1;
            v[i] = MlKemRing.Add(v[i], -bit & ((MlKemRing.Q + 1) / 2));
        }
    }

    private static void Wipe(Span<byte> randomness, Span<int> y, Span<int> result, Span<int> noise)
    {
        CryptographicOperations.ZeroMemory(randomness);
        y.Clear();
        result.Clear();
        noise.Clear();
    }
}
