using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Client.Messages;

/// <summary>
/// From an envelope to what it changes, all in one transaction: ratchet, message and event are durable together, and only then is
/// the envelope acknowledged.
/// </summary>
internal sealed class Inbox(Device device, Contents contents, Outbox outbox, GroupOutbox groups, RetryRequests retries)
{
    /// <summary>Takes in one envelope. Whatever it is, it can be acknowledged afterwards.</summary>
    public Task TakeInAsync(Envelope envelope, CancellationToken ct) =>
        device.Turns.RunAsync(rows => TakeInAsync(rows, envelope, ct), ct);

    private async Task TakeInAsync(StoreTransaction rows, Envelope envelope, CancellationToken ct)
    {
        if (envelope.Type == ContentType.Event)
        {
            await TakeInEventAsync(rows, envelope, ct);
            return;
        }

        try
        {
            if (Open(envelope) is { } opened && !await IsBlockedAsync(rows, opened.Sender, ct))
            {
                await ReadAsync(rows, opened, envelope, ct);
            }
        }
        catch (SignalException)
        {
            // Not for us, forged, or of a version that does not exist: there is nobody to tell.
        }
    }

    /// <summary>Who sent it, by certificate or, unsealed, by the server's word; the session proves it either way.</summary>
    private Opened? Open(Envelope envelope)
    {
        if (envelope.Type == ContentType.Sealed)
        {
            var inside = SealedEnvelope.Open(
                envelope.Content.Span, device.Identity.PrivateKey, device.Local.Address,
                [.. device.Options.Server.TrustRoots], device.Now.Milliseconds());
            return ServiceId.TryParse(inside.Sender.Sender.Name, out var id) && id.Kind == ServiceIdKind.Account
                ? new Opened(id.Uuid, inside.Sender.Sender.DeviceId, inside.Type, inside.Message, inside.Hint, inside.Sender)
                : null;
        }

        if (envelope.SenderAccount.Length != 16 || envelope.SenderDevice is < 1 or > ProtocolAddress.MaxDeviceId)
        {
            return null;
        }

        var (account, sender) = (envelope.SenderAccount.ToGuid(), (int)envelope.SenderDevice);
        return account == device.Account && sender == device.Id
            ? null
            : new Opened(account, sender, (CiphertextType)(int)envelope.Type, envelope.Content.Memory, ContentHint.Default, null);
    }

    private async Task ReadAsync(StoreTransaction rows, Opened opened, Envelope envelope, CancellationToken ct)
    {
        if (opened.Type == CiphertextType.PlaintextContent)
        {
            await AnswerRetryAsync(rows, opened, ct);
            return;
        }

        var cipher = device.Cipher(rows, out var stores);
        var keys = new SenderKeys(rows);
        byte[] padded;
        try
        {
            padded = opened.Type == CiphertextType.SenderKeyMessage
                ? await keys.DecryptAsync(Device.AddressOf(opened.Sender, opened.Device), opened.Message, ct)
                : await cipher.DecryptAsync(Device.AddressOf(opened.Sender, opened.Device), opened.Type, opened.Message, ct);
        }
        catch (SignalException duplicate) when (duplicate.Error == SignalError.DuplicateMessage)
        {
            return;
        }
        catch (SignalException)
        {
            await retries.AskAsync(rows, opened, envelope.Timestamp, ct);
            return;
        }

        // The session proves which identity it is; the certificate must speak of the same.
        if (opened.Certificate is { } certificate
            && await ((IIdentityStore)stores).LoadAsync(Device.AddressOf(opened.Sender, opened.Device), ct) is { } known
            && !known.Equals(certificate.IdentityKey))
        {
            return;
        }

        // What came under a sender key belongs to the group that the key was given for, and to no other.
        if (ContentPadding.TryUnpad(padded) is { } content
            && (opened.Type != CiphertextType.SenderKeyMessage || content.Group == keys.Group)
            && await IsListedAsync(rows, opened, content, ct))
        {
            await contents.TakeInAsync(rows, new Arrived(opened.Sender, (uint)opened.Device, content), ct);
        }
    }

    /// <summary>Whether the account says that the device which sent it is its own: one that was removed has the identity key still.</summary>
    private async Task<bool> IsListedAsync(StoreTransaction rows, Opened opened, Content content, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, opened.Sender, ct);
        var fault = DeviceLists.Told(contact, content.DeviceList.Span);
        var isListed = DeviceLists.Lists(contact, opened.Device);
        DeviceLists.Tell(rows, device.Events, contact, fault ?? (isListed ? contact.Fault() : DeviceListFault.Unlisted));
        return isListed;
    }

    /// <summary>A device of a contact could not read what we sent it.</summary>
    private async Task AnswerRetryAsync(StoreTransaction rows, Opened opened, CancellationToken ct)
    {
        var report = PlaintextContent.Parse(opened.Message.Span);
        if (report.DeviceId != (uint)device.Id)
        {
            return;
        }

        device.Cipher(rows, out var stores);
        var address = Device.AddressOf(opened.Sender, opened.Device);
        using var session = await stores.LoadAsync(address, ct);
        if (session is not null && report.RatchetKey is { } key && session.IsCurrentRatchetKey(key))
        {
            await Delivery.ArchiveAsync(stores, opened.Sender, opened.Device, ct);
        }

        await outbox.AskedAgainAsync(rows, opened.Sender, report.Timestamp, ct);
        await groups.AskedAgainAsync(rows, opened.Sender, report.Timestamp, ct);
    }

    private async Task TakeInEventAsync(StoreTransaction rows, Envelope envelope, CancellationToken ct)
    {
        // Only the server makes one, and it names nobody as its sender.
        if (!envelope.SenderAccount.IsEmpty)
        {
            return;
        }

        if (TryReadEvent(envelope.Content) is not { } told)
        {
            return;
        }

        switch (told.BodyCase)
        {
            case Event.BodyOneofCase.DeviceAdded
                when told.DeviceAdded.Device is >= 1 and <= ProtocolAddress.MaxDeviceId && told.DeviceAdded.Device != (uint)device.Id:
                var own = await Contacts.GetAsync(rows, device.Account, ct);
                if (own.Devices.All(known => known.Device != told.DeviceAdded.Device))
                {
                    own.Devices.Add(new ContactDevice { Device = told.DeviceAdded.Device });
                    Contacts.Put(rows, own);
                }

                device.Events.Add(rows, new EventRecord { DeviceAdded = told.DeviceAdded.Device });
                break;
            case Event.BodyOneofCase.KeysLow:
            case Event.BodyOneofCase.SignedPrekeyOld:
                var self = await Device.SelfAsync(rows, ct);
                (self.KeysRefilled, self.SignedKeysMade) =
                    (0, told.BodyCase == Event.BodyOneofCase.SignedPrekeyOld ? 0 : self.SignedKeysMade);
                rows.Put(Tables.Self, Tables.Only, self);
                rows.Afterwards(device.Wake);
                break;
        }
    }

    private static Event? TryReadEvent(ByteString content)
    {
        try
        {
            return Event.Parser.ParseFrom(content);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static async Task<bool> IsBlockedAsync(StoreTransaction rows, Guid sender, CancellationToken ct) =>
        await Contacts.FindAsync(rows, sender, ct) is { Blocked: true };
}

/// <summary>What an envelope says of itself, once it is open; its message is still encrypted.</summary>
internal sealed record Opened(
    Guid Sender, int Device, CiphertextType Type, ReadOnlyMemory<byte> Message, ContentHint Hint, SenderCertificate? Certificate);

/// <summary>A content and the device that sent it.</summary>
internal sealed record Arrived(Guid Sender, uint Device, Content Content);
