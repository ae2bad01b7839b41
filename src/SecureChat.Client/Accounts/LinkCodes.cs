using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Accounts;

/// <summary>
/// What a device shows that wants to be linked: where it can be reached, and a key that is good for this once. It is no secret: who
/// photographs it can answer, but not with the number that both screens must show. Spec: docs/protocol/device-lists.md#linking.
/// </summary>
internal sealed record LinkOffer(byte[] First, byte[] Second, PublicKey Key, int RegistrationId)
{
    public const int NonceSize = 32;

    private const string Scheme = "securechat-link:";
    private const byte Version = 1;
    private const int AddressSize = 16;
    private const int KeySize = 33;
    private const int Size = 1 + (2 * AddressSize) + KeySize + sizeof(ushort);

    private static ReadOnlySpan<byte> Purpose => "secureChat link number v1"u8;

    private byte[] Bytes
    {
        get
        {
            var registration = new byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16BigEndian(registration, (ushort)RegistrationId);
            return [Version, .. First, .. Second, .. Key.Serialize(), .. registration];
        }
    }

    /// <summary>The number that both screens show, as two groups of three digits.</summary>
    public string NumberFor(ReadOnlySpan<byte> nonce)
    {
        var hash = SHA256.HashData([.. Purpose, .. Bytes, .. nonce]);
        var number = BinaryPrimitives.ReadUInt64BigEndian(hash) % 1_000_000;
        return string.Create(CultureInfo.InvariantCulture, $"{number / 1000:000} {number % 1000:000}");
    }

    /// <summary>The code, for a QR picture or to be pasted.</summary>
    public override string ToString() => Scheme + Base64Url.EncodeToString(Bytes);

    public static bool TryParse(string code, [NotNullWhen(true)] out LinkOffer? offer)
    {
        offer = null;
        var text = code.Trim();
        var bytes = new byte[Size];
        if (!text.StartsWith(Scheme, StringComparison.Ordinal) || text.Length - Scheme.Length != Base64Url.GetEncodedLength(Size)
            || !Base64Url.TryDecodeFromChars(text.AsSpan(Scheme.Length), bytes, out var written) || written != Size || bytes[0] != Version)
        {
            return false;
        }

        var keyAt = 1 + (2 * AddressSize);
        try
        {
            offer = new LinkOffer(
                bytes[1..(1 + AddressSize)], bytes[(1 + AddressSize)..keyAt], PublicKey.Parse(bytes.AsSpan(keyAt, KeySize)),
                BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(keyAt + KeySize)));
            return true;
        }
        catch (SignalException)
        {
            return false;
        }
    }
}

/// <summary>Linking came to nothing: too late, refused, or somebody else answered.</summary>
#pragma warning disable CA1032 // One without a reason does not exist.
public sealed class LinkFailedException(string message, Exception? inner = null) : Exception(message, inner);
#pragma warning restore CA1032
