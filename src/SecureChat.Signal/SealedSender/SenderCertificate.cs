using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.SealedSender;

/// <summary>
/// The server's word on who a device is, good for a short time. It travels inside sealed envelopes, where only the recipient
/// sees it. docs/protocol/sealed-sender.md#certificates.
/// </summary>
public sealed class SenderCertificate
{
    private readonly byte[] _serialized;
    private readonly SignedCertificate _signed;

    private SenderCertificate(byte[] serialized, SignedCertificate signed, Fields fields)
    {
        _serialized = serialized;
        _signed = signed;
        Sender = fields.Sender;
        E164 = fields.E164;
        Expires = fields.Expires;
        IdentityKey = fields.IdentityKey;
        Server = fields.Server;
    }

    /// <summary>The device that the certificate is about.</summary>
    public ProtocolAddress Sender { get; }

    /// <summary>Its phone number, when the server knows and shows it; ours does neither.</summary>
    public string? E164 { get; }

    /// <summary>The last moment at which the certificate is good, in Unix milliseconds.</summary>
    public ulong Expires { get; }

    /// <summary>The account's identity key.</summary>
    public PublicKey IdentityKey { get; }

    /// <summary>The certificate of the key that signed this one.</summary>
    public ServerCertificate Server { get; }

    /// <summary>Issues a certificate.</summary>
    /// <param name="account">Whose device it is.</param>
    /// <param name="deviceId">1..127.</param>
    /// <param name="identityKey">The account's identity key.</param>
    /// <param name="expires">The last moment at which it is good, in Unix milliseconds.</param>
    /// <param name="server">The certificate of the signing key.</param>
    /// <param name="serverKey">The signing key.</param>
    /// <param name="random">For the signature.</param>
    public static SenderCertificate Issue(
        ServiceId account,
        int deviceId,
        PublicKey identityKey,
        ulong expires,
        ServerCertificate server,
        PrivateKey serverKey,
        RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(identityKey);
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(serverKey);
        ArgumentOutOfRangeException.ThrowIfLessThan(deviceId, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(deviceId, ProtocolAddress.MaxDeviceId);
        var content = new ProtoWriter()
            .UInt(2, (ulong)deviceId)
            .Fixed64(3, expires)
            .Bytes(4, identityKey.Serialized)
            .Bytes(5, server.Serialize());
        if (account.Kind == ServiceIdKind.Account)
        {
            content.Bytes(7, account.Uuid.ToByteArray(bigEndian: true));
        }
        else
        {
            content.Text(6, account.ToString());
        }

        return Parse(SignedCertificate.Sign(content.ToArray(), serverKey, random));
    }

    /// <summary>Reads a certificate, without judging it: see <see cref="IsValid"/>.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidCertificate"/>.</exception>
    public static SenderCertificate Parse(ReadOnlySpan<byte> serialized)
    {
        var signed = SignedCertificate.Parse(serialized);
        return new SenderCertificate(serialized.ToArray(), signed, Fields.Read(signed.Content));
    }

    /// <summary>The certificate as it was issued.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <summary>Whether the chain leads to one of the roots and the time has not run out.</summary>
    /// <param name="trustRoots">The roots that are built into the application.</param>
    /// <param name="now">The time to judge by, in Unix milliseconds: best when the server took the message in.</param>
    public bool IsValid(ReadOnlySpan<PublicKey> trustRoots, ulong now)
    {
        var trusted = false;
        foreach (var root in trustRoots)
        {
            trusted |= Server.IsSignedBy(root);
        }

        return trusted && _signed.IsSignedBy(Server.Key) && now <= Expires;
    }

    private sealed class Fields
    {
        public ProtocolAddress Sender { get; private set; }

        public string? E164 { get; private set; }

        public ulong Expires { get; private set; }

        public PublicKey IdentityKey { get; private set; } = null!; // Read gives out none without it.

        public ServerCertificate Server { get; private set; } = null!; // As above.

        public static Fields Read(ReadOnlySpan<byte> content)
        {
            var fields = new Fields();
            var reader = new ProtoReader(content);
            string? name = null;
            ulong? expires = null;
            uint device = 0;
            PublicKey? identityKey = null;
            ServerCertificate? server = null;
            while (reader.Next())
            {
                switch (reader.Field)
                {
                    case 1:
                        fields.E164 = System.Text.Encoding.UTF8.GetString(reader.Bytes());
                        break;
                    case 2:
                        device = reader.UInt32();
                        break;
                    case 3:
                        expires = reader.Fixed64();
                        break;
                    case 4:
                        identityKey = PublicKey.ParseOrNull(reader.Bytes());
                        break;
                    case 5:
                        server = ServerCertificate.Parse(reader.Bytes());
                        break;
                    case 6:
                        name = System.Text.Encoding.UTF8.GetString(reader.Bytes());
                        break;
                    case 7 when reader.Bytes() is { Length: 16 } uuid:
                        name = ServiceId.OfAccount(new Guid(uuid, bigEndian: true)).ToString();
                        break;
                }
            }

            if (!reader.IsValid || expires is null || identityKey is null || server is null
                || device is < 1 or > ProtocolAddress.MaxDeviceId || !ServiceId.TryParse(name, out var account))
            {
                throw SignedCertificate.Malformed();
            }

            fields.Sender = new ProtocolAddress(account, (int)device);
            fields.Expires = expires.Value;
            fields.IdentityKey = identityKey;
            fields.Server = server;
            return fields;
        }
    }
}
