using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>What a content changes here, by its kind. Spec: docs/protocol/content.md.</summary>
internal sealed class Contents(Device device, Outbox outbox, Receipts receipts, Conversations conversations)
{
    private const int ProfileKeySize = 32;
    private const uint LongestExpiry = 4 * 7 * 24 * 3600;

    /// <summary>Clocks differ: a content from further ahead is taken as from now.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromDays(1);

    /// <summary>Takes in a content of another device.</summary>
    public async Task TakeInAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var content = arrived.Content;
        if (!content.Group.IsEmpty || content.Expiry is { Seconds: 0 or > LongestExpiry })
        {
            return;
        }

        await LearnProfileKeyAsync(rows, arrived, ct);
        if (content.Order is null)
        {
            await PassAsync(rows, arrived, ct);
        }
        else if (content.Order.Sequence > 0)
        {
            await KeepAsync(rows, arrived, ct);
        }
    }

    /// <summary>Shows what was kept back for too long.</summary>
    /// <returns>When the next patience ends; null: nothing is kept back.</returns>
    public async Task<DateTimeOffset?> RunAsync(StoreTransaction rows, CancellationToken ct)
    {
        DateTimeOffset? next = null;
        foreach (var (name, stream) in await rows.ListAsync(Tables.Streams, ct))
        {
            var sender = Guid.ParseExact(name.Split('.')[0], "N");
            var shown = Arrivals.ReleaseOverdue(stream, device.Now, device.Options.OrderPatience);
            if (shown.Count > 0)
            {
                rows.Put(Tables.Streams, name, stream);
                await ShowAsync(rows, sender, shown, ct);
            }

            if (Arrivals.DueAt(stream, device.Options.OrderPatience) is { } due && (next is null || due < next))
            {
                next = due;
            }
        }

        return next;
    }

    private async Task KeepAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var (sender, content) = (arrived.Sender, arrived.Content);
        var isSilent = content.BodyCase is not (Content.BodyOneofCase.Text or Content.BodyOneofCase.Media);

        // Whether it is new or not: the receipt for it may have been lost.
        await receipts.DeliveredAsync(rows, sender, content.Id, isSilent, ct);
        var name = Tables.Key(sender.ToBytes(), content.Id);
        if (await rows.ReadAsync(Tables.Seen, name, ct) is not null)
        {
            return;
        }

        rows.Put(Tables.Seen, name, new SeenRecord { At = device.Now.Milliseconds() });
        var streamName = $"{sender:N}.{arrived.Device}";
        var stream = await rows.ReadAsync(Tables.Streams, streamName, ct) ?? BeginStream(content.Order);
        var shown = Arrivals.TakeIn(stream, content, arrived.Device, device.Now);
        rows.Put(Tables.Streams, streamName, stream);
        if (stream.Held.Count > 0)
        {
            rows.Afterwards(device.Wake);
        }

        await ShowAsync(rows, sender, shown, ct);
    }

    // A device that came later has no claim to what came before: another one may have confirmed it, and it is not sent again.
    private StreamRecord BeginStream(Order order) => new() { Stream = order.Stream, Next = device.Id == 1 ? 1 : order.Sequence };

    private async Task ShowAsync(StoreTransaction rows, Guid sender, IReadOnlyList<Content> shown, CancellationToken ct)
    {
        foreach (var content in shown)
        {
            if (content.BodyCase != Content.BodyOneofCase.Sync)
            {
                await conversations.ShowAsync(rows, sender, sender, content, isFromElsewhere: true, ct);
            }
            else if (sender == device.Account)
            {
                await SyncAsync(rows, content.Sync, ct);
            }
        }
    }

    /// <summary>What is told and not kept.</summary>
    private async Task PassAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var (sender, content) = (arrived.Sender, arrived.Content);
        switch (content.BodyCase)
        {
            case Content.BodyOneofCase.Receipt:
                await outbox.ConfirmAsync(rows, sender, content.Receipt, ct);
                break;
            case Content.BodyOneofCase.Typing:
                rows.Afterwards(() => device.Events.Pass(new TypingChanged(sender, content.Typing.Stopped)));
                break;
            case Content.BodyOneofCase.Call:
                rows.Afterwards(() => device.Events.Pass(
                    new CallSignalled(sender, (int)arrived.Device, content.Call, Sane(content.Timestamp).ToTime())));
                break;
            case Content.BodyOneofCase.Beacon:
                await outbox.ReturnedAsync(rows, sender, ct);
                break;
        }
    }

    /// <summary>What another device of this account did.</summary>
    private async Task SyncAsync(StoreTransaction rows, SyncMessage sync, CancellationToken ct)
    {
        switch (sync.BodyCase)
        {
            case SyncMessage.BodyOneofCase.Sent when sync.Sent.Recipient.Length == 16 && sync.Sent.Content?.Id.Length == 16:
                var recipient = sync.Sent.Recipient.ToGuid();
                var contact = await Contacts.GetAsync(rows, recipient, ct);
                contact.Accepted = true;
                Contacts.Put(rows, contact);
                await conversations.ShowAsync(rows, recipient, device.Account, sync.Sent.Content, isFromElsewhere: true, ct);
                break;
            case SyncMessage.BodyOneofCase.Read:
                foreach (var content in sync.Read.Contents)
                {
                    await conversations.ReadAsync(rows, content.Sender.ToGuid(), content.Sender, content.Id, Sane(sync.Read.At), ct);
                }

                break;
            case SyncMessage.BodyOneofCase.Opened when sync.Opened.Content is { } opened:
                await conversations.EraseAsync(rows, opened.Sender, opened.Sender, opened.Id, ct);
                break;
            case SyncMessage.BodyOneofCase.Confirmed:
                await Receipts.ConfirmedElsewhereAsync(rows, sync.Confirmed, ct);
                break;
            case SyncMessage.BodyOneofCase.Contact when sync.Contact.Account.Length == 16:
                var known = await Contacts.GetAsync(rows, sync.Contact.Account.ToGuid(), ct);
                known.Accepted |= sync.Contact.Accepted;
                Contacts.Put(rows, known);
                break;
        }
    }

    private async Task LearnProfileKeyAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var key = arrived.Content.ProfileKey;
        if (key.Length != ProfileKeySize || arrived.Sender == device.Account)
        {
            return;
        }

        var contact = await Contacts.GetAsync(rows, arrived.Sender, ct);
        if (contact.ProfileKey != key)
        {
            (contact.ProfileKey, contact.RightRefused) = (key, false);
            Contacts.Put(rows, contact);
        }
    }

    private ulong Sane(ulong milliseconds) => Math.Min(milliseconds, (device.Now + ClockTolerance).Milliseconds());
}
