using SecureChat.Signal.Keys;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Keys;

public sealed class KeyTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>RFC 7748, 6.1.</summary>
    [Fact]
    public void Agreement_gives_the_vector_of_the_RFC()
    {
        using var bob = PrivateKey.Parse(Convert.FromHexString(
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        var alice = PublicKey.Parse(Convert.FromHexString(
            "058520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));

        Assert.Equal(
            "05de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            Convert.ToHexStringLower(bob.PublicKey.Serialize()));
        Assert.Equal(
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
            Convert.ToHexStringLower(bob.Agree(alice)));
    }

    [Fact]
    public async Task Signatures_are_accepted_both_ways_and_secrets_agree()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 100; i++)
        {
            using var ours = PrivateKey.Generate(random);
            var made = await peer.CallAsync("genKey", new { }, Ct);
            var (theirPrivate, theirPublic) = (made.Bytes("privateKey"), PublicKey.Parse(made.Bytes("publicKey")));
            var message = random.Bytes(i);
            var publicKey = ours.PublicKey.Serialize();

            var signed = await peer.CallAsync("sign", new { privateKey = theirPrivate, message }, Ct);
            var verified = await peer.CallAsync(
                "verify", new { publicKey, message, signature = ours.Sign(message, random) }, Ct);
            var agreed = await peer.CallAsync("agree", new { privateKey = theirPrivate, publicKey }, Ct);

            Assert.True(theirPublic.Verify(message, signed.Bytes("signature")));
            Assert.True(verified.GetProperty("valid").GetBoolean());
            Assert.Equal(agreed.Bytes("secret"), ours.Agree(theirPublic));
        }
    }

    [Fact]
    public void Every_flipped_bit_of_a_signature_a_message_or_a_key_is_noticed()
    {
        var random = new SeededRandom(2);
        using var key = PrivateKey.Generate(random);
        var message = random.Bytes(20);
        var signature = key.Sign(message, random);
        Assert.True(key.PublicKey.Verify(message, signature));

        foreach (var changed in Flips(signature))
        {
            Assert.False(key.PublicKey.Verify(message, changed));
        }

        foreach (var changed in Flips(message))
        {
            Assert.False(key.PublicKey.Verify(changed, signature));
        }

        foreach (var changed in Flips(key.PublicKey.Serialize()))
        {
            Assert.False(PublicKey.TryParse(changed, out var other) && other.Verify(message, signature));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("05")]
    [InlineData("0500000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("050000000000000000000000000000000000000000000000000000000000000000" + "00")]
    [InlineData("060900000000000000000000000000000000000000000000000000000000000000")]
    public void What_is_not_a_public_key_is_refused(string hex)
    {
        var refusal = Assert.Throws<SignalException>(() => PublicKey.Parse(Convert.FromHexString(hex)));

        Assert.Equal(SignalError.InvalidKey, refusal.Error);
    }

    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public void A_key_of_low_order_agrees_on_nothing_and_is_not_canonical(string hex)
    {
        using var ours = PrivateKey.Generate(new SeededRandom(3));
        var low = LowOrder.Key(hex);

        var refusal = Assert.Throws<SignalException>(() => ours.Agree(low));

        Assert.Equal(SignalError.InvalidKey, refusal.Error);
        Assert.False(low.IsCanonical());
    }

    [Fact]
    public void Only_the_canonical_form_of_an_honest_key_is_canonical()
    {
        var random = new SeededRandom(4);
        for (var i = 0; i < 50; i++)
        {
            using var key = PrivateKey.Generate(random);
            var bytes = key.PublicKey.Raw.ToArray();
            Assert.True(key.PublicKey.IsCanonical());

            bytes[^1] |= 0x80;

            Assert.False(PublicKey.FromRaw(bytes).IsCanonical());
        }
    }

    [Fact]
    public void A_key_off_the_prime_order_group_is_not_canonical()
    {
        // u = 9 is of prime order; the u of a point of order 2 added to it is 1/9.
        var mixed = Convert.FromHexString("05" + "12c7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711c47");

        Assert.False(PublicKey.Parse(mixed).IsCanonical());
    }

    [Fact]
    public void A_disposed_key_is_gone_and_none_is_ever_printed()
    {
        var key = PrivateKey.Generate(new SeededRandom(5));
        var hex = Convert.ToHexStringLower(key.Serialize());
        Assert.DoesNotContain(hex[..8], key.ToString(), StringComparison.OrdinalIgnoreCase);

        key.Dispose();

        Assert.Throws<ObjectDisposedException>(key.Serialize);
        Assert.Throws<ObjectDisposedException>(() => key.Sign([1], new SeededRandom(1)));
    }

    private static IEnumerable<byte[]> Flips(byte[] bytes)
    {
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            byte[] changed = [.. bytes];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            yield return changed;
        }
    }
}
