using System.Numerics;
using System.Runtime.Intrinsics.X86;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Primitives;

/// <summary>What is hand-written for checking signatures and keys, beside libsodium.</summary>
public sealed class VerificationTests
{
    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;

    /// <summary>
    /// Good ones, and such as have a bit flipped in the signature, in the message or in the key. libsodium judges the
    /// Ed25519 form: the signature without the key's sign, and the key as an Edwards point.
    /// </summary>
    [Fact]
    public void Ten_thousand_signatures_are_judged_as_libsodium_judges_them()
    {
        var random = new SeededRandom(1);
        var good = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var privateKey = random.Bytes(32);
            X25519.Clamp(privateKey);
            var publicKey = new byte[32];
            X25519.PublicKey(privateKey, publicKey);
            var message = random.Bytes(1 + random.Below(600));
            var signature = XEdDsa.Sign(privateKey, XEdDsa.EdwardsKey(privateKey), message, random);
            Bits.FlipOne((i % 5) switch { 1 => signature, 2 => message, 3 => publicKey, _ => new byte[1] }, random);

            var sign = (byte)(signature[63] & 0x80);
            var plain = (byte[])signature.Clone();
            plain[63] &= 0x7F;
            var expected = Sodium.Verify(Edwards(publicKey, sign), message, plain);

            Assert.Equal(expected, XEdDsa.Verify(publicKey, message, signature));
            good += expected ? 1 : 0;
        }

        // Of a key's coordinate the highest bit is not read.
        Assert.InRange(good, 4_000, 4_100);
    }

    /// <summary>a B - b P, with P = k B: libsodium multiplies the base point by a - b k.</summary>
    [Fact]
    public void Ten_thousand_sums_of_two_multiples_equal_libsodiums()
    {
        var random = new SeededRandom(2);
        for (var i = 0; i < 10_000; i++)
        {
            var (a, b, k) = (Scalar(random), Scalar(random), Scalar(random));
            var sum = new byte[32];

            EdwardsVerification.Combine(a, b, EdwardsBase.Multiply(k)).Encode(sum);

            Assert.Equal(Sodium.BaseMultiple(Sodium.MultiplyAdd(Sodium.Negate(b), k, a)), sum);
        }
    }

    /// <summary>
    /// Which of the two a verification takes is up to the processor; each is called here by name. Few sums are quick enough to be
    /// asked about every mutant.
    /// </summary>
    [Theory]
    [InlineData(10)]
    [InlineData(10_000)]
    public void Sums_equal_libsodiums_with_and_without_vectors(int count)
    {
        var random = new SeededRandom(4);
        for (var i = 0; i < count; i++)
        {
            var (baseDigits, pointDigits, k) = (Digits(random, 64), Digits(random, 8), Scalar(random));
            var point = EdwardsBase.Multiply(k);
            var (sum, sumOfLanes) = (new byte[32], new byte[32]);
            var (a, b) = (Number(baseDigits), Number(pointDigits));
            var expected = Sodium.BaseMultiple(Sodium.MultiplyAdd(Sodium.Negate(b), k, a));

            EdwardsVerification.Combine(baseDigits, pointDigits, baseDigits.Length - 1, point).Encode(sum);
            Assert.Equal(expected, sum);
            if (Avx2.IsSupported)
            {
                EdwardsLanes.Combine(baseDigits, pointDigits, baseDigits.Length - 1, point).Encode(sumOfLanes);
                Assert.Equal(expected, sumOfLanes);
            }
        }
    }

    /// <summary>One in sixteen numbers is the coordinate of a point that is a multiple of the base point.</summary>
    [Fact]
    public void Ten_thousand_numbers_are_public_keys_exactly_if_libsodium_knows_their_points()
    {
        var random = new SeededRandom(3);
        var valid = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var key = random.Bytes(32);
            key[31] &= 0x7F;
            var expected = Sodium.IsPointOfPrimeOrder(Edwards(key, sign: 0));

            Assert.Equal(expected, XEdDsa.IsCanonical(key));
            valid += expected ? 1 : 0;
        }

        Assert.InRange(valid, 500, 750);
    }

    private static byte[] Scalar(SeededRandom random) => Sodium.Reduce(random.Bytes(64));

    /// <summary>y = (u - 1) / (u + 1), with the sign in the highest bit.</summary>
    private static byte[] Edwards(byte[] u, byte sign)
    {
        var number = new BigInteger([.. u.AsSpan(0, 31), (byte)(u[31] & 0x7F)], isUnsigned: true);
        var inverse = BigInteger.ModPow(number + 1, Prime - 2, Prime);
        var bytes = new byte[32];
        ((number - 1 + Prime) * inverse % Prime).TryWriteBytes(bytes, out _, isUnsigned: true);
        bytes[31] |= sign;
        return bytes;
    }

    /// <summary>Odd digits of either sign, each from 1 to 2 * entries - 1 away from zero, with zeros between them.</summary>
    private static sbyte[] Digits(SeededRandom random, int entries)
    {
        var digits = new sbyte[256];
        for (var at = random.Below(8); at < digits.Length; at += 1 + random.Below(12))
        {
            var magnitude = (2 * random.Below(entries)) + 1;
            digits[at] = (sbyte)(random.Below(2) == 0 ? magnitude : -magnitude);
        }

        return digits;
    }

    private static byte[] Number(sbyte[] digits)
    {
        var order = new BigInteger(Scalar25519.OrderBytes, isUnsigned: true);
        var number = BigInteger.Zero;
        for (var i = digits.Length - 1; i >= 0; i--)
        {
            number = (2 * number) + digits[i];
        }

        number = ((number % order) + order) % order;
        var bytes = new byte[32];
        number.TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }
}
