using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using Org.BouncyCastle.Crypto.Digests;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Sessions;

namespace SecureChat.Signal.Tests.Primitives;

/// <summary>The published vectors of <c>vectors/known-answers/</c>: RFCs, ACVP, Wycheproof.</summary>
public sealed class KnownAnswerTests
{
    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;

    [Fact]
    public void X25519_agrees_as_published_and_on_nothing_with_a_key_of_low_order()
    {
        var refused = 0;
        foreach (var test in Read("x25519"))
        {
            using var key = PrivateKey.Parse(test.Bytes("private"));
            var (other, expected) = (test.Bytes("public"), test.Bytes("shared"));
            var isCanonical = new BigInteger(other, isUnsigned: true) < Prime;

            Assert.Equal(isCanonical, PublicKey.TryParse([5, .. other], out _));
            if (expected.All(b => b == 0))
            {
                refused++;
                var refusal = Assert.Throws<SignalException>(() => key.Agree(PublicKey.FromRaw(other)));
                Assert.Equal(SignalError.InvalidKey, refusal.Error);
                continue;
            }

            Assert.Equal(expected, key.Agree(PublicKey.FromRaw(other)));
        }

        Assert.True(refused > 10);
    }

    /// <summary>RFC 7748, 5.2: the thousandth iteration.</summary>
    [Fact]
    public void X25519_of_itself_a_thousand_times_gives_the_value_of_the_RFC()
    {
        byte[] scalar = [9, .. new byte[31]];
        var point = scalar;
        for (var i = 0; i < 1_000; i++)
        {
            using var key = PrivateKey.Parse(scalar);
            (scalar, point) = (key.Agree(PublicKey.FromRaw(point)), scalar);
        }

        Assert.Equal("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", Convert.ToHexStringLower(scalar));
    }

    /// <summary>Ed25519 put together from the parts that XEdDSA is made of gives the signatures of RFC 8032.</summary>
    [Fact]
    public void Edwards_and_scalar_arithmetic_sign_as_published()
    {
        foreach (var test in Read("ed25519-signing"))
        {
            var (hash, message) = (SHA512.HashData(test.Bytes("seed")), test.Bytes("message"));
            var scalar = hash[..32];
            scalar[0] &= 0xF8;
            scalar[31] = (byte)((scalar[31] & 0x7F) | 0x40);
            var publicKey = BaseMultiple(scalar);
            var nonce = Reduce(SHA512.HashData([.. hash[32..], .. message]));
            var r = BaseMultiple(nonce);
            var s = new byte[32];
            Scalar25519.MultiplyAdd(Reduce(SHA512.HashData([.. r, .. publicKey, .. message])), scalar, nonce, s);

            Assert.Equal(test.Bytes("key"), publicKey);
            Assert.Equal(test.Bytes("signature"), (byte[])[.. r, .. s]);
        }
    }

    [Fact]
    public void Signatures_are_accepted_and_refused_as_published()
    {
        var (accepted, refused) = (0, 0);
        foreach (var test in Read("ed25519").Concat(Read("ed25519-signing")))
        {
            var (key, signature) = (test.Bytes("key"), test.Bytes("signature"));
            var isValid = !test.Has("result") || test.Text("result") == "valid";

            // In XEdDSA the highest bit is the key's sign, which Ed25519 has in the key: a forged one there says nothing here.
            if (signature.Length == 64)
            {
                if (signature[63] >= 0x80)
                {
                    continue;
                }

                signature[63] |= (byte)(key[31] & 0x80);
            }

            Assert.Equal(isValid, XEdDsa.Verify(Montgomery(key), test.Bytes("message"), signature));
            (accepted, refused) = isValid ? (accepted + 1, refused) : (accepted, refused + 1);
        }

        Assert.True(accepted > 50 && refused > 40);
    }

    [Fact]
    public void AES_256_GCM_SIV_encrypts_and_refuses_as_published()
    {
        foreach (var test in Read("aes-256-gcm-siv"))
        {
            var (key, nonce, associated) = (test.Bytes("key"), test.Bytes("nonce"), test.Bytes("associated"));
            var (plaintext, ciphertext) = (test.Bytes("plaintext"), test.Bytes("ciphertext"));
            var isValid = test.Text("result") == "valid";

            var opened = AesGcmSiv.Decrypt(key, nonce, ciphertext, associated);

            Assert.Equal(isValid ? plaintext : null, opened);
            Assert.Equal(isValid, ciphertext.AsSpan().SequenceEqual(AesGcmSiv.Encrypt(key, nonce, plaintext, associated)));
        }
    }

    [Fact]
    public void AES_256_CBC_encrypts_and_refuses_as_published_also_in_the_browser()
    {
        foreach (var test in Read("aes-256-cbc"))
        {
            var (key, iv) = (test.Bytes("key"), test.Bytes("iv"));
            var (plaintext, ciphertext) = (test.Bytes("plaintext"), test.Bytes("ciphertext"));
            var isValid = test.Text("result") == "valid";

            Assert.Equal(isValid ? plaintext : null, AesCbc.Decrypt(key, iv, ciphertext));
            if (isValid)
            {
                Assert.Equal(ciphertext, AesCbc.Encrypt(key, iv, plaintext));
                Assert.Equal(ciphertext, AesCbc.Managed(encrypt: true, key, iv, plaintext));
                Assert.Equal(plaintext, AesCbc.Managed(encrypt: false, key, iv, ciphertext));
            }
        }
    }

    [Fact]
    public void HKDF_derives_as_published()
    {
        foreach (var test in Read("hkdf-sha256"))
        {
            var expected = test.Bytes("output");

            Assert.Equal(
                expected, Hkdf.Derive(test.Bytes("salt"), test.Bytes("secret"), test.Bytes("info"), expected.Length));
        }
    }

    [Fact]
    public void ML_KEM_makes_the_keys_of_ACVP()
    {
        foreach (var test in Read("ml-kem", "keyGeneration"))
        {
            var (seed, expected) = (test.Bytes("seed"), test.Bytes("public"));
            if (test.Number("set") == 1024)
            {
                Assert.Equal((expected, test.Bytes("private")), Kyber1024.Generate(new Fixed(seed)), Same);
                continue;
            }

            var (header, vector) = IncrementalMlKem.PublicKey(seed);
            Assert.Equal(expected, (byte[])[.. vector, .. header.AsSpan(0, 32)]);
            Assert.Equal(SHA3(expected), header[32..]);
        }
    }

    [Fact]
    public void ML_KEM_encapsulates_as_ACVP_does()
    {
        foreach (var test in Read("ml-kem", "encapsulation"))
        {
            var (key, message) = (test.Bytes("public"), test.Bytes("message"));
            var (ciphertext, secret) = (test.Bytes("ciphertext"), test.Bytes("secret"));
            if (test.Number("set") == 1024)
            {
                Assert.Equal(
                    (Kyber(secret, ciphertext), ciphertext), Kyber1024.Encapsulate(key, new Fixed(message)), Same);
                continue;
            }

            var (vector, seed) = (key[..IncrementalMlKem.VectorSize], key[IncrementalMlKem.VectorSize..]);
            byte[] header = [.. seed, .. SHA3(key)];
            var ours = new byte[IncrementalMlKem.SecretSize];
            var first = IncrementalMlKem.Encapsulate1(header, message, ours);
            Assert.Equal(ciphertext, (byte[])[.. first, .. IncrementalMlKem.Encapsulate2(header, vector, message)]);
            Assert.Equal(secret, ours);
        }
    }

    [Fact]
    public void ML_KEM_decapsulates_as_ACVP_does_also_what_was_not_made_for_the_key()
    {
        foreach (var test in Read("ml-kem", "decapsulation"))
        {
            var ciphertext = test.Bytes("ciphertext");

            Assert.Equal(
                Kyber(test.Bytes("secret"), ciphertext), Kyber1024.Decapsulate(test.Bytes("private"), ciphertext));
        }

        foreach (var test in Read("ml-kem", "rounds"))
        {
            var ciphertext = test.Bytes("ciphertext").AsSpan();

            Assert.Equal(test.Bytes("secret"), IncrementalMlKem.Decapsulate(
                test.Bytes("seed"),
                ciphertext[..IncrementalMlKem.Ciphertext1Size],
                ciphertext[IncrementalMlKem.Ciphertext1Size..]));
        }
    }

    private static bool Same((byte[], byte[]) expected, (byte[], byte[]) actual) =>
        expected.Item1.AsSpan().SequenceEqual(actual.Item1) && expected.Item2.AsSpan().SequenceEqual(actual.Item2);

    /// <summary>What Kyber makes of the secret of ML-KEM: SHAKE256(secret || SHA3-256(ciphertext)).</summary>
    private static byte[] Kyber(byte[] secret, byte[] ciphertext)
    {
        var shake = new ShakeDigest(256);
        shake.BlockUpdate((byte[])[.. secret, .. SHA3(ciphertext)]);
        var hashed = new byte[32];
        shake.OutputFinal(hashed);
        return hashed;
    }

    private static byte[] SHA3(byte[] input)
    {
        var (digest, hash) = (new Sha3Digest(256), new byte[32]);
        digest.BlockUpdate(input);
        digest.DoFinal(hash);
        return hash;
    }

    /// <summary>The Montgomery u of an Edwards y: (1 + y) / (1 - y).</summary>
    private static byte[] Montgomery(byte[] key)
    {
        byte[] plain = [.. key];
        plain[31] &= 0x7F;
        var y = new BigInteger(plain, isUnsigned: true);
        var inverse = BigInteger.ModPow(Prime + 1 - y, Prime - 2, Prime);
        var bytes = new byte[32];
        ((1 + y) * inverse % Prime).TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }

    private static byte[] BaseMultiple(byte[] scalar)
    {
        var encoded = new byte[32];
        EdwardsBase.Multiply(scalar).Encode(encoded);
        return encoded;
    }

    private static byte[] Reduce(byte[] wide)
    {
        var reduced = new byte[32];
        Scalar25519.Reduce(wide, reduced);
        return reduced;
    }

    private static List<Vector> Read(string file, string list = "tests")
    {
        using var json = JsonDocument.Parse(
            File.ReadAllText(Path.Combine(Transcript.Folder, "..", "known-answers", file + ".json")));
        var vectors = json.RootElement.GetProperty(list).EnumerateArray().Select(test => new Vector(test.Clone())).ToList();
        Assert.NotEmpty(vectors);
        return vectors;
    }

    private sealed record Vector(JsonElement Json)
    {
        public bool Has(string name) => Json.TryGetProperty(name, out _);

        public byte[] Bytes(string name) => Json.GetProperty(name).GetBytesFromBase64();

        public string Text(string name) => Json.GetProperty(name).GetString()!;

        public int Number(string name) => Json.GetProperty(name).GetInt32();
    }

    /// <summary>The bytes that a vector names instead of chance.</summary>
    private sealed class Fixed(byte[] drawn) : RandomSource
    {
        public override void Fill(Span<byte> bytes)
        {
            Assert.Equal(drawn.Length, bytes.Length);
            drawn.CopyTo(bytes);
        }
    }
}
