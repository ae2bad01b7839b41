using System.Buffers.Binary;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>A message whose every field is in range, with the envelopes that its recipients will get.</summary>
internal sealed class Outgoing
{
    private Outgoing(UInt128 once, List<Recipient> recipients, int expiresIn, bool ephemeral) =>
        (Once, Recipients, ExpiresIn, Ephemeral) = (once, recipients, expiresIn, ephemeral);

    /// <summary>A hash of sender and message id: no sender can pre-empt another's id.</summary>
    public UInt128 Once { get; }

    public IReadOnlyList<Recipient> Recipients { get; }

    /// <summary>Seconds; 0 for the server's life.</summary>
    public int ExpiresIn { get; }

    public bool Ephemeral { get; }

    /// <summary>Reads the frame's <see cref="Send"/>. Keeps nothing of <paramref name="body"/>.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(Caller sender, ReadOnlySpan<byte> body, TimeProvider time)
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

        var stamp = new Stamp(sender, time.GetUtcNow(), timestamp, urgent != 0, ephemeral != 0);
        var recipients = new List<Recipient>(1);
        for (frame = new ProtoReader(body); frame.Next();)
        {
            if (frame.Field == Send.RecipientsFieldNumber
                && ReadRecipient(frame.Bytes, id, stamp, recipients) is { } refusal)
            {
                return (null, refusal);
            }
        }

        return Finish(sender, id, recipients, (int)expiresIn, ephemeral != 0);
    }

    /// <summary>Reads the body of an HTTP request.</summary>
    public static (Outgoing? Message, ProtocolError? Refusal) Read(Caller sender, SendMessage message, TimeProvider time)
    {
        if (message.Recipients.Count > Limits.MaxRecipients || message.ExpiresIn is < 1 || message.Timestamp < 0)
        {
            return (null, ProtocolError.Malformed);
        }

        var id = message.Id.ToByteArray(bigEndian: true);
        var stamp = new Stamp(sender, time.GetUtcNow(), (ulong)message.Timestamp, message.Urgent, message.Ephemeral);
        var recipients = new List<Recipient>(message.Recipients.Count);
        foreach (var to in message.Recipients)
        {
            var recipient = new Recipient(to.Account);
            foreach (var device in to.Devices)
            {
                if (recipient.Add(device.Device, device.RegistrationId, device.Type, id, device.Content, stamp) is { } refusal)
                {
                    return (null, refusal);
                }
            }

            recipients.Add(recipient);
        }

        return Finish(sender, id, recipients, message.ExpiresIn ?? 0, message.Ephemeral);
    }

    private static (Outgoing? Message, ProtocolError? Refusal) Finish(
        Caller sender, ReadOnlySpan<byte> id, List<Recipient> recipients, int expiresIn, bool ephemeral)
    {
        if (recipients.Count is 0 or > Limits.MaxRecipients || !id.ContainsAnyExcept((byte)0))
        {
            return (null, ProtocolError.Malformed);
        }

        for (var i = 0; i < recipients.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (recipients[i].Account == recipients[j].Account)
                {
                    return (null, ProtocolError.Malformed);
                }
            }
        }

        Span<byte> name = stackalloc byte[33];
        sender.Account.TryWriteBytes(name, bigEndian: true, out _);
        name[16] = (byte)sender.Device;
        id.CopyTo(name[17..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        return (new Outgoing(BinaryPrimitives.ReadUInt128BigEndian(hash), recipients, expiresIn, ephemeral), null);
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

        public ProtocolError? Add(
            int device, int registrationId, int type, ReadOnlySpan<byte> id, ReadOnlySpan<byte> content, Stamp stamp)
        {
            if (content.Length > Limits.MaxContentBytes)
            {
                return ProtocolError.TooLarge;
            }

            if (device is < 1 or > Limits.MaxDeviceId || registrationId is < 1 or > Limits.MaxRegistrationId
                || type is not (2 or 3 or 6 or 7 or 8) || content.IsEmpty || _items.Exists(item => item.Device == device))
            {
                return ProtocolError.Malformed;
            }

            _items.Add(new Item(device, registrationId, stamp.Seal(id, type, content)));
            return null;
        }
    }

    /// <summary>One device's share.</summary>
    /// <param name="Envelope">A serialised <see cref="Protocol.Proto.Envelope"/>.</param>
    internal readonly record struct Item(int Device, int RegistrationId, byte[] Envelope);

    /// <summary>What every envelope of one message has in common.</summary>
    internal readonly record struct Stamp(Caller Sender, DateTimeOffset Now, ulong Timestamp, bool Urgent, bool Ephemeral)
    {
        /// <summary>Writes the envelope. A sealed message carries no sender.</summary>
        public byte[] Seal(ReadOnlySpan<byte> id, int type, ReadOnlySpan<byte> content)
        {
            var isSealed = type == (int)ContentType.Sealed;
            var serverTime = Mailbox.CoarseSeconds(Now);
            var size = 2 + id.Length + (isSealed ? 0 : 2 + 16 + 2) + 2
                + (Timestamp == 0 ? 0 : 1 + ProtoWriter.SizeOf(Timestamp)) + (serverTime == 0 ? 0 : 1 + ProtoWriter.SizeOf(serverTime))
                + (Urgent ? 2 : 0) + (Ephemeral ? 2 : 0)
                + 1 + ProtoWriter.SizeOf((ulong)content.Length) + content.Length;
            var envelope = GC.AllocateUninitializedArray<byte>(size);
            var writer = new ProtoWriter(envelope);
            writer.Bytes(Envelope.IdFieldNumber, id);
            if (!isSealed)
            {
                Span<byte> account = stackalloc byte[16];
                Sender.Account.TryWriteBytes(account, bigEndian: true, out _);
                writer.Bytes(Envelope.SenderAccountFieldNumber, account);
                writer.Number(Envelope.SenderDeviceFieldNumber, (ulong)Sender.Device);
            }

            writer.Number(Envelope.TypeFieldNumber, (ulong)type);
            writer.Number(Envelope.TimestampFieldNumber, Timestamp);
            writer.Number(Envelope.ServerTimeFieldNumber, serverTime);
            writer.Number(Envelope.UrgentFieldNumber, Urgent ? 1UL : 0);
            writer.Number(Envelope.EphemeralFieldNumber, Ephemeral ? 1UL : 0);
            writer.Bytes(Envelope.ContentFieldNumber, content);
            return writer.Length == size ? envelope : throw new InvalidOperationException("The envelope's size was miscounted.");
        }
    }
}
