using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>What a content changes here, by its kind. Spec: docs/protocol/content.md.</summary>
internal sealed class Contents(
    Device device, Outbox outbox, Receipts receipts, Conversations conversations, GroupInbox groups, GroupOutbox groupOutbox)
{
    private const int ProfileKeySize = 32;

    private const uint LongestExpiry = 4 * 7 * 24 * 3600;

    /// <summary>Clocks differ: a content from further ahead is taken as from now.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromDays(1);

    /// <summary>Takes in a content of another device.</summary>
    public async Task TakeInAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var content = arrived.Content;
        if (content.Expiry is { Seconds: 0 or > LongestExpiry })
        {
            return;
        }

        await LearnProfileKeyAsync(rows, arrived, ct);
        if (!content.Group.IsEmpty)
        {
            if (await groups.AdmitAsync(rows, arrived, ct))
            {
                await KeepAsync(rows, arrived, ct);
            }
        }
        else if (content.Order is null)
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
        foreach (var arrived in await groups.ReleaseAsync(rows, ct))
        {
            await KeepAsync(rows, arrived, ct);
        }

        DateTimeOffset? next = null;
        foreach (var (name, stream) in await rows.ListAsync(Tables.Streams, ct))
        {
            var (sender, with) = HeldContents.OfStream(name);
            var shown = Arrivals.ReleaseOverdue(stream, device.Now, device.Options.OrderPatience);
            if (shown.Count > 0)
            {
                rows.Put(Tables.Streams, name, stream);
                await ShowAsync(rows, with, sender, shown, ct);
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
        var isInGroup = !content.Group.IsEmpty;
        var name = Tables.Key(sender.ToBytes(), content.Id);
        var isRepeated = await rows.ReadAsync(Tables.Seen, name, ct) is not null;
        await receipts.DeliveredAsync(rows, sender, content.Id, isSilent, isInGroup && await IsAgreedAsync(rows, content.Group, ct), isRepeated, ct);
        if (isRepeated)
        {
            return;
        }

        rows.Put(Tables.Seen, name, new SeenRecord { At = device.Now.Milliseconds() });
        var with = isInGroup ? GroupRecords.ConversationOf(content.Group) : sender;
        var streamName = isInGroup ? $"{sender:N}.{arrived.Device}.{with:N}" : $"{sender:N}.{arrived.Device}";
        var stream = await rows.ReadAsync(Tables.Streams, streamName, ct) ?? BeginStream(content.Order, isInGroup);
        var shown = Arrivals.TakeIn(stream, content, arrived.Device, device.Now);
        rows.Put(Tables.Streams, streamName, stream);
        if (stream.Held.Count > 0)
        {
            rows.Afterwards(device.Wake);
        }

        await ShowAsync(rows, with, sender, shown, ct);
    }

    private static async Task<bool> IsAgreedAsync(StoreTransaction rows, ByteString group, CancellationToken ct) =>
        await GroupRecords.FindAsync(rows, GroupRecords.ConversationOf(group), ct) is { } record
        && await GroupRecords.IsAgreedAsync(rows, record, ct);

    // Who came later, a device or a member, has no claim to what came before: others may have confirmed it, and it is not sent again.
    private StreamRecord BeginStream(Order order, bool isInGroup) =>
        new() { Stream = order.Stream, Next = device.Id == 1 && !isInGroup ? 1 : order.Sequence };

    private async Task ShowAsync(StoreTransaction rows, Guid with, Guid sender, IReadOnlyList<Content> shown, CancellationToken ct)
    {
        foreach (var content in shown)
        {
            if (content.BodyCase != Content.BodyOneofCase.Sync)
            {
                await conversations.ShowAsync(rows, with, sender, content, isFromElsewhere: true, ct);
            }
            else if (sender == device.Account && content.Group.IsEmpty)
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
                await groupOutbox.ConfirmAsync(rows, sender, content.Receipt, ct);
                break;
            case Content.BodyOneofCase.Typing:
                rows.Afterwards(() => device.Events.Pass(new TypingChanged(sender, content.Typing.Stopped)));
                break;
            case Content.BodyOneofCase.Call:
                var isContact = (await Contacts.GetAsync(rows, sender, ct)).Accepted;
                rows.Afterwards(() => device.Events.Pass(
                    new CallSignalled(sender, (int)arrived.Device, isContact, content.Call, Sane(content.Timestamp).ToTime())));
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
            case SyncMessage.BodyOneofCase.Sent when sync.Sent.Content is { Id.Length: 16, Group.Length: GroupRules.IdSize } sent:
                await AgreeAsync(rows, sent.Group, ct);
                await conversations.ShowAsync(rows, GroupRecords.ConversationOf(sent.Group), device.Account, sent, isFromElsewhere: true, ct);
                break;
            case SyncMessage.BodyOneofCase.Read:
                await ReadElsewhereAsync(rows, sync.Read, ct);
                break;
            case SyncMessage.BodyOneofCase.Opened when sync.Opened.Content is { } opened:
                await conversations.EraseAsync(rows, ConversationOf(opened), opened.Sender, opened.Id, ct);
                rows.Afterwards(device.Wake);
                break;
            case SyncMessage.BodyOneofCase.Confirmed:
                await receipts.ConfirmedElsewhereAsync(rows, sync.Confirmed, ct);
                break;
            case SyncMessage.BodyOneofCase.Contact when sync.Contact.Account.Length == 16:
                var known = await Contacts.GetAsync(rows, sync.Contact.Account.ToGuid(), ct);
                known.Accepted |= sync.Contact.Accepted;
                known.Name = sync.Contact.HasName ? sync.Contact.Name : known.Name;
                Contacts.Put(rows, known);
                break;
        }
    }

    private static async Task AgreeAsync(StoreTransaction rows, ByteString group, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, GroupRecords.ConversationOf(group), ct) is { } record)
        {
            record.Agreed = true;
            GroupRecords.Put(rows, record);
        }
    }

    private async Task ReadElsewhereAsync(StoreTransaction rows, Read read, CancellationToken ct)
    {
        var early = new List<EventRecord.Types.ContentName>();
        foreach (var content in read.Contents.Where(content => content is { Sender.Length: 16, Id.Length: 16, Conversation.Length: 0 or 16 }))
        {
            var with = ConversationOf(content);
            if (await rows.ReadAsync(Tables.Messages(with), Tables.Key(content.Sender, content.Id), ct) is null)
            {
                early.Add(new EventRecord.Types.ContentName { Conversation = with, Sender = content.Sender, Id = content.Id });
            }
            else
            {
                await conversations.ReadAsync(rows, with.ToGuid(), content.Sender, content.Id, Sane(read.At), ct);
            }
        }

        await EarlyReads.KeepAsync(rows, early, Sane(read.At), ct);
        rows.Afterwards(device.Wake);
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

    /// <summary>What names a content to this account's other devices.</summary>
    public static ContentName NameOf(ByteString conversation, ByteString sender, ByteString id) =>
        new() { Sender = sender, Id = id, Conversation = conversation == sender ? ByteString.Empty : conversation };

    private static ByteString ConversationOf(ContentName name) => name.Conversation.IsEmpty ? name.Sender : name.Conversation;

    private ulong Sane(ulong milliseconds) => Math.Min(milliseconds, (device.Now + ClockTolerance).Milliseconds());
}
