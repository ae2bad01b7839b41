using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Kems;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Security;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

public sealed class IncrementalMlKemTests
{
    [Fact]
    public void The_two_halves_make_the_ciphertext_that_the_library_makes_in_one()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 200; i++)
        {
            var seed = random.Bytes(IncrementalMlKem.SeedSize);
            var message = random.Bytes(IncrementalMlKem.MessageSize);
            var (header, vector) = IncrementalMlKem.PublicKey(seed);

            var secret = new byte[IncrementalMlKem.SecretSize];
            var first = IncrementalMlKem.Encapsulate1(header, message, secret);
            var second = IncrementalMlKem.Encapsulate2(header, vector, message);
            var (expected, expectedSecret) = LibraryEncapsulation([.. vector, .. header.AsSpan(0, 32)], message);

            byte[] ciphertext = [.. first, .. second];
            Assert.Equal(expected, ciphertext);
            Assert.Equal(expectedSecret, secret);
            Assert.Equal(secret, IncrementalMlKem.Decapsulate(seed, first, second));
        }
    }

    /// <summary>Also a ciphertext with a flipped bit has one secret, the implicit refusal's, on both sides.</summary>
    [Fact]
    public void Ten_thousand_keys_ciphertexts_and_secrets_equal_libsodiums()
    {
        var random = new SeededRandom(5);
        for (var i = 0; i < 10_000; i++)
        {
            var seed = random.Bytes(IncrementalMlKem.SeedSize);
            var message = random.Bytes(IncrementalMlKem.MessageSize);
            var (publicKey, secretKey) = Sodium.KemKeyPair(seed);
            var (ciphertext, expected) = Sodium.KemEncapsulate(publicKey, message);

            var (header, vector) = IncrementalMlKem.PublicKey(seed);
            var secret = new byte[IncrementalMlKem.SecretSize];
            var first = IncrementalMlKem.Encapsulate1(header, message, secret);
            var second = IncrementalMlKem.Encapsulate2(header, vector, message);
            var damaged = (byte[])ciphertext.Clone();
            damaged[random.Below(damaged.Length)] ^= (byte)(1 << random.Below(8));

            Assert.Equal<byte>(publicKey, (byte[])[.. vector, .. header.AsSpan(0, 32)]);
            Assert.Equal<byte>(ciphertext, (byte[])[.. first, .. second]);
            Assert.Equal(expected, secret);
            Assert.Equal(expected, IncrementalMlKem.Decapsulate(seed, first, second));
            Assert.Equal(Sodium.KemDecapsulate(secretKey, damaged), IncrementalMlKem.Decapsulate(
                seed, damaged.AsSpan(0, IncrementalMlKem.Ciphertext1Size), damaged.AsSpan(IncrementalMlKem.Ciphertext1Size)));
        }
    }

    /// <summary>
    /// The accumulated vector for ML-KEM-768 of the Community Cryptography Test Vectors: 100 rounds of key generation,
    /// encapsulation, decapsulation and implicit rejection, hashed into one value.
    /// </summary>
    [Fact]
    public void A_hundred_rounds_give_the_published_accumulated_value()
    {
        var chance = new ShakeDigest(128);
        var seen = new ShakeDigest(128);
        for (var i = 0; i < 100; i++)
        {
            var seed = Draw(chance, IncrementalMlKem.SeedSize);
            var (header, vector) = IncrementalMlKem.PublicKey(seed);
            seen.BlockUpdate([.. vector, .. header.AsSpan(0, 32)]);

            var message = Draw(chance, IncrementalMlKem.MessageSize);
            var secret = new byte[IncrementalMlKem.SecretSize];
            var first = IncrementalMlKem.Encapsulate1(header, message, secret);
            var second = IncrementalMlKem.Encapsulate2(header, vector, message);
            seen.BlockUpdate([.. first, .. second, .. secret]);

            var noise = Draw(chance, IncrementalMlKem.Ciphertext1Size + IncrementalMlKem.Ciphertext2Size);
            seen.BlockUpdate(IncrementalMlKem.Decapsulate(
                seed, noise.AsSpan(0, IncrementalMlKem.Ciphertext1Size), noise.AsSpan(IncrementalMlKem.Ciphertext1Size)));
        }

        var accumulated = Convert.ToHexStringLower(Draw(seen, 32));

        Assert.Equal("1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415", accumulated);
    }

    [Fact]
    public void A_changed_ciphertext_gives_another_secret_and_no_error()
    {
        var random = new SeededRandom(2);
        var seed = random.Bytes(IncrementalMlKem.SeedSize);
        var (header, vector) = IncrementalMlKem.PublicKey(seed);
        var message = random.Bytes(IncrementalMlKem.MessageSize);
        var secret = new byte[IncrementalMlKem.SecretSize];
        var first = IncrementalMlKem.Encapsulate1(header, message, secret);
        var second = IncrementalMlKem.Encapsulate2(header, vector, message);

        second[7] ^= 0x10;

        Assert.NotEqual(secret, IncrementalMlKem.Decapsulate(seed, first, second));
    }

    [Fact]
    public void A_vector_with_any_bit_changed_does_not_match_its_header()
    {
        var (header, vector) = IncrementalMlKem.PublicKey(new SeededRandom(3).Bytes(IncrementalMlKem.SeedSize));
        Assert.True(IncrementalMlKem.Matches(header, vector));

        for (var bit = 0; bit < vector.Length * 8; bit++)
        {
            vector[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(IncrementalMlKem.Matches(header, vector));
            vector[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_vector_out_of_range_is_refused_even_if_its_hash_was_announced()
    {
        var (header, vector) = IncrementalMlKem.PublicKey(new SeededRandom(4).Bytes(IncrementalMlKem.SeedSize));
        (vector[0], vector[1]) = (0x01, (byte)((vector[1] & 0xF0) | 0x0D));
        var sha3 = new Sha3Digest(256);
        sha3.BlockUpdate([.. vector, .. header.AsSpan(0, 32)]);
        sha3.DoFinal(header.AsSpan(32));

        Assert.False(IncrementalMlKem.Matches(header, vector));
        vector[0] = 0x00;
        sha3.BlockUpdate([.. vector, .. header.AsSpan(0, 32)]);
        sha3.DoFinal(header.AsSpan(32));
        Assert.True(IncrementalMlKem.Matches(header, vector));
    }

    [Fact]
    public void Reduction_equals_division_for_every_product()
    {
        const int limit = (MlKemRing.Q - 1) * (MlKemRing.Q - 1);
        var wrong = Enumerable.Range(0, limit + 1).Count(value => MlKemRing.Reduce(value) != value % MlKemRing.Q);

        Assert.Equal(0, wrong);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(4)]
    public void Compression_equals_rounded_division_for_every_coefficient(int bits)
    {
        var wrong = Enumerable.Range(0, MlKemRing.Q).Count(value =>
            MlKemRing.Compress(value, bits) != (((value << bits) + (MlKemRing.Q / 2)) / MlKemRing.Q) % (1 << bits));

        Assert.Equal(0, wrong);
    }

    private static byte[] Draw(ShakeDigest shake, int count)
    {
        var bytes = new byte[count];
        shake.Output(bytes);
        return bytes;
    }

    private static (byte[] Ciphertext, byte[] Secret) LibraryEncapsulation(byte[] publicKey, byte[] message)
    {
        var encapsulator = new MLKemEncapsulator(MLKemParameters.ml_kem_768);
        encapsulator.Init(new ParametersWithRandom(
            MLKemPublicKeyParameters.FromEncoding(MLKemParameters.ml_kem_768, publicKey), new Fixed(message)));
        var ciphertext = new byte[encapsulator.EncapsulationLength];
        var secret = new byte[encapsulator.SecretLength];
        encapsulator.Encapsulate(ciphertext, secret);
        return (ciphertext, secret);
    }

    private sealed class Fixed(byte[] bytes) : SecureRandom
    {
        public override void NextBytes(byte[] buf) => bytes.CopyTo(buf, 0);

        public override void NextBytes(Span<byte> buffer) => bytes.CopyTo(buffer);

        public override void NextBytes(byte[] buf, int off, int len) => bytes.AsSpan(0, len).CopyTo(buf.AsSpan(off));
    }
}
