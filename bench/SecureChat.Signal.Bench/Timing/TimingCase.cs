using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Kems;
using Org.BouncyCastle.Crypto.Parameters;
using SecureChat.Signal;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Spqr;

namespace SecureChat.Bench.Timing;

/// <summary>An operation on a secret, and what its two classes of secrets are.</summary>
/// <param name="Name">What is timed.</param>
/// <param name="Classes">What the first class has in common, against the second.</param>
/// <param name="InputSize">Size of the secret input, in bytes.</param>
/// <param name="Draw">Fills an input of a class: 0 or 1.</param>
/// <param name="Run">The operation.</param>
internal sealed record TimingCase(string Name, string Classes, int InputSize, Action<int, byte[]> Draw, Action<byte[]> Run)
{
    private const string FixedOrRandom = "one fixed secret / random secrets";

    public static IEnumerable<TimingCase> All()
    {
        var message = RandomNumberGenerator.GetBytes(64);
        var edwardsKey = XEdDsa.EdwardsKey(Scalar());
        yield return FixedOrRandomKey("XEdDSA sign", key => XEdDsa.Sign(key, edwardsKey, message, RandomSource.System));
        yield return FixedOrRandomKey("X25519 public key", key => X25519.PublicKey(key, stackalloc byte[32]));
        var point = new byte[32];
        X25519.PublicKey(Scalar(), point);
        yield return FixedOrRandomKey("X25519 agreement", key => X25519.Agree(key, point, stackalloc byte[32]));
        yield return Control();

        var noise1024 = RandomNumberGenerator.GetBytes(Kyber1024.CiphertextSize);
        var noise768 = RandomNumberGenerator.GetBytes(IncrementalMlKem.Ciphertext1Size + IncrementalMlKem.Ciphertext2Size);
        var secret768 = new byte[IncrementalMlKem.SecretSize];
        var (publicKey, privateKey) = Kyber1024.Generate(RandomSource.System);
        yield return Decapsulation(
            "ML-KEM-1024 decapsulation", () => Kyber1024.Encapsulate(publicKey, RandomSource.System).Ciphertext,
            ciphertext => Kyber1024.Decapsulate(privateKey, ciphertext));
        yield return SecretVector(
            "ML-KEM-1024 decapsulation, by key", MLKemParameters.ml_kem_1024, 1536,
            key => Kyber1024.Decapsulate(key, noise1024));

        var seed = RandomNumberGenerator.GetBytes(IncrementalMlKem.SeedSize);
        var (header, vector) = IncrementalMlKem.PublicKey(seed);
        yield return Decapsulation(
            "ML-KEM-768 decapsulation", () => Encapsulate(header, vector),
            ciphertext => IncrementalMlKem.Decapsulate(
                seed, ciphertext.AsSpan(0, IncrementalMlKem.Ciphertext1Size), ciphertext.AsSpan(IncrementalMlKem.Ciphertext1Size)));
        yield return SecretVector(
            "ML-KEM-768 decapsulation, by key", MLKemParameters.ml_kem_768, IncrementalMlKem.VectorSize, key =>
            {
                var decapsulator = new MLKemDecapsulator(MLKemParameters.ml_kem_768);
                decapsulator.Init(MLKemPrivateKeyParameters.FromEncoding(MLKemParameters.ml_kem_768, key));
                decapsulator.Decapsulate(noise768, secret768);
            });
        yield return FixedOrRandomSecret("ML-KEM-768 encapsulation, in halves", secret =>
        {
            IncrementalMlKem.Encapsulate1(header, secret, stackalloc byte[32]);
            IncrementalMlKem.Encapsulate2(header, vector, secret);
        });
    }

    /// <summary>A secret fixed over the whole run, against a new one each time.</summary>
    private static TimingCase FixedOrRandomSecret(string name, Action<byte[]> run)
    {
        var constant = RandomNumberGenerator.GetBytes(32);
        return new TimingCase(name, FixedOrRandom, 32, (which, input) =>
        {
            RandomNumberGenerator.Fill(input);
            if (which == 0)
            {
                constant.CopyTo(input, 0);
            }
        }, run);
    }

    private static TimingCase FixedOrRandomKey(string name, Action<byte[]> run)
    {
        var constant = Scalar();
        return new TimingCase(name, FixedOrRandom, 32, (which, input) =>
        {
            RandomNumberGenerator.Fill(input);
            X25519.Clamp(input);
            if (which == 0)
            {
                constant.CopyTo(input, 0);
            }
        }, run);
    }

    /// <summary>A comparison that stops at the first difference: the test has to find this one.</summary>
    private static TimingCase Control()
    {
        var secret = RandomNumberGenerator.GetBytes(256);
        return new TimingCase("control: a comparison that stops early", "equal / random", 256, (which, input) =>
        {
            RandomNumberGenerator.Fill(input);
            if (which == 0)
            {
                secret.CopyTo(input, 0);
            }
        }, input =>
        {
            for (var i = 0; i < secret.Length && secret[i] == input[i]; i++)
            {
                // Nothing but the comparison.
            }
        });
    }

    /// <summary>A ciphertext that is genuine, against one that is refused implicitly.</summary>
    private static TimingCase Decapsulation(string name, Func<byte[]> encapsulate, Action<byte[]> decapsulate)
    {
        var genuine = encapsulate();
        return new TimingCase(name, "one genuine ciphertext / damaged ones", genuine.Length, (which, input) =>
        {
            genuine.CopyTo(input, 0);
            var at = RandomNumberGenerator.GetInt32(input.Length);
            input[at] ^= (byte)(which == 0 ? 0 : RandomNumberGenerator.GetInt32(1, 256));
        }, decapsulate);
    }

    /// <summary>One secret vector over the whole run, against those of other keys.</summary>
    /// <remarks>
    /// The public half stays the same, because a decapsulation expands its seed, and that takes as long as the seed says; so
    /// does the key that a seed is made into, which is why 768 begins from the expanded one. The ciphertext is noise, so that
    /// it is refused, implicitly, under all of them.
    /// </remarks>
    private static TimingCase SecretVector(string name, MLKemParameters parameters, int size, Action<byte[]> decapsulate)
    {
        const int others = 512;
        byte[][] keys = [.. Enumerable.Range(0, others + 1).Select(_ =>
            MLKemPrivateKeyParameters.FromSeed(parameters, RandomNumberGenerator.GetBytes(64)).GetEncoded())];
        var key = (byte[])keys[0].Clone();
        return new TimingCase(name, "one fixed secret vector / those of 512 keys", size, (which, input) =>
        {
            var drawn = keys[1 + RandomNumberGenerator.GetInt32(others)];
            drawn.AsSpan(0, size).CopyTo(input);
            if (which == 0)
            {
                keys[0].AsSpan(0, size).CopyTo(input);
            }
        }, input =>
        {
            input.CopyTo(key, 0);
            decapsulate(key);
        });
    }

    private static byte[] Encapsulate(byte[] header, byte[] vector)
    {
        var message = RandomNumberGenerator.GetBytes(IncrementalMlKem.MessageSize);
        var first = IncrementalMlKem.Encapsulate1(header, message, stackalloc byte[IncrementalMlKem.SecretSize]);
        return [.. first, .. IncrementalMlKem.Encapsulate2(header, vector, message)];
    }

    private static byte[] Scalar()
    {
        var scalar = RandomNumberGenerator.GetBytes(32);
        X25519.Clamp(scalar);
        return scalar;
    }
}
