using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.SealedSender;

/// <summary>
/// A key of the server, signed by the trust root that clients have built in: with it the server signs what senders show.
/// docs/protocol/sealed-sender.md#certificates.
/// </summary>
public sealed class ServerCertificate
{
    /// <summary>The id that stands for "revoked" in every implementation.</summary>
    private const uint RevokedId = 0xDEADC357;

    private readonly byte[] _serialized;
    private readonly SignedCertificate _signed;

    private ServerCertificate(byte[] serialized, SignedCertificate signed, uint keyId, PublicKey key) =>
        (_serialized, _signed, KeyId, Key) = (serialized, signed, keyId, key);

    /// <summary>Tells the server's keys apart.</summary>
    public uint KeyId { get; }

    /// <summary>The key that signs sender certificates.</summary>
    public PublicKey Key { get; }

    /// <summary>Issues a certificate.</summary>
    /// <param name="keyId">Any number but the one that marks revoked certificates.</param>
    /// <param name="key">The server's key.</param>
    /// <param name="trustRoot">The root, best kept off line.</param>
    /// <param name="random">For the signature.</param>
    public static ServerCertificate Issue(uint keyId, PublicKey key, PrivateKey trustRoot, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(trustRoot);
        ArgumentOutOfRangeException.ThrowIfEqual(keyId, RevokedId);
        var content = new ProtoWriter().UInt(1, keyId).Bytes(2, key.Serialized).ToArray();
        return Parse(SignedCertificate.Sign(content, trustRoot, random));
    }

    /// <summary>Reads a certificate, without judging it.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidCertificate"/>.</exception>
    public static ServerCertificate Parse(ReadOnlySpan<byte> serialized)
    {
        var signed = SignedCertificate.Parse(serialized);
        var reader = new ProtoReader(signed.Content);
        uint? keyId = null;
        PublicKey? key = null;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    keyId = reader.UInt32();
                    break;
                case 2:
                    key = PublicKey.ParseOrNull(reader.Bytes());
                    break;
            }
        }

        return reader.IsValid && keyId is { } id && key is not null
            ? new ServerCertificate(serialized.ToArray(), signed, id, key)
            : throw SignedCertificate.Malformed();
    }

    /// <summary>The certificate as it was issued.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <summary>Whether a trust root signed it and it has not been revoked.</summary>
    public bool IsSignedBy(PublicKey trustRoot)
    {
        ArgumentNullException.ThrowIfNull(trustRoot);
        return KeyId != RevokedId && _signed.IsSignedBy(trustRoot);
    }
}
