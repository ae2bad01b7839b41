using SecureChat.Signal.Keys;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Keys;

public sealed class KyberTests
{
    private readonly SeededRandom _random = new(1024);

    [Fact]
    public void Both_sides_find_the_same_secret()
    {
        using var pair = KyberKeyPair.Generate(_random);

        var (secret, ciphertext) = pair.PublicKey.Encapsulate(_random);

        Assert.Equal(KyberPublicKey.CiphertextSize, ciphertext.Length);
        Assert.Equal(secret, pair.Decapsulate(ciphertext));
    }

    [Fact]
    public void A_damaged_ciphertext_gives_another_secret_and_no_error()
    {
        using var pair = KyberKeyPair.Generate(_random);
        var (secret, ciphertext) = pair.PublicKey.Encapsulate(_random);
        ciphertext[700] ^= 1;

        Assert.NotEqual(secret, pair.Decapsulate(ciphertext));
    }

    [Fact]
    public void A_stored_key_pair_is_the_same_after_reading()
    {
        using var pair = KyberKeyPair.Generate(_random);
        var (secret, ciphertext) = pair.PublicKey.Encapsulate(_random);

        using var read = KyberKeyPair.Parse(pair.SerializePrivateKey());

        Assert.Equal(pair.PublicKey, read.PublicKey);
        Assert.Equal(pair.PublicKey.GetHashCode(), read.PublicKey.GetHashCode());
        Assert.Equal(secret, read.Decapsulate(ciphertext));
    }

    [Theory]
    [InlineData(0, 0x07)]
    [InlineData(0, 0x0A)]
    public void A_key_of_another_kem_is_refused(int at, byte type)
    {
        using var pair = KyberKeyPair.Generate(_random);
        var publicKey = pair.PublicKey.Serialize();
        publicKey[at] = type;

        Assert.False(KyberPublicKey.TryParse(publicKey, out _));
        Assert.Equal(SignalError.InvalidKey, Assert.Throws<SignalException>(() => KyberPublicKey.Parse(publicKey)).Error);
    }

    [Fact]
    public void A_coefficient_at_or_above_the_modulus_is_refused()
    {
        using var pair = KyberKeyPair.Generate(_random);
        var low = pair.PublicKey.Serialize();
        var high = pair.PublicKey.Serialize();
        (low[1], low[2]) = (0x01, (byte)((low[2] & 0xF0) | 0x0D));
        (high[2], high[3]) = ((byte)((high[2] & 0x0F) | 0x10), 0xD0);

        Assert.False(KyberPublicKey.TryParse(low, out _));
        Assert.False(KyberPublicKey.TryParse(high, out _));
    }

    [Fact]
    public void A_damaged_private_key_is_refused()
    {
        using var pair = KyberKeyPair.Generate(_random);
        var damaged = pair.SerializePrivateKey();
        damaged[^40] ^= 1;

        Assert.Equal(SignalError.InvalidKey, Assert.Throws<SignalException>(() => KyberKeyPair.Parse(damaged)).Error);
        Assert.Throws<SignalException>(() => KyberKeyPair.Parse(damaged.AsSpan(1)));
    }

    [Fact]
    public void A_disposed_key_pair_gives_nothing_away()
    {
        var pair = KyberKeyPair.Generate(_random);
        pair.Dispose();

        Assert.Throws<ObjectDisposedException>(() => pair.SerializePrivateKey());
        Assert.DoesNotContain("08", pair.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stored_identity_is_the_same_after_reading_and_a_damaged_one_is_refused()
    {
        using var identity = new IdentityKeyPair(PrivateKey.Generate(_random));
        var stored = identity.Serialize();

        using var read = IdentityKeyPair.Parse(stored);

        Assert.Equal(identity.PublicKey, read.PublicKey);
        stored[10] ^= 1;
        Assert.Equal(SignalError.InvalidRecord, Assert.Throws<SignalException>(() => IdentityKeyPair.Parse(stored)).Error);
        Assert.Throws<SignalException>(() => IdentityKeyPair.Parse([1, 2, 3]));
        Assert.Equal(nameof(IdentityKeyPair), identity.ToString());
    }

    [Theory]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("0900000000000000000000000000000000000000000000000000000000000080")]
    public void A_key_written_in_a_second_way_is_refused(string raw) =>
        Assert.False(PublicKey.TryParse([5, .. Convert.FromHexString(raw)], out _));

    [Fact]
    public void The_largest_key_that_is_written_in_one_way_is_read() =>
        Assert.True(PublicKey.TryParse(
            [5, .. Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")], out _));
}
