using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;

namespace SecureChat.Signal.Tests.Usernames;

/// <summary>The first name that is refused next to the last that is taken.</summary>
public sealed class UsernameBoundaryTests
{
    [Theory]
    [InlineData("a.01", true)]
    [InlineData("a.10", true)]
    [InlineData("a.1", false)]
    [InlineData("a.00", false)]
    [InlineData("a.010", false)]
    [InlineData("a.18446744073709551615", true)]
    [InlineData("a.18446744073709551616", false)]
    [InlineData(".42", false)]
    [InlineData("42", false)]
    [InlineData("0a.42", false)]
    [InlineData("9a.42", false)]
    [InlineData("a9.42", true)]
    [InlineData("a b.42", false)]
    [InlineData("a.b.42", false)]
    public void A_number_has_two_digits_and_a_nickname_begins_with_no_digit(string text, bool valid) =>
        Assert.Equal(valid, Username.TryParse(text, out _));

    [Fact]
    public void A_nickname_has_48_characters_at_most()
    {
        Assert.True(Username.TryParse($"{new string('a', 48)}.42", out _));
        Assert.False(Username.TryParse($"{new string('a', 49)}.42", out _));
    }

    [Fact]
    public void A_name_comes_apart_into_nickname_and_number()
    {
        var name = Username.Parse("Alice_1.42");

        Assert.Equal(("Alice_1", 42ul), (name.Nickname, name.Discriminator));
    }

    [Fact]
    public void The_longest_name_that_fits_a_link_opens_and_one_longer_is_refused()
    {
        var longest = Username.Parse($"{new string('a', 48)}.123456789012");
        var longer = Username.Parse($"{new string('a', 48)}.1234567890123");

        var link = UsernameLink.Create(longest, new SeededRandom(51));

        Assert.Equal(UsernameLink.EncryptedSize, link.EncryptedUsername.Length);
        Assert.Equal(longest.Text, UsernameLink.Open(link.Entropy.Span, link.EncryptedUsername.Span).Text);
        Assert.Equal(SignalError.InvalidUsername, Refusal(() => UsernameLink.Create(longer, new SeededRandom(51))));
    }

    [Fact]
    public void A_link_of_another_size_leads_to_no_name()
    {
        var link = UsernameLink.Create(Username.Parse("alice.42"), new SeededRandom(52));
        var (key, name) = (link.Entropy.ToArray(), link.EncryptedUsername.ToArray());

        Assert.Equal("alice.42", UsernameLink.Open(key, name).Text);
        foreach (var other in new byte[][] { [], key[1..], [.. key, 0] })
        {
            Assert.Equal(SignalError.InvalidUsername, Refusal(() => UsernameLink.Open(other, name)));
        }

        foreach (var other in new byte[][] { [], name[..31], name[1..], [.. name, 0] })
        {
            Assert.Equal(SignalError.InvalidUsername, Refusal(() => UsernameLink.Open(key, other)));
        }
    }

    [Fact]
    public void A_link_is_made_again_under_its_key_and_under_no_key_of_another_size()
    {
        var link = UsernameLink.Create(Username.Parse("alice.42"), new SeededRandom(53));

        var again = UsernameLink.Create(Username.Parse("Alice.42"), link.Entropy.Span, new SeededRandom(54));

        Assert.Equal(link.Entropy.ToArray(), again.Entropy.ToArray());
        Assert.NotEqual(link.EncryptedUsername.ToArray(), again.EncryptedUsername.ToArray());
        Assert.Equal("Alice.42", UsernameLink.Open(link.Entropy.Span, again.EncryptedUsername.Span).Text);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => UsernameLink.Create(Username.Parse("alice.42"), new byte[31], new SeededRandom(55)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0a")]
    [InlineData("0a00")]
    [InlineData("0a04612e3432ff", "a.42")]
    [InlineData("0a04612e3432", "a.42")]
    [InlineData("0a04612e34")]
    [InlineData("0aff612e3432")]
    [InlineData("1204612e3432")]
    [InlineData("0a04612d3432")]
    public void A_name_inside_a_link_has_its_field_and_its_length(string hex, string? name = null)
    {
        var plaintext = Convert.FromHexString(hex);
        if (name is null)
        {
            Assert.Equal(SignalError.InvalidUsername, Refusal(() => UsernameLink.NameIn(plaintext)));
            return;
        }

        Assert.Equal(name, UsernameLink.NameIn(plaintext).Text);
    }

    private static SignalError Refusal(Action action) => Assert.Throws<SignalException>(action).Error;
}
