using System.Text;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Usernames;

namespace SecureChat.Fuzz.Targets;

/// <summary>Names and links as people enter them, and service ids.</summary>
internal static class UsernameTarget
{
    private static readonly byte[] Entropy = Cast.Chance(9).Bytes(32);

    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Name, Link, InsideLink, TextId, BinaryId);

    private static void Name(ReadOnlySpan<byte> input)
    {
        var username = Username.Parse(Encoding.UTF8.GetString(input));
        var rebuilt = Username.Parse($"{username.Nickname}.{username.Discriminator:D2}");
        Oracle.Require(rebuilt.Text == username.Text, "A name has two forms.");
        Oracle.Require(username.Hash().AsSpan().SequenceEqual(rebuilt.Hash()), "A name has two hashes.");
        var link = UsernameLink.Create(username, Entropy, Cast.Chance(2));
        Oracle.Require(UsernameLink.Open(Entropy, link.EncryptedUsername.Span).Text == username.Text, "A link leads elsewhere.");
    }

    private static void Link(ReadOnlySpan<byte> input)
    {
        var rest = input;
        UsernameLink.Open(FuzzTargets.Part(ref rest), rest);
    }

    private static void InsideLink(ReadOnlySpan<byte> input) => UsernameLink.NameIn(input.ToArray());

    private static void TextId(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        Oracle.Require(
            !ServiceId.TryParse(text, out var id) || string.Equals(id.ToString(), text, StringComparison.OrdinalIgnoreCase),
            "An id reads as another.");
    }

    private static void BinaryId(ReadOnlySpan<byte> input) => Oracle.Require(
        !ServiceId.TryParse(input, out var id) || id.ToBinary().AsSpan().SequenceEqual(input), "An id reads as another.");
}
