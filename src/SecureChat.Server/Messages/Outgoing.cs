using System.Buffers.Binary;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Messages;

/// <summary>A message whose every field is in range, with the envelopes that its recipients will get.</summary>
internal sealed class Outgoing
{
    private readonly Caller? _sender;
    private readonly UInt128 _id;

    private Outgoing(UInt128 id, List<Recipient> recipients, int expiresIn, Stamp stamp) =>
        (_sender, _id, Recipients, ExpiresIn, Urgent, Ephemeral, OpensSessions) =
            (stamp.Sender, id, recipients, expiresIn, stamp.Urgent, stamp.Ephemeral, recipients.Exists(static recipient => recipient.OpensSession));

    public IReadOnlyList<Recipient> Recipients { get; }

    /// <summary>Seconds; 0 for the server's life.</summary>
    public int ExpiresIn { get; }

    /// <summary>Whether a session with anybody may begin with it.</summary>
    public bool OpensSessions { get; }

    public bool Urgent { get; }

    public bool Ephemeral { get; }

    /// <summary>What every envelope ends with, which their own parts leave out; null: nothing.</summary>
    public byte[]? SharedEnd { get; private init; }

    /// <summary>Reads the frame's <see cref="Send"/>. Keeps nothing of <paramref name="body"/>.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(Caller sender, ReadOnlySpan<byte> body, Postmark mark)
    {
        ReadOnlySpan<byte> id = default;
        ulong timestamp = 0, expiresIn = 0, urgent = 0, ephemeral = 0;
        var frame = new ProtoReader(body);
        while (frame.Next())
        {
            switch (frame.Field)
            {
                case Send.IdFieldNumber:
                    id = frame.Bytes;
                    break;
                case Send.TimestampFieldNumber:
                    timestamp = frame.Number;
                    break;
                case Send.ExpiresInFieldNumber:
                    expiresIn = frame.Number;
                    break;
                case Send.UrgentFieldNumber:
                    urgent = frame.Number;
                    break;
                case Send.EphemeralFieldNumber:
                    ephemeral = frame.Number;
                    break;
            }
        }

        if (frame.IsMalformed || id.Length != 16 || expiresIn > int.MaxValue)
        {
            return (null, ProtocolError.Malformed);
        }

        var stamp = new Stamp(sender, mark, mark.Now, timestamp, urgent != 0, ephemeral != 0);
        var recipients = new List<Recipient>(1);
        for (frame = new ProtoReader(body); frame.Next();)
        {
            if (frame.Field == Send.RecipientsFieldNumber
                && ReadRecipient(frame.Bytes, id, stamp, recipients) is { } refusal)
            {
                return (null, refusal);
            }
        }

        return Finish(id, recipients, (int)expiresIn, stamp);
    }

    /// <summary>Reads the body of an HTTP request.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(Caller sender, SendMessage message, Postmark mark)
    {
        if (message.Recipients.Count > Limits.MaxRecipients || message.ExpiresIn is < 1 || message.Timestamp < 0)
        {
            return (null, ProtocolError.Malformed);
        }

        var id = message.Id.ToByteArray(bigEndian: true);
        var stamp = new Stamp(sender, mark, mark.Now, (ulong)message.Timestamp, message.Urgent, message.Ephemeral);
        var recipients = new List<Recipient>(message.Recipients.Count);
        foreach (var to in message.Recipients)
        {
            if (ReadRecipient(to.Account, to.Devices, id, stamp, recipients) is { } refusal)
            {
                return (null, refusal);
            }
        }

        return Finish(id, recipients, message.ExpiresIn ?? 0, stamp);
    }

    /// <summary>Reads the body of an anonymous request.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(SealedMessage message, Postmark mark)
    {
        if (message.ExpiresIn is < 1 || message.Timestamp < 0 || message.Devices.Any(device => device.Type != (int)ContentType.Sealed))
        {
            return (null, ProtocolError.Malformed);
        }

        var id = message.Id.ToByteArray(bigEndian: true);
        var stamp = new Stamp(null, mark, mark.Now, (ulong)message.Timestamp, message.Urgent, message.Ephemeral);
        var recipients = new List<Recipient>(1);
        return ReadRecipient(message.Account, message.Devices, id, stamp, recipients) is { } refusal
            ? (null, refusal)
            : Finish(id, recipients, message.ExpiresIn ?? 0, stamp);
    }

    /// <summary>Takes apart a sealed message for many accounts.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(SealedMany message, MultiRecipientMessage parts, Postmark mark)
    {
        if (message.Id.Length != 16 || message.ExpiresIn > int.MaxValue)
        {
            return (null, ProtocolError.Malformed);
        }

        var stamp = new Stamp(null, mark, mark.Now, message.Timestamp, message.Urgent, message.Ephemeral);
        var end = parts.Shared.ToArray();
        var recipients = new List<Recipient>(parts.Recipients.Count);
        foreach (var part in parts.Recipients)
        {
            if (part.Account.Kind is not ServiceIdKind.Account)
            {
                return (null, ProtocolError.Malformed);
            }

            var recipient = new Recipient(part.Account.Uuid);
            var content = part.Beginning();
            foreach (var (device, registrationId) in part.Devices)
            {
                if (recipient.Add(device, registrationId, (int)ContentType.Sealed, message.Id.Span, content, stamp, end.Length) is { } refusal)
                {
                    return (null, refusal);
                }
            }

            recipients.Add(recipient);
        }

        return Finish(message.Id.Span, recipients, (int)message.ExpiresIn, stamp, end);
    }

    private static ProtocolError? ReadRecipient(
        Guid account, IReadOnlyList<DeviceMessage> devices, ReadOnlySpan<byte> id, Stamp stamp, List<Recipient> recipients)
    {
        var recipient = new Recipient(account);
        foreach (var device in devices)
        {
            if (recipient.Add(device.Device, device.RegistrationId, device.Type, id, device.Content, stamp) is { } refusal)
            {
                return refusal;
            }
        }

        recipients.Add(recipient);
        return null;
    }

    /// <summary>What a device's queue knows this message by: a hash with the sender, so that nobody can pre-empt another's id.</summary>
    /// <remarks>With the registration: a device that took the place of another has not been sent what that one was.</remarks>
    public UInt128 OnceFor(Guid account, Item item)
    {
        // One block of the hash.
        Span<byte> name = stackalloc byte[54];
        name.Clear();
        if (_sender is not null)
        {
            _sender.Account.TryWriteBytes(name, bigEndian: true, out _);
            name[16] = (byte)_sender.Device;
        }

        BinaryPrimitives.WriteUInt128BigEndian(name[17..], _id);
        account.TryWriteBytes(name[33..], bigEndian: true, out _);
        name[49] = (byte)item.Device;
        BinaryPrimitives.WriteInt32BigEndian(name[50..], item.RegistrationId);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    private static (Outgoing? Message, ProtocolError? Refusal) Finish(
        ReadOnlySpan<byte> id, List<Recipient> recipients, int expiresIn, Stamp stamp, byte[]? sharedEnd = null)
    {
        var most = stamp.Sender is null ? Limits.MaxSealedRecipients : Limits.MaxRecipients;
        if (recipients.Count == 0 || recipients.Count > most || !id.ContainsAnyExcept((byte)0)
            || (recipients.Count > 1 && recipients.DistinctBy(recipient => recipient.Account).Count() != recipients.Count))
        {
            return (null, ProtocolError.Malformed);
        }

        return (new Outgoing(BinaryPrimitives.ReadUInt128BigEndian(id), recipients, expiresIn, stamp) { SharedEnd = sharedEnd }, null);
    }

    private static ProtocolError? ReadRecipient(
        ReadOnlySpan<byte> body, ReadOnlySpan<byte> id, Stamp stamp, List<Recipient> recipients)
    {
        ReadOnlySpan<byte> account = default;
        var reader = new ProtoReader(body);
        while (reader.Next())
        {
            account = reader.Field == Protocol.Proto.Recipient.AccountFieldNumber ? reader.Bytes : account;
        }

        if (reader.IsMalformed || account.Length != 16)
        {
            return ProtocolError.Malformed;
        }

        var recipient = new Recipient(new Guid(account, bigEndian: true));
        for (reader = new ProtoReader(body); reader.Next();)
        {
            if (reader.Field == Protocol.Proto.Recipient.DevicesFieldNumber
                && ReadDevice(reader.Bytes, id, stamp, recipient) is { } refusal)
            {
                return refusal;
            }
        }

        recipients.Add(recipient);
        return null;
    }

    private static ProtocolError? ReadDevice(ReadOnlySpan<byte> body, ReadOnlySpan<byte> id, Stamp stamp, Recipient recipient)
    {
        ulong device = 0, registrationId = 0, type = 0;
        ReadOnlySpan<byte> content = default;
        var reader = new ProtoReader(body);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case DeviceContent.DeviceFieldNumber:
                    device = reader.Number;
                    break;
                case DeviceContent.RegistrationIdFieldNumber:
                    registrationId = reader.Number;
                    break;
                case DeviceContent.TypeFieldNumber:
                    type = reader.Number;
                    break;
                case DeviceContent.ContentFieldNumber:
                    content = reader.Bytes;
                    break;
            }
        }

        return reader.IsMalformed || device > int.MaxValue || registrationId > int.MaxValue || type > int.MaxValue
            ? ProtocolError.Malformed
            : recipient.Add((int)device, (int)registrationId, (int)type, id, content, stamp);
    }

    /// <summary>The devices of one account and what each gets.</summary>
    internal sealed class Recipient(Guid account)
    {
        private readonly List<Item> _items = new(1);

        public Guid Account { get; } = account;

        public IReadOnlyList<Item> Items => _items;

        /// <summary>Whether a session may begin with it.</summary>
        public bool OpensSession { get; private set; }

        /// <param name="shared">Bytes that follow on <paramref name="content"/> and are kept once for all.</param>
        public ProtocolError? Add(
            int device, int registrationId, int type, ReadOnlySpan<byte> id, ReadOnlySpan<byte> content, Stamp stamp, int shared = 0)
        {
            if (content.Length + shared > Limits.MaxContentBytes)
            {
                return ProtocolError.TooLarge;
            }

            if (device is < 1 or > Limits.MaxDeviceId || registrationId is < 1 or > Limits.MaxRegistrationId
                || type is not (2 or 3 or 6 or 7 or 8) || content.IsEmpty || _items.Exists(item => item.Device == device))
            {
                return ProtocolError.Malformed;
            }

            // Of a sealed one nobody can see whether it opens a session; what goes to one's own devices opens none with strangers.
            OpensSession |= type == (int)ContentType.Prekey
                || (type == (int)ContentType.Sealed && stamp.Sender is { } named && named.Account != Account);
            _items.Add(new Item(device, registrationId, stamp.Seal(id, Account, type, content, shared)));
            return null;
        }
    }

    /// <summary>One device's share.</summary>
    /// <param name="Envelope">A serialised <see cref="Protocol.Proto.Envelope"/>, up to <see cref="SharedEnd"/>.</param>
    internal readonly record struct Item(int Device, int RegistrationId, byte[] Envelope);
}
