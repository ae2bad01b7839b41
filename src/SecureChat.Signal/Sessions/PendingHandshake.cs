using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Sessions;

/// <summary>What the initiator repeats in every message until the other side has answered: nothing in it is secret.</summary>
internal sealed record PendingHandshake(
    uint? PreKeyId, uint SignedPreKeyId, uint KyberPreKeyId, byte[] KyberCiphertext, DateTimeOffset CreatedAt)
{
    /// <summary>The message that opens the session, around one of the session.</summary>
    public byte[] Wrap(SessionState session, SignalMessage message) => new PreKeySignalMessage(
        new HandshakeHeader(
            PreKeyId,
            session.BaseKey,
            session.LocalIdentity,
            session.LocalRegistrationId,
            SignedPreKeyId,
            KyberPreKeyId,
            KyberCiphertext),
        message).Serialize();

    public byte[] Serialize()
    {
        var writer = new ProtoWriter();
        if (PreKeyId is { } id)
        {
            writer.UInt(1, id);
        }

        return writer
            .UInt(2, SignedPreKeyId)
            .UInt(3, KyberPreKeyId)
            .Bytes(4, KyberCiphertext)
            .UInt(5, (ulong)CreatedAt.ToUnixTimeMilliseconds())
            .ToArray();
    }

    public static PendingHandshake? Parse(ReadOnlySpan<byte> stored)
    {
        var reader = new ProtoReader(stored);
        uint? preKeyId = null;
        uint signed = 0;
        uint kyber = 0;
        byte[] ciphertext = [];
        ulong created = 0;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    preKeyId = reader.UInt32();
                    break;
                case 2:
                    signed = reader.UInt32();
                    break;
                case 3:
                    kyber = reader.UInt32();
                    break;
                case 4:
                    ciphertext = reader.Bytes().ToArray();
                    break;
                case 5:
                    created = reader.UInt64();
                    break;
            }
        }

        return reader.IsValid && ciphertext.Length == KyberPublicKey.CiphertextSize && created <= LastMillisecond
            ? new PendingHandshake(preKeyId, signed, kyber, ciphertext, DateTimeOffset.FromUnixTimeMilliseconds((long)created))
            : null;
    }

    private static readonly ulong LastMillisecond = (ulong)DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();
}
