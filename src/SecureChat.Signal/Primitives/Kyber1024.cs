using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Kems;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Security;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// Kyber1024 as Signal's handshake uses it: ML-KEM-1024 (FIPS 203) whose secret is hashed once more with the ciphertext.
/// docs/protocol/sessions.md#kyber.
/// </summary>
/// <remarks>Sizes without the type byte that Signal puts before each of them.</remarks>
internal static class Kyber1024
{
    /// <summary>Size of a public key, in bytes.</summary>
    public const int PublicKeySize = 1568;

    /// <summary>Size of an expanded private key, in bytes.</summary>
    public const int PrivateKeySize = 3168;

    /// <summary>Size of a ciphertext, in bytes.</summary>
    public const int CiphertextSize = 1568;

    /// <summary>Size of a secret, in bytes.</summary>
    public const int SecretSize = 32;

    private const int HashSize = 32;
    private const int SeedSize = 64;
    private const int VectorSize = 1536;
    private const int Modulus = 3329;
    private const int PublicKeyOffset = 1536;

    public static (byte[] PublicKey, byte[] PrivateKey) Generate(RandomSource random)
    {
        var seed = new byte[SeedSize];
        random.Fill(seed);
        var key = MLKemPrivateKeyParameters.FromSeed(MLKemParameters.ml_kem_1024, seed);
        CryptographicOperations.ZeroMemory(seed);
        return (key.GetPublicKeyEncoded(), key.GetEncoded());
    }

    /// <summary>The modulus check of FIPS 203, 7.2: every coefficient is written in its one canonical way.</summary>
    public static bool IsValidPublicKey(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != PublicKeySize)
        {
            return false;
        }

        for (var i = 0; i < VectorSize; i += 3)
        {
            var low = publicKey[i] | ((publicKey[i + 1] & 15) << 8);
            var high = (publicKey[i + 1] >> 4) | (publicKey[i + 2] << 4);
            if (low >= Modulus || high >= Modulus)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The public key inside an expanded private key.</summary>
    public static ReadOnlySpan<byte> PublicKeyOf(ReadOnlySpan<byte> privateKey) =>
        privateKey.Slice(PublicKeyOffset, PublicKeySize);

    /// <summary>Whether the hash of the public key that an expanded private key holds is right (FIPS 203, 7.3).</summary>
    public static bool IsConsistent(ReadOnlySpan<byte> privateKey)
    {
        Span<byte> hash = stackalloc byte[HashSize];
        Sha3(PublicKeyOf(privateKey), hash);
        return hash.SequenceEqual(privateKey.Slice(PublicKeyOffset + PublicKeySize, HashSize));
    }

    /// <summary>A fresh secret, and what lets only the holder of the private key find it too.</summary>
    public static (byte[] Secret, byte[] Ciphertext) Encapsulate(ReadOnlySpan<byte> publicKey, RandomSource random)
    {
        var key = MLKemPublicKeyParameters.FromEncoding(MLKemParameters.ml_kem_1024, publicKey.ToArray());
        var encapsulator = new MLKemEncapsulator(MLKemParameters.ml_kem_1024);
        encapsulator.Init(new ParametersWithRandom(key, new SecureRandom(new Chance(random))));
        var ciphertext = new byte[CiphertextSize];
        var secret = new byte[SecretSize];
        encapsulator.Encapsulate(ciphertext, 0, ciphertext.Length, secret, 0, secret.Length);
        return (Finish(secret, ciphertext), ciphertext);
    }

    /// <summary>The secret of a ciphertext. One that was not made for this key gives a secret that nobody knows.</summary>
    public static byte[] Decapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext)
    {
        var decapsulator = new MLKemDecapsulator(MLKemParameters.ml_kem_1024);
        var encoded = privateKey.ToArray();
        decapsulator.Init(MLKemPrivateKeyParameters.FromEncoding(MLKemParameters.ml_kem_1024, encoded));
        CryptographicOperations.ZeroMemory(encoded);
        var secret = new byte[SecretSize];
        decapsulator.Decapsulate(ciphertext.ToArray(), 0, CiphertextSize, secret, 0, secret.Length);
        return Finish(secret, ciphertext);
    }

    /// <summary>What round 3 of Kyber did and FIPS 203 left out: SHAKE256(secret || SHA3-256(ciphertext)).</summary>
    private static byte[] Finish(byte[] secret, ReadOnlySpan<byte> ciphertext)
    {
        Span<byte> hash = stackalloc byte[HashSize];
        Sha3(ciphertext, hash);
        var shake = new ShakeDigest(256);
        shake.BlockUpdate(secret);
        shake.BlockUpdate(hash);
        shake.OutputFinal(secret);
        return secret;
    }

    private static void Sha3(ReadOnlySpan<byte> input, Span<byte> hash)
    {
        var sha3 = new Sha3Digest(8 * HashSize);
        sha3.BlockUpdate(input);
        sha3.DoFinal(hash);
    }

    /// <summary>The library's own interface to a source of chance.</summary>
    private sealed class Chance(RandomSource random) : Org.BouncyCastle.Crypto.Prng.IRandomGenerator
    {
        public void AddSeedMaterial(byte[] seed)
        {
            // The source needs none.
        }

        public void AddSeedMaterial(ReadOnlySpan<byte> seed)
        {
            // The source needs none.
        }

        public void AddSeedMaterial(long seed)
        {
            // The source needs none.
        }

        public void NextBytes(byte[] bytes) => random.Fill(bytes);

        public void NextBytes(byte[] bytes, int start, int len) => random.Fill(bytes.AsSpan(start, len));

        public void NextBytes(Span<byte> bytes) => random.Fill(bytes);
    }
}
