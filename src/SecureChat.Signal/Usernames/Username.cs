using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Signal.Usernames;

/// <summary>
/// A name by which people find an account without its owner giving away a phone number: a nickname, a dot and a number, as
/// in <c>alice.42</c>. A server sees its hash only. docs/protocol/usernames.md.
/// </summary>
public sealed class Username
{
    /// <summary>The most characters that a nickname may have.</summary>
    public const int MaxNicknameLength = 48;

    /// <summary>The size of a hash, in bytes.</summary>
    public const int HashSize = 32;

    private const string Alphabet = "_abcdefghijklmnopqrstuvwxyz0123456789";

    private static readonly RistrettoPoint Generator1 = RistrettoPoint.FromAffine(
        "b34bed2ee151d37b83b59dd396798f0dd7bddaa12c456d939a057c904851ec01",
        "8279b6432ec2631084ede64b0a50914507baa7892ad4f3b4e587cd3a8787d54d");

    private static readonly RistrettoPoint Generator2 = RistrettoPoint.FromAffine(
        "e0ec48c2ab3cbf2986d52ea30780c30ed326a98fd55be21ca202c795fbf68a39",
        "41372d643fcde13e0bcf2fc70e109c70c9bbb4045cccc7f1e7e0af0a28bfe661");

    private static readonly RistrettoPoint Generator3 = RistrettoPoint.FromAffine(
        "9070b8ed738a9e93dfae31a3befb5c755b0c6046ca4158c07903131423938f76",
        "ade2ff01945d661445fd5594b993d9491aec33c7eb5df01ae6915290aa7d0474");
    private Username(string text, string nickname, ulong discriminator) =>
        (Text, Nickname, Discriminator) = (text, nickname, discriminator);

    /// <summary>The name as it was written, capitals included.</summary>
    public string Text { get; }

    /// <summary>The part before the dot, as it was written.</summary>
    public string Nickname { get; }

    /// <summary>The number after the dot, which tells bearers of one nickname apart.</summary>
    public ulong Discriminator { get; }

    /// <summary>
    /// Reads a name: a nickname of up to <see cref="MaxNicknameLength"/> Latin letters, digits and underscores that does not
    /// begin with a digit, a dot, and a number above zero of at least two digits, with a leading zero only below ten.
    /// </summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidUsername"/>.</exception>
    public static Username Parse(string text) =>
        TryParse(text, out var username)
            ? username
            : throw new SignalException(SignalError.InvalidUsername, "Not a username: a nickname, a dot and a number.");

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    public static bool TryParse(
        string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Username? username)
    {
        ArgumentNullException.ThrowIfNull(text);
        username = null;
        var dot = text.LastIndexOf('.');
        if (dot is < 1 or > MaxNicknameLength || char.IsAsciiDigit(text[0]))
        {
            return false;
        }

        var number = text.AsSpan(dot + 1);
        if (text.AsSpan(0, dot).ContainsAnyExcept(NicknameCharacters)
            // TryParse passes over NUL characters at the end.
            || number.ContainsAnyExceptInRange('0', '9')
            || !ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var discriminator)
            || discriminator == 0
            || number.Length < 2
            || (number[0] == '0' && number.Length > 2))
        {
            return false;
        }

        username = new Username(text, text[..dot], discriminator);
        return true;
    }

    /// <summary>The 32 bytes under which a server knows the name. Capitals make no difference.</summary>
    /// <remarks>
    /// A server that holds the hash can try names until one fits: what this hides is a name that is hard to guess, from those
    /// who were never told it.
    /// </remarks>
    public byte[] Hash()
    {
        var nickname = NicknameInLowerCase();
        Span<byte> number = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(number, Discriminator);
        var digest = SHA512.HashData([.. Encoding.ASCII.GetBytes(nickname), 0, .. number]);
        var littleEndian = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(littleEndian, Discriminator);
        return RistrettoPoint.Sum(
            (digest, Generator1), (NicknameAsNumber(nickname), Generator2), (littleEndian, Generator3)).Encode();
    }

    /// <summary>The name as it was written.</summary>
    public override string ToString() => Text;

    private static System.Buffers.SearchValues<char> NicknameCharacters { get; } =
        System.Buffers.SearchValues.Create(Alphabet + "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

#pragma warning disable CA1308 // The hash is defined over the lower-case name.
    private string NicknameInLowerCase() => Nickname.ToLowerInvariant();
#pragma warning restore CA1308

    /// <summary>
    /// The nickname as a number below 2^250, little-endian: base 37, last character first, but base 27 for the first
    /// character, which is no digit.
    /// </summary>
    private static byte[] NicknameAsNumber(string nickname)
    {
        var number = new byte[32];
        for (var i = nickname.Length - 1; i >= 0; i--)
        {
            var carry = Alphabet.IndexOf(nickname[i], StringComparison.Ordinal) + 1;
            for (var at = 0; at < number.Length; at++)
            {
                carry += number[at] * (i > 0 ? Alphabet.Length : 27);
                number[at] = (byte)(carry & 0xFF);
                carry >>= 8;
            }
        }

        return number;
    }
}
