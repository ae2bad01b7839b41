using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using PhoneNumbers;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>A well-formed, normalised e-mail address or number: what a code is sent to. Never stored, never logged.</summary>
/// <remarks>Spec: docs/protocol/accounts.md#identifiers. A class, not a record: nothing prints it.</remarks>
internal sealed partial class Identifier
{
    private Identifier(IdentifierKind kind, string value) => (Kind, Value) = (kind, value);

    public IdentifierKind Kind { get; }

    /// <summary>Where to send: a lower-case address, or E.164 with the plus.</summary>
    public string Value { get; }

    /// <summary>The range that a number lies in: its first digits, of which at least 10,000 numbers begin alike. Null for an address.</summary>
    public string? Range => Kind is IdentifierKind.Phone ? Value[..Math.Min(MaxRangeLength, Value.Length - 4)] : null;

    /// <summary>Null unless exactly one of the two is given and well-formed.</summary>
    public static Identifier? Parse(string? email, string? phone) => (email, phone) switch
    {
        ({ Length: > 0 and <= MaxEmailLength }, null) => ParseEmail(email),
        (null, { Length: > 0 and <= 32 }) => ParsePhone(phone),
        _ => null,
    };

    /// <summary>The only form in which an identifier is kept: 32 bytes, worthless without the key.</summary>
    public byte[] Hash(Secrets secrets) => HMACSHA256.HashData(
        secrets.IdentifierKey, Encoding.UTF8.GetBytes($"{(Kind is IdentifierKind.Email ? "email" : "phone")}:{Value}"));

    private static Identifier? ParseEmail(string email)
    {
        var at = email.LastIndexOf('@');
        if (at < 1)
        {
            return null;
        }

        string domain;
        try
        {
            domain = new IdnMapping { UseStd3AsciiRules = true }.GetAscii(email[(at + 1)..]);
        }
        catch (ArgumentException)
        {
            return null;
        }

        var address = $"{email[..at]}@{domain}".ToLowerInvariant();
        return address.Length <= MaxEmailLength && EmailPattern().IsMatch(address) && !address.Contains("..", StringComparison.Ordinal)
            ? new(IdentifierKind.Email, address)
            : null;
    }

    private static Identifier? ParsePhone(string phone)
    {
        if (phone[0] is not '+')
        {
            return null;
        }

        try
        {
            var numbers = PhoneNumberUtil.GetInstance();
            var number = numbers.Parse(phone, null);
            return numbers.IsValidNumber(number)
                ? new(IdentifierKind.Phone, numbers.Format(number, PhoneNumberFormat.E164))
                : null;
        }
        catch (NumberParseException)
        {
            return null;
        }
    }

    // The form that HTML's e-mail fields accept.
    [GeneratedRegex(
        @"\A[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex EmailPattern();

    // With the plus: country code and the operator's block, as numbers are sold to whoever lives on calling them.
    private const int MaxRangeLength = 8;
    private const int MaxEmailLength = 254;
}

/// <summary>How a code reaches somebody.</summary>
internal enum IdentifierKind
{
    Email,
    Phone,
}
