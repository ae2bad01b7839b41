using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Sessions;

/// <summary>The plain part of a message: which chain it belongs to and where in it.</summary>
internal sealed record MessageHeader(PublicKey RatchetKey, uint Counter, uint PreviousCounter);

/// <summary>
/// A message of a session: the version byte 44, protobuf, and 8 bytes of a MAC over both and both identities.
/// docs/protocol/sessions.md#messages.
/// </summary>
/// <remarks>Fields that are not known here are passed over: the MAC vouches for them.</remarks>
public sealed class SignalMessage
{
    private const int MacSize = 8;

    private readonly byte[] _serialized;

    private SignalMessage(byte[] serialized, MessageHeader header) => (_serialized, Header) = (serialized, header);

    /// <summary>The sender's ratchet key.</summary>
    public PublicKey RatchetKey => Header.RatchetKey;

    /// <summary>The number of the message in its chain, from 0.</summary>
    public uint Counter => Header.Counter;

    internal MessageHeader Header { get; }

    internal ReadOnlyMemory<byte> Ciphertext { get; private init; }

    internal ReadOnlyMemory<byte> PostQuantum { get; private init; }

    /// <summary>Sender and recipient as 36 bytes, if the message binds them; else nothing.</summary>
    internal ReadOnlyMemory<byte> Addresses { get; private init; }

    internal ReadOnlySpan<byte> Serialized => _serialized;

    /// <summary>Reads a message. It is not authenticated by that.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.LegacyVersion"/>, <see cref="SignalError.UnknownVersion"/> or
    /// <see cref="SignalError.InvalidMessage"/>.
    /// </exception>
    public static SignalMessage Parse(ReadOnlySpan<byte> serialized)
    {
        MessageVersion.Require(serialized);
        if (serialized.Length < 1 + MacSize)
        {
            throw Malformed();
        }

        var bytes = serialized.ToArray();
        var reader = new ProtoReader(serialized[1..^MacSize]);
        PublicKey? ratchetKey = null;
        uint? counter = null;
        uint previousCounter = 0;
        byte[]? ciphertext = null;
        byte[] postQuantum = [];
        byte[] addresses = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case RatchetKeyField:
                    ratchetKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case CounterField:
                    counter = reader.UInt32();
                    break;
                case PreviousCounterField:
                    previousCounter = reader.UInt32();
                    break;
                case CiphertextField:
                    ciphertext = reader.Bytes().ToArray();
                    break;
                case PostQuantumField:
                    postQuantum = reader.Bytes().ToArray();
                    break;
                case AddressesField:
                    addresses = reader.Bytes().ToArray();
                    break;
            }
        }

        return reader.IsValid && ratchetKey is not null && counter is { } number && ciphertext is not null
            ? new SignalMessage(bytes, new MessageHeader(ratchetKey, number, previousCounter))
            {
                Ciphertext = ciphertext,
                PostQuantum = postQuantum,
                Addresses = addresses,
            }
            : throw Malformed();
    }

    /// <summary>The message as bytes.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <summary>Encrypts, writes and authenticates a message.</summary>
    /// <param name="identities">The sender's and the recipient's.</param>
    internal static SignalMessage Seal(
        MessageHeader header,
        MessageKeys keys,
        ReadOnlySpan<byte> plaintext,
        byte[] postQuantum,
        ReadOnlySpan<byte> addresses,
        (PublicKey Sender, PublicKey Recipient) identities)
    {
        var ciphertext = keys.Encrypt(plaintext);
        var writer = new ProtoWriter()
            .Bytes(RatchetKeyField, header.RatchetKey.Serialized)
            .UInt(CounterField, header.Counter)
            .UInt(PreviousCounterField, header.PreviousCounter)
            .Bytes(CiphertextField, ciphertext)
            .Bytes(PostQuantumField, postQuantum);
        if (!addresses.IsEmpty)
        {
            writer.Bytes(AddressesField, addresses);
        }

        byte[] body = [MessageVersion.Current, .. writer.Written];
        Span<byte> mac = stackalloc byte[MacSize];
        Mac(keys.Mac, identities, body, mac);
        return new SignalMessage([.. body, .. mac], header)
        {
            Ciphertext = ciphertext,
            PostQuantum = postQuantum,
            Addresses = addresses.ToArray(),
        };
    }

    /// <summary>Whether the message was made with this key, from this identity to that one.</summary>
    internal bool VerifyMac(ReadOnlySpan<byte> macKey, PublicKey sender, PublicKey recipient)
    {
        Span<byte> mac = stackalloc byte[MacSize];
        Mac(macKey, (sender, recipient), _serialized.AsSpan(..^MacSize), mac);
        return CryptographicOperations.FixedTimeEquals(mac, _serialized.AsSpan(^MacSize..));
    }

    private static void Mac(
        ReadOnlySpan<byte> key, (PublicKey Sender, PublicKey Recipient) identities, ReadOnlySpan<byte> body, Span<byte> mac)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(identities.Sender.Serialized);
        hmac.AppendData(identities.Recipient.Serialized);
        hmac.AppendData(body);
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        hmac.GetHashAndReset(whole);
        whole[..MacSize].CopyTo(mac);
    }

    private static SignalException Malformed() => new(SignalError.InvalidMessage, "The message is malformed.");

    private const int RatchetKeyField = 1;
    private const int CounterField = 2;
    private const int PreviousCounterField = 3;
    private const int CiphertextField = 4;
    private const int PostQuantumField = 5;
    private const int AddressesField = 6;
}
