using System.Runtime.Intrinsics.X86;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Primitives;

public sealed class X25519Tests
{
    [Fact]
    public void Ten_thousand_agreements_and_public_keys_equal_libsodiums()
    {
        var random = new SeededRandom(11);
        for (var i = 0; i < 10_000; i++)
        {
            var (scalar, point) = (random.Bytes(32), random.Bytes(32));
            if (i % 16 == 0)
            {
                point.AsSpan(random.Below(32)).Fill((byte)(i % 32 == 0 ? 0x00 : 0xFF));
            }

            X25519.Clamp(scalar);
            var (publicKey, secret) = (new byte[32], new byte[32]);
            X25519.PublicKey(scalar, publicKey);
            var contributory = X25519.Agree(scalar, point, secret);

            Assert.Equal(Sodium.PublicKey(scalar), publicKey);
            Assert.Equal(Sodium.Agree(scalar, point), contributory ? secret : null);
        }
    }

    /// <summary>
    /// Which of the two an agreement takes is up to the processor; each is called here by name. Few are quick enough to be asked about
    /// every mutant.
    /// </summary>
    [Theory]
    [InlineData(10)]
    [InlineData(10_000)]
    public void Multiples_equal_libsodiums_with_and_without_vectors(int count)
    {
        var random = new SeededRandom(13);
        for (var i = 0; i < count; i++)
        {
            var (scalar, point) = (random.Bytes(32), random.Bytes(32));
            if (i % 16 == 15)
            {
                point.AsSpan(random.Below(31) + 1).Fill((byte)(i % 32 == 15 ? 0x00 : 0xFF));
            }

            X25519.Clamp(scalar);
            var (x1, expected) = (FieldElement.Decode(point), Sodium.Agree(scalar, point));

            X25519.Ladder(scalar, x1, out var x, out var z);
            Assert.Equal(expected, Quotient(x, z));
            if (Avx2.IsSupported)
            {
                MontgomeryLanes.Ladder(scalar, x1, out x, out z);
                Assert.Equal(expected, Quotient(x, z));
            }
        }
    }

    /// <summary>RFC 7748, 5.2: the point and the scalar of each step come from the one before.</summary>
    [Fact]
    public void The_iterated_vector_of_the_specification_comes_out()
    {
        var (scalar, point) = (new byte[32], new byte[32]);
        scalar[0] = point[0] = 9;
        for (var i = 0; i < 1000; i++)
        {
            byte[] clamped = [.. scalar];
            X25519.Clamp(clamped);
            var secret = new byte[32];
            Assert.True(X25519.Agree(clamped, point, secret));
            (scalar, point) = (secret, scalar);
        }

        Assert.Equal("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", Convert.ToHexStringLower(scalar));
    }

    [Fact]
    public void Signatures_verify_and_none_with_a_flipped_bit_does()
    {
        var random = new SeededRandom(12);
        for (var i = 0; i < 2_000; i++)
        {
            using var key = PrivateKey.Generate(random);
            var message = random.Bytes(random.Below(100));
            var signature = key.Sign(message, random);
            byte[] changed = [.. signature];
            changed[random.Below(64)] ^= (byte)(1 << random.Below(8));

            Assert.True(key.PublicKey.Verify(message, signature));
            Assert.False(key.PublicKey.Verify(message, changed));
        }
    }

    private static byte[] Quotient(FieldElement x, FieldElement z)
    {
        FieldElement.Invert(z, out z);
        FieldElement.Multiply(x, z, out x);
        var bytes = new byte[FieldElement.Size];
        x.Encode(bytes);
        return bytes;
    }
}
