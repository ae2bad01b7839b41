using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Sessions;

/// <summary>What a responder needs to find the session's first keys. Plain, and the same in every message that has it.</summary>
internal sealed record HandshakeHeader(
    uint? PreKeyId,
    PublicKey BaseKey,
    PublicKey IdentityKey,
    uint RegistrationId,
    uint SignedPreKeyId,
    uint KyberPreKeyId,
    byte[] KyberCiphertext)
{
    /// <summary>SHA-256 of all of it, by which a later message of the same session is compared.</summary>
    public byte[] Hash()
    {
        var writer = new ProtoWriter();
        PreKeySignalMessage.WriteBeforeMessage(writer, this);
        PreKeySignalMessage.WriteAfterMessage(writer, this);
        return SHA256.HashData(writer.Written);
    }
}

/// <summary>
/// A message that can open a session: the version byte 44, and protobuf with the handshake around a
/// <see cref="SignalMessage"/>. docs/protocol/sessions.md#messages.
/// </summary>
/// <remarks>
/// There is no MAC around it, so only the one way of writing it is read: no field may be unknown, twice, out of order or
/// written longer than needed. What is in it proves itself by the secret that follows from it, except the registration id.
/// </remarks>
public sealed class PreKeySignalMessage
{
    internal PreKeySignalMessage(HandshakeHeader header, SignalMessage message) => (Header, Message) = (header, message);

    /// <summary>The sender's identity key, which is proved when the message is decrypted.</summary>
    public PublicKey IdentityKey => Header.IdentityKey;

    /// <summary>The sender's registration id. Nothing in the protocol proves it.</summary>
    public uint RegistrationId => Header.RegistrationId;

    /// <summary>The one-time prekey that is used, if one is.</summary>
    public uint? PreKeyId => Header.PreKeyId;

    /// <summary>The message of the session.</summary>
    public SignalMessage Message { get; }

    internal HandshakeHeader Header { get; }

    /// <summary>Reads a message. It is not authenticated by that.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.LegacyVersion"/>, <see cref="SignalError.UnknownVersion"/> or
    /// <see cref="SignalError.InvalidMessage"/>.
    /// </exception>
    public static PreKeySignalMessage Parse(ReadOnlySpan<byte> serialized)
    {
        MessageVersion.Require(serialized);
        var reader = new ProtoReader(serialized[1..]);
        var fields = new Fields();
        while (reader.Next())
        {
            fields.Take(ref reader);
        }

        var parsed = reader.IsValid ? fields.Build() : null;
        return parsed is not null && serialized.SequenceEqual(parsed.Serialize())
            ? parsed
            : throw new SignalException(SignalError.InvalidMessage, "The message is malformed.");
    }

    /// <summary>The message as bytes.</summary>
    public byte[] Serialize()
    {
        var writer = new ProtoWriter();
        WriteBeforeMessage(writer, Header);
        writer.Bytes(4, Message.Serialized);
        WriteAfterMessage(writer, Header);
        return [MessageVersion.Current, .. writer.Written];
    }

    internal static void WriteBeforeMessage(ProtoWriter writer, HandshakeHeader header)
    {
        if (header.PreKeyId is { } id)
        {
            writer.UInt(1, id);
        }

        writer.Bytes(2, header.BaseKey.Serialized).Bytes(3, header.IdentityKey.Serialized);
    }

    internal static void WriteAfterMessage(ProtoWriter writer, HandshakeHeader header) => writer
        .UInt(5, header.RegistrationId)
        .UInt(6, header.SignedPreKeyId)
        .UInt(7, header.KyberPreKeyId)
        .Bytes(8, header.KyberCiphertext);

    private sealed class Fields
    {
        private readonly uint?[] _numbers = new uint?[8];
        private PublicKey? _baseKey;
        private PublicKey? _identityKey;
        private byte[]? _message;
        private byte[]? _kyberCiphertext;

        public void Take(ref ProtoReader reader)
        {
            switch (reader.Field)
            {
                case 1 or 5 or 6 or 7:
                    _numbers[reader.Field] = reader.UInt32();
                    break;
                case 2:
                    _baseKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 3:
                    _identityKey = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 4:
                    _message = reader.Bytes().ToArray();
                    break;
                case 8:
                    _kyberCiphertext = reader.Bytes().ToArray();
                    break;
            }
        }

        public PreKeySignalMessage? Build()
        {
            if (_baseKey is null || _identityKey is null || _message is null
                || _numbers[5] is not { } registrationId || _numbers[6] is not { } signedPreKeyId)
            {
                return null;
            }

            if (_numbers[7] is not { } kyberPreKeyId || _kyberCiphertext is null)
            {
                throw new SignalException(SignalError.LegacyVersion, "The message opens a session without Kyber.");
            }

            // A base key in any other form could open the same session twice under two names.
            if (!_baseKey.IsCanonical())
            {
                throw new SignalException(SignalError.InvalidMessage, "The message's base key is not canonical.");
            }

            var header = new HandshakeHeader(
                _numbers[1], _baseKey, _identityKey, registrationId, signedPreKeyId, kyberPreKeyId, _kyberCiphertext);
            return new PreKeySignalMessage(header, SignalMessage.Parse(_message));
        }
    }
}
