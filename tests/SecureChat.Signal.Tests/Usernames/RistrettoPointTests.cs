using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;

namespace SecureChat.Signal.Tests.Usernames;

public sealed class RistrettoPointTests
{
    private static readonly RistrettoPoint Base = RistrettoPoint.FromAffine(
        "1ad5258f602d56c9b2a7259560c72c695cdcd6fd31e2a4c0fe536ecdd3366921",
        "5866666666666666666666666666666666666666666666666666666666666666");

    /// <summary>The encoding of the base point: RFC 9496, A.1.</summary>
    private static readonly byte[] EncodedBase =
        Convert.FromHexString("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76");

    [Fact]
    public void Ten_thousand_sums_of_multiples_equal_libsodiums()
    {
        var random = new SeededRandom(1);
        var (other, encodedOther) = (Base, EncodedBase);
        for (var i = 0; i < 10_000; i++)
        {
            var a = random.Bytes(i % 16 == 0 ? 64 : 32);
            var b = random.Bytes(i % 4 == 0 ? 8 : 32);
            if (i % 32 == 1)
            {
                a.AsSpan(random.Below(32)).Fill((byte)(i % 64 == 1 ? 0x00 : 0xFF));
            }

            var sum = RistrettoPoint.Sum((a, Base), (b, other));
            var expected = Sodium.RistrettoSum(Multiple(a, EncodedBase), Multiple(b, encodedOther));

            Assert.Equal(expected, sum.Encode());
            (other, encodedOther) = (sum, expected);
        }
    }

    private static byte[] Multiple(byte[] scalar, byte[] point)
    {
        var wide = new byte[64];
        scalar.CopyTo(wide, 0);
        return Sodium.RistrettoMultiple(Sodium.Reduce(wide), point);
    }
}
