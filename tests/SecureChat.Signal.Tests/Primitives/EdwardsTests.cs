using System.Numerics;
using System.Security.Cryptography;
using Org.BouncyCastle.Math.EC.Rfc8032;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Primitives;

public sealed class EdwardsTests
{
    private static readonly BigInteger Order =
        BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", null);

    [Fact]
    public void Ten_thousand_multiples_of_the_base_point_equal_libsodiums()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 10_000; i++)
        {
            var scalar = random.Bytes(32);
            scalar[31] &= 0x7F;

            Assert.Equal(Sodium.BaseMultiple(scalar), BaseMultiple(scalar));
        }
    }

    [Fact]
    public void Public_keys_of_Ed25519_equal_the_librarys()
    {
        var random = new SeededRandom(2);
        for (var i = 0; i < 200; i++)
        {
            var seed = random.Bytes(32);
            var expected = new byte[32];
            Ed25519.GeneratePublicKey(seed, 0, expected, 0);
            var scalar = SHA512.HashData(seed)[..32];
            scalar[0] &= 0xF8;
            scalar[31] = (byte)((scalar[31] & 0x7F) | 0x40);

            Assert.Equal(expected, BaseMultiple(scalar));
        }
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0800000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("8888888888888888888888888888888888888888888888888888888888888878")]
    [InlineData("7777777777777777777777777777777777777777777777777777777777777777")]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")]
    [InlineData("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")]
    public void Multiples_at_the_edges_of_the_digits_are_right(string hex)
    {
        var scalar = Convert.FromHexString(hex);
        var reduced = ToBytes(Number(scalar) % Order);
        var neutral = reduced.All(b => b == 0);

        var expected = neutral
            ? Convert.FromHexString("01".PadRight(64, '0'))
            : Sodium.BaseMultiple(reduced);

        Assert.Equal(expected, BaseMultiple(scalar));
    }

    [Fact]
    public void Ten_thousand_reductions_and_products_modulo_the_order_are_right()
    {
        var random = new SeededRandom(3);
        for (var i = 0; i < 10_000; i++)
        {
            var wide = random.Bytes(64);
            if (i % 16 == 0)
            {
                wide.AsSpan(random.Below(64)).Fill((byte)(i % 32 == 0 ? 0x00 : 0xFF));
            }

            var reduced = new byte[32];
            Scalar25519.Reduce(wide, reduced);
            var (a, b, c) = (random.Bytes(32), reduced, Sodium.Reduce(random.Bytes(64)));
            var result = new byte[32];
            Scalar25519.MultiplyAdd(a, b, c, result);

            Assert.Equal(Sodium.Reduce(wide), reduced);
            Assert.Equal(ToBytes(((Number(a) * Number(b)) + Number(c)) % Order), result);
            Assert.Equal(Sodium.MultiplyAdd(a, b, c), result);
        }
    }

    [Fact]
    public void Numbers_next_to_multiples_of_the_order_are_reduced_rightly()
    {
        foreach (var factor in new[] { 0, 1, 2, 3, 7, 1 << 20 })
        {
            foreach (var offset in new[] { -1, 0, 1 })
            {
                var number = (factor * Order * BigInteger.Pow(2, 230)) + (factor * Order) + offset;
                if (number < 0)
                {
                    continue;
                }

                var wide = new byte[64];
                number.TryWriteBytes(wide, out _, isUnsigned: true);
                var reduced = new byte[32];
                Scalar25519.Reduce(wide, reduced);

                Assert.Equal(ToBytes(number % Order), reduced);
            }
        }
    }

    private static byte[] BaseMultiple(byte[] scalar)
    {
        var encoded = new byte[32];
        EdwardsBase.Multiply(scalar).Encode(encoded);
        return encoded;
    }

    private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true);

    private static byte[] ToBytes(BigInteger number)
    {
        var bytes = new byte[32];
        number.TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }
}
