using SecureChat.Signal.Fingerprints;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Fingerprints;

public sealed class FingerprintTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Digits_and_code_equal_the_official_clients()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 10; i++)
        {
            var (alice, bob) = (Person.Of(random), Person.Of(random));
            var theirs = await OfficialAsync(alice, bob, 2);

            var ours = alice.With(bob);

            Assert.Equal(theirs.Display, ours.Display);
            Assert.Equal(theirs.Scannable, ours.Scannable());
            Assert.Equal(60, ours.Display.Length);
            Assert.Equal(ours.Display, bob.With(alice).Display);
        }
    }

    [Fact]
    public async Task The_official_clients_code_is_compared_three_ways()
    {
        var random = new SeededRandom(2);
        var (alice, bob, eve) = (Person.Of(random), Person.Of(random), Person.Of(random));
        var ours = alice.With(bob);

        Assert.Equal(FingerprintComparison.Match, ours.Compare((await OfficialAsync(bob, alice, 2)).Scannable));
        Assert.Equal(FingerprintComparison.Mismatch, ours.Compare((await OfficialAsync(bob, eve, 2)).Scannable));
        Assert.Equal(FingerprintComparison.Mismatch, ours.Compare((await OfficialAsync(eve, alice, 2)).Scannable));
        Assert.Equal(FingerprintComparison.VersionMismatch, ours.Compare((await OfficialAsync(bob, alice, 1)).Scannable));
    }

    [Fact]
    public async Task The_official_client_finds_our_code_equal()
    {
        var random = new SeededRandom(3);
        var (alice, bob) = (Person.Of(random), Person.Of(random));
        var left = (await OfficialAsync(bob, alice, 2)).Scannable;

        var compared = await peer.CallAsync("compareScannable", new { left, right = alice.With(bob).Scannable() }, Ct);

        Assert.True(compared.GetProperty("equal").GetBoolean());
    }

    [Fact]
    public void Ones_own_code_does_not_match_itself()
    {
        var random = new SeededRandom(4);
        var ours = Person.Of(random).With(Person.Of(random));

        Assert.Equal(FingerprintComparison.Mismatch, ours.Compare(ours.Scannable()));
    }

    [Fact]
    public void No_flipped_bit_of_a_code_still_matches()
    {
        var random = new SeededRandom(5);
        var (alice, bob) = (Person.Of(random), Person.Of(random));
        var ours = alice.With(bob);
        var code = bob.With(alice).Scannable();
        Assert.Equal(FingerprintComparison.Match, ours.Compare(code));

        for (var bit = 0; bit < code.Length * 8; bit++)
        {
            code[bit / 8] ^= (byte)(1 << (bit % 8));
            var compared = FingerprintComparison.Mismatch;
            var error = Record.Exception(() => compared = ours.Compare(code));

            Assert.True(error is null or SignalException, error?.ToString());
            Assert.NotEqual(FingerprintComparison.Match, compared);
            code[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("0802")]
    [InlineData("ff")]
    [InlineData("0802120a0a08000000000000000012")]
    public void What_is_no_code_is_refused(string hex)
    {
        var random = new SeededRandom(6);
        var ours = Person.Of(random).With(Person.Of(random));

        var refusal = Assert.Throws<SignalException>(() => ours.Compare(Convert.FromHexString(hex)));

        Assert.Equal(SignalError.InvalidMessage, refusal.Error);
    }

    private async Task<(string Display, byte[] Scannable)> OfficialAsync(Person local, Person remote, int version)
    {
        var made = await peer.CallAsync(
            "fingerprint",
            new
            {
                iterations = Fingerprint.Iterations,
                version,
                localId = local.Id,
                localKey = local.Key,
                remoteId = remote.Id,
                remoteKey = remote.Key,
            },
            Ct);
        return (made.GetProperty("display").GetString()!, made.Bytes("scannable"));
    }

    private sealed record Person(byte[] Id, byte[] Key)
    {
        public static Person Of(SeededRandom random)
        {
            using var key = PrivateKey.Generate(random);
            return new Person(random.Bytes(16), key.PublicKey.Serialize());
        }

        public Fingerprint With(Person other) => Fingerprint.Create(Id, Key, other.Id, other.Key);
    }
}
