using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Usernames;

public sealed class UsernameTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a.42")]
    [InlineData("_.12")]
    [InlineData("ab.01")]
    [InlineData("Carol_9.421")]
    [InlineData("zz_top_2000.18446744073709551615")]
    [InlineData("a23456789_b23456789_c23456789_d23456789_e2345678.99")]
    public async Task Hashes_equal_the_official_clients(string username)
    {
        var theirs = await peer.CallAsync("usernameHash", new { username }, Ct);

        Assert.Equal(theirs.Bytes("hash"), Username.Parse(username).Hash());
    }

    [Fact]
    public async Task A_hundred_random_names_hash_as_the_official_client_does()
    {
        var random = new SeededRandom(1);
        for (var i = 0; i < 100; i++)
        {
            var nickname = string.Concat(Enumerable.Range(0, random.Below(32))
                .Select(_ => "_abcXYZ0189"[random.Below(11)]));
            var username = $"n{nickname}.{10 + random.Below(1_000_000)}";
            var theirs = await peer.CallAsync("usernameHash", new { username }, Ct);

            Assert.Equal(theirs.Bytes("hash"), Username.Parse(username).Hash());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("ab")]
    [InlineData("ab.")]
    [InlineData(".12")]
    [InlineData("ab.1")]
    [InlineData("ab.0")]
    [InlineData("ab.00")]
    [InlineData("ab.001")]
    [InlineData("ab.012")]
    [InlineData("9ab.12")]
    [InlineData("a-b.12")]
    [InlineData("é.12")]
    [InlineData("ab.12.13")]
    [InlineData("ab.12 ")]
    [InlineData(" ab.12")]
    [InlineData("ab.+1")]
    [InlineData("ab.-1")]
    [InlineData("ab.18446744073709551616")]
    [InlineData("a23456789_b23456789_c23456789_d23456789_e23456789.99")]
    public async Task What_the_official_client_refuses_is_refused(string username)
    {
        await Assert.ThrowsAsync<LibsignalPeerException>(() => peer.CallAsync("usernameHash", new { username }, Ct));

        var refusal = Assert.Throws<SignalException>(() => Username.Parse(username));

        Assert.Equal(SignalError.InvalidUsername, refusal.Error);
    }

    [Theory]
    [InlineData("ab.12\0")]
    [InlineData("ab.1\0")]
    [InlineData("ab.12\0\0\0")]
    public void A_name_that_ends_in_NUL_characters_is_refused(string username)
    {
        Assert.False(Username.TryParse(username, out _));
    }

    [Fact]
    public void Capitals_are_kept_for_display_and_make_no_other_name()
    {
        var name = Username.Parse("Alice.42");

        Assert.Equal("Alice.42", name.ToString());
        Assert.Equal(Username.Parse("alice.42").Hash(), name.Hash());
    }

    [Theory]
    [InlineData("a.42")]
    [InlineData("Carol_9.421")]
    [InlineData("a23456789_b23456789_c23456789_d23456789_e23.123")]
    [InlineData("a23456789_b23456789_c23456789_d23456789_e2345678.99")]
    public async Task Links_open_on_both_sides(string username)
    {
        var ours = UsernameLink.Create(Username.Parse(username), new SeededRandom(2));
        var opened = await peer.CallAsync(
            "usernameFromLink", new { entropy = ours.Entropy, encryptedUsername = ours.EncryptedUsername }, Ct);
        var theirs = await peer.CallAsync("usernameLink", new { username }, Ct);

        Assert.Equal(username, opened.GetProperty("username").GetString());
        Assert.Equal(username, UsernameLink.Open(theirs.Bytes("entropy"), theirs.Bytes("encryptedUsername")).Text);
        Assert.Equal(theirs.Bytes("encryptedUsername").Length, ours.EncryptedUsername.Length);
    }

    [Fact]
    public void Every_flipped_bit_of_a_link_is_noticed()
    {
        var link = UsernameLink.Create(Username.Parse("alice.42"), new SeededRandom(3));
        byte[] whole = [.. link.Entropy.Span, .. link.EncryptedUsername.Span];
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            whole[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<SignalException>(() => UsernameLink.Open(whole.AsSpan(0, 32), whole.AsSpan(32)));
            whole[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_link_tells_neither_the_names_length_nor_its_key()
    {
        var shortest = UsernameLink.Create(Username.Parse("a.42"), new SeededRandom(4));
        var longest = UsernameLink.Create(Username.Parse($"{new string('a', 40)}.1234567"), new SeededRandom(5));

        Assert.Equal(UsernameLink.EncryptedSize, shortest.EncryptedUsername.Length);
        Assert.Equal(UsernameLink.EncryptedSize, longest.EncryptedUsername.Length);
        Assert.Equal(nameof(UsernameLink), shortest.ToString());
    }

    [Fact]
    public void A_name_too_long_for_a_link_is_refused()
    {
        var name = Username.Parse($"{new string('a', 48)}.18446744073709551615");

        var refusal = Assert.Throws<SignalException>(() => UsernameLink.Create(name, new SeededRandom(6)));

        Assert.Equal(SignalError.InvalidUsername, refusal.Error);
    }
}
