using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using SecureChat.Signal.Fingerprints;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Fingerprints;

/// <summary>What docs/protocol/fingerprints.md says, hashed step by step with the platform's SHA-512.</summary>
public sealed class FingerprintSpecificationTests
{
    private readonly SeededRandom _random = new(31);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5200)]
    public void Digits_and_code_are_those_of_the_hash_repeated(int iterations)
    {
        var (alice, bob) = (Person(), Person());
        var (first, second) = (Repeated(alice, iterations), Repeated(bob, iterations));
        string[] digits = [Digits(first), Digits(second)];
        Array.Sort(digits, StringComparer.Ordinal);

        var ours = Fingerprint.Create(iterations, 2, alice.Id, alice.Key, bob.Id, bob.Key);
        var theirs = Fingerprint.Create(iterations, 2, bob.Id, bob.Key, alice.Id, alice.Key);

        Assert.Equal(string.Concat(digits), ours.Display);
        Assert.Equal(ours.Display, theirs.Display);
        Assert.Equal(ScannableFingerprint.Serialize(2, first.AsSpan(0, 32), second.AsSpan(0, 32)), ours.Scannable());
    }

    [Fact]
    public void The_public_fingerprint_has_version_2_and_5200_iterations()
    {
        var (alice, bob) = (Person(), Person());

        var ours = Fingerprint.Create(alice.Id, alice.Key, bob.Id, bob.Key);

        Assert.Equal(Fingerprint.Create(5200, 2, alice.Id, alice.Key, bob.Id, bob.Key).Scannable(), ours.Scannable());
    }

    [Fact]
    public void One_side_that_matches_is_not_enough_and_another_version_is_said_to_be_one()
    {
        var (alice, bob, eve) = (Person(), Person(), Person());
        var ours = With(alice, bob);

        Assert.Equal(FingerprintComparison.Match, ours.Compare(With(bob, alice).Scannable()));
        Assert.Equal(FingerprintComparison.Mismatch, ours.Compare(With(bob, eve).Scannable()));
        Assert.Equal(FingerprintComparison.Mismatch, ours.Compare(With(eve, alice).Scannable()));
        Assert.Equal(FingerprintComparison.VersionMismatch, ours.Compare(With(bob, alice, 1).Scannable()));
        Assert.Equal(FingerprintComparison.VersionMismatch, ours.Compare(With(bob, alice, 3).Scannable()));
    }

    [Fact]
    public void A_code_without_one_of_its_parts_or_with_one_of_another_size_is_refused()
    {
        var half = new ProtoWriter().Bytes(1, new byte[32]).ToArray();
        var shorter = new ProtoWriter().Bytes(1, new byte[31]).ToArray();
        var longer = new ProtoWriter().Bytes(1, new byte[33]).ToArray();
        byte[] cut = [.. half, 0x0A];
        var elsewhere = new ProtoWriter().Bytes(2, new byte[32]).ToArray();
        var whole = new ProtoWriter().UInt(1, 2).Bytes(2, half).Bytes(3, half).ToArray();
        Assert.Equal(2u, ScannableFingerprint.Parse(whole).Version);

        AssertRefused([.. whole, 0x0A]);
        AssertRefused(new ProtoWriter().Bytes(2, half).Bytes(3, half).ToArray());
        AssertRefused(new ProtoWriter().UInt(1, 2).Bytes(2, half).ToArray());
        AssertRefused(new ProtoWriter().UInt(1, 2).Bytes(3, half).ToArray());
        foreach (var wrong in new[] { shorter, longer, cut, elsewhere })
        {
            AssertRefused(new ProtoWriter().UInt(1, 2).Bytes(2, wrong).Bytes(3, half).ToArray());
            AssertRefused(new ProtoWriter().UInt(1, 2).Bytes(2, half).Bytes(3, wrong).ToArray());
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(34)]
    public void A_key_of_another_size_makes_no_fingerprint(int size)
    {
        var (alice, bob) = (Person(), Person());

        Assert.Throws<ArgumentOutOfRangeException>(() => Fingerprint.Create(alice.Id, new byte[size], bob.Id, bob.Key));
        Assert.Throws<ArgumentOutOfRangeException>(() => Fingerprint.Create(alice.Id, alice.Key, bob.Id, new byte[size]));
    }

    private static void AssertRefused(byte[] code) => Assert.Equal(
        SignalError.InvalidMessage, Assert.Throws<SignalException>(() => ScannableFingerprint.Parse(code)).Error);

    private static Fingerprint With((byte[] Id, byte[] Key) local, (byte[] Id, byte[] Key) remote, int version = 2) =>
        Fingerprint.Create(2, version, local.Id, local.Key, remote.Id, remote.Key);

    private static byte[] Repeated((byte[] Id, byte[] Key) person, int iterations)
    {
        var hash = SHA512.HashData([0, 0, .. person.Key, .. person.Id, .. person.Key]);
        for (var i = 1; i < iterations; i++)
        {
            hash = SHA512.HashData([.. hash, .. person.Key]);
        }

        return hash;
    }

    private static string Digits(byte[] hash) => string.Concat(hash.Take(30).Chunk(5).Select(group =>
        (new BigInteger(group, isUnsigned: true, isBigEndian: true) % 100_000).ToString("D5", CultureInfo.InvariantCulture)));

    private (byte[] Id, byte[] Key) Person() => (_random.Bytes(16), _random.Bytes(33));
}
