using SecureChat.Client.Backups;

namespace SecureChat.Client.Tests.Backups;

/// <summary>What people write down and type in again.</summary>
public sealed class RecoveryKeyTests
{
    [Fact]
    public void A_key_comes_back_from_paper_in_any_case_and_spacing()
    {
        using var key = RecoveryKey.Generate();
        var text = key.Reveal();

        using var typed = RecoveryKey.Parse($"  {text.ToLowerInvariant().Replace('-', ' ')} ");
        using var misread = RecoveryKey.Parse(text.Replace('0', 'o').Replace('1', 'l'));

        Assert.Matches("^([0-9A-HJKMNP-TV-Z]{5}-){10}[0-9A-HJKMNP-TV-Z]{5}$", text);
        Assert.Equal((text, text), (typed.Reveal(), misread.Reveal()));
        Assert.Equal(key.Secret, typed.Secret);
        Assert.DoesNotContain(text[..5], key.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mistyped_letter_or_two_letters_in_the_wrong_order_are_noticed()
    {
        using var key = RecoveryKey.Generate();
        var text = key.Reveal().Replace("-", "", StringComparison.Ordinal);

        for (var at = 0; at < text.Length; at++)
        {
            var other = text[at] == 'A' ? 'B' : 'A';
            Assert.Throws<FormatException>(() => RecoveryKey.Parse(text[..at] + other + text[(at + 1)..]));
        }

        for (var at = 0; at + 1 < text.Length; at++)
        {
            if (text[at] != text[at + 1])
            {
                Assert.Throws<FormatException>(() => RecoveryKey.Parse(text[..at] + text[at + 1] + text[at] + text[(at + 2)..]));
            }
        }

        Assert.Throws<FormatException>(() => RecoveryKey.Parse(text[1..]));
        Assert.Throws<FormatException>(() => RecoveryKey.Parse(text + "0"));
        Assert.Throws<FormatException>(() => RecoveryKey.Parse("U" + text[1..]));
    }

    [Fact]
    public void With_a_passphrase_the_key_alone_opens_nothing()
    {
        using var key = RecoveryKey.Generate();

        using var one = key.WithPassphrase("correct horse");
        using var same = key.WithPassphrase("correct horse");
        using var other = key.WithPassphrase("wrong horse");

        Assert.Equal(one.Secret, same.Secret);
        Assert.NotEqual(one.Secret, other.Secret);
        Assert.NotEqual(one.Secret, key.Secret);
        Assert.Equal(key.Reveal(), one.Reveal());
    }
}
