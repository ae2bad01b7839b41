using System.Diagnostics.CodeAnalysis;

namespace SecureChat.Signal.Addresses;

/// <summary>Which of the two identities of an account an id belongs to; the numbers are those on the wire.</summary>
public enum ServiceIdKind
{
    /// <summary>The account itself.</summary>
    Account = 0,

    /// <summary>The identity behind a phone number.</summary>
    PhoneNumber = 1,
}

/// <summary>An account as the protocol names it: a random UUID and its kind.</summary>
/// <param name="Kind">Which identity of the account.</param>
/// <param name="Uuid">The id.</param>
public readonly record struct ServiceId(ServiceIdKind Kind, Guid Uuid)
{
    /// <summary>Size of the binary form: the kind and 16 bytes in network order.</summary>
    public const int BinarySize = 17;

    private const string PhoneNumberPrefix = "PNI:";

    /// <summary>The id of an account.</summary>
    public static ServiceId OfAccount(Guid uuid) => new(ServiceIdKind.Account, uuid);

    /// <summary>Reads the text form: a UUID with hyphens, after <c>PNI:</c> for the identity behind a phone number.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ServiceId id)
    {
        var isPhoneNumber = text?.StartsWith(PhoneNumberPrefix, StringComparison.Ordinal) == true;
        var kind = isPhoneNumber ? ServiceIdKind.PhoneNumber : ServiceIdKind.Account;
        var uuid = isPhoneNumber ? text![PhoneNumberPrefix.Length..] : text;

        // TryParseExact also takes signs and 0x inside a group: one account would have several names.
        var parsed = Guid.TryParseExact(uuid, "D", out var value)
            && string.Equals(value.ToString("D"), uuid, StringComparison.OrdinalIgnoreCase);
        id = parsed ? new ServiceId(kind, value) : default;
        return parsed;
    }

    /// <summary>Reads the binary form.</summary>
    public static bool TryParse(ReadOnlySpan<byte> binary, out ServiceId id)
    {
        var valid = binary.Length == BinarySize && binary[0] <= (byte)ServiceIdKind.PhoneNumber;
        id = valid ? new ServiceId((ServiceIdKind)binary[0], new Guid(binary[1..], bigEndian: true)) : default;
        return valid;
    }

    /// <summary>The binary form: <see cref="BinarySize"/> bytes.</summary>
    public byte[] ToBinary() => [(byte)Kind, .. Uuid.ToByteArray(bigEndian: true)];

    /// <summary>The text form.</summary>
    public override string ToString() =>
        Kind == ServiceIdKind.PhoneNumber ? PhoneNumberPrefix + Uuid.ToString("D") : Uuid.ToString("D");
}
