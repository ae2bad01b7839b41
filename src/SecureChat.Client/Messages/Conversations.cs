using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>The messages that a person sees, and how they change and go. Spec: docs/protocol/content.md#bodies.</summary>
internal sealed class Conversations(Device device, Outbox outbox, GroupOutbox groupOutbox)
{
    /// <summary>Changes kept for one content that has not come.</summary>
    private const int MaxEarly = 20;

    /// <summary>Contents that have not come and that one sender's changes are kept for.</summary>
    private const int MaxEarlyTargets = 100;

    /// <summary>Shows one content: a message of its own, or a change of another.</summary>
    /// <param name="with">The account on the other side, or the group.</param>
    /// <param name="sender">Who sent it: the other side, or this account from any of its devices.</param>
    /// <param name="isFromElsewhere">Whether another device sent it: the person has not seen it here.</param>
    public async Task ShowAsync(
        StoreTransaction rows, Guid with, Guid sender, Content content, bool isFromElsewhere, CancellationToken ct)
    {
        switch (content.BodyCase)
        {
            case Content.BodyOneofCase.Reaction:
                await ChangeAsync(rows, with, sender, content, content.Reaction.Target, ct);
                break;
            case Content.BodyOneofCase.Edit:
                await ChangeAsync(rows, with, sender, content, content.Edit.Target, ct);
                break;
            case Content.BodyOneofCase.Delete:
                await ChangeAsync(rows, with, sender, content, content.Delete.Target, ct);
                break;
            case Content.BodyOneofCase.ExpiryTimer:
                await SetTimerAsync(rows, with, content, ct);
                break;
            case Content.BodyOneofCase.GroupUpdate:
            case Content.BodyOneofCase.Sync:
                break;
            default:
                await AddAsync(rows, with, sender, content, isFromElsewhere, ct);
                break;
        }
    }

    /// <summary>A message was read, here or on another device: its time begins.</summary>
    /// <returns>Whether that is news.</returns>
    public async Task<bool> ReadAsync(StoreTransaction rows, Guid with, ByteString sender, ByteString id, ulong at, CancellationToken ct)
    {
        var (table, name) = (Tables.Messages(with.ToBytes()), Tables.Key(sender, id));
        if (await rows.ReadAsync(table, name, ct) is not { ReadAt: 0 } message)
        {
            return false;
        }

        message.ReadAt = at;
        if (message.Content.Expiry is { FromSending: false } expiry)
        {
            Time(rows, message, at + expiry.Seconds * 1000ul);
        }

        rows.Put(table, name, message);
        return true;
    }

    /// <summary>Removes a message so that nothing of it can be found any more; one that has not come is not shown when it does.</summary>
    public async Task EraseAsync(StoreTransaction rows, ByteString with, ByteString sender, ByteString id, CancellationToken ct)
    {
        var (table, name) = (Tables.Messages(with), Tables.Key(sender, id));
        rows.Put(Tables.Erased, name, new SeenRecord { At = device.Now.Milliseconds() });
        rows.Remove(Tables.Early, Tables.Key(with, id));
        rows.ErasesRemoved = true;
        if (await rows.ReadAsync(table, name, ct) is not { } message)
        {
            return;
        }

        if (message.Content.Expiry is { FromSending: true })
        {
            await outbox.DropEditsAsync(rows, id, ct);
            await groupOutbox.DropEditsAsync(rows, id, ct);
        }

        rows.Remove(table, name);
        rows.Remove(Tables.Timed, name);
        device.Events.Add(rows, new EventRecord { Erased = NameOf(with, sender, id) });
    }

    /// <summary>Erases what has destroyed itself, also while nothing ran, and also what is still to be sent.</summary>
    /// <returns>When the next one does; null: none.</returns>
    public async Task<DateTimeOffset?> SweepAsync(StoreTransaction rows, CancellationToken ct)
    {
        DateTimeOffset? next = null;
        foreach (var (name, timed) in await rows.ListAsync(Tables.Timed, ct))
        {
            var of = timed.Message;
            var message = await rows.ReadAsync(Tables.Messages(of.Conversation), name, ct);
            if (message is null || message.EraseAt.ToTime() <= device.Now)
            {
                rows.Remove(Tables.Timed, name);
                await EraseAsync(rows, of.Conversation, of.Sender, of.Id, ct);
            }
            else if (next is null || message.EraseAt.ToTime() < next)
            {
                next = message.EraseAt.ToTime();
            }
        }

        var held = new HeldContents(device);
        foreach (var due in new[] { await outbox.SweepAsync(rows, ct), await groupOutbox.SweepAsync(rows, ct), await held.SweepAsync(rows, ct) })
        {
            next = next is null || due < next ? due ?? next : next;
        }

        return next;
    }

    /// <summary>Forgets changes of contents that cannot come any more, because their senders have given up.</summary>
    public async Task ForgetAsync(StoreTransaction rows, CancellationToken ct)
    {
        var oldest = (device.Now - device.Options.GiveUpAfter).Milliseconds();
        foreach (var (name, early) in await rows.ListAsync(Tables.Early, ct))
        {
            var kept = early.Contents.Where(change => change.ReceivedAt > oldest).ToList();
            if (kept.Count == early.Contents.Count)
            {
                continue;
            }

            rows.ErasesRemoved = true;
            rows.Remove(Tables.Early, name);
            if (kept.Count > 0)
            {
                rows.Put(Tables.Early, name, new EarlyRecord { Contents = { kept } });
            }
        }
    }

    private async Task AddAsync(
        StoreTransaction rows, Guid with, Guid sender, Content content, bool isFromElsewhere, CancellationToken ct)
    {
        var message = new MessageRecord
        {
            Conversation = with.ToBytes(),
            Sender = sender.ToBytes(),
            Id = content.Id,
            Content = content,
            ReceivedAt = device.Now.Milliseconds(),
        };
        var name = Tables.Key(message.Sender, content.Id);
        if (await rows.ReadAsync(Tables.Messages(message.Conversation), name, ct) is not null)
        {
            return;
        }

        if (await rows.ReadAsync(Tables.Erased, name, ct) is not null)
        {
            rows.ErasesRemoved = true;
            return;
        }

        // Neither order nor keys are wanted any more; what a later version added stays.
        message.Content.Order = null;
        message.Content.ProfileKey = ByteString.Empty;
        message.Content.DeviceList = ByteString.Empty;
        if (content.Expiry is { } expiry && (expiry.FromSending || sender == device.Account))
        {
            Time(rows, message, Math.Min(content.Timestamp, device.Now.Milliseconds()) + expiry.Seconds * 1000ul);
        }

        rows.Put(Tables.Messages(message.Conversation), name, message);
        if (sender != device.Account || isFromElsewhere)
        {
            device.Events.Add(rows, new EventRecord { Message = NameOf(message.Conversation, message.Sender, message.Id) });
        }

        if (await EarlyReads.TakeAsync(rows, message.Conversation, message.Sender, content.Id, ct) is { } readAt)
        {
            await ReadAsync(rows, with, message.Sender, content.Id, readAt, ct);
        }

        await ApplyEarlyAsync(rows, with, content.Id, ct);
    }

    private async Task ChangeAsync(StoreTransaction rows, Guid with, Guid sender, Content change, ByteString target, CancellationToken ct)
    {
        // A target is named by its id alone: it is a message of either side, or of any member.
        foreach (var author in await AuthorsAsync(rows, with, sender, ct))
        {
            var (table, name) = (Tables.Messages(with.ToBytes()), Tables.Key(author, target));
            if (await rows.ReadAsync(Tables.Erased, name, ct) is not null)
            {
                rows.ErasesRemoved = true;
                return;
            }

            if (await rows.ReadAsync(table, name, ct) is not { } message)
            {
                continue;
            }

            if (Apply(message, sender.ToBytes(), change))
            {
                rows.Put(table, name, message);
                rows.ErasesRemoved |= change.BodyCase != Content.BodyOneofCase.Reaction;
                device.Events.Add(rows, new EventRecord { Changed = NameOf(message.Conversation, message.Sender, message.Id) });
            }

            return;
        }

        await KeepEarlyAsync(rows, EarlyName(with, target), sender.ToBytes(), change, ct);
    }

    private async Task KeepEarlyAsync(StoreTransaction rows, string name, ByteString sender, Content change, CancellationToken ct)
    {
        var early = await rows.ReadAsync(Tables.Early, name, ct);
        var others = await rows.ListAsync(Tables.Early, ct);
        if (early is null && others.Count(other => other.Record.Contents.Any(kept => kept.Sender == sender)) >= MaxEarlyTargets)
        {
            return;
        }

        early ??= new EarlyRecord();
        if (early.Contents.Count < MaxEarly)
        {
            early.Contents.Add(new HeldContent { Content = change, ReceivedAt = device.Now.Milliseconds(), Sender = sender });
            rows.Put(Tables.Early, name, early);
        }
    }

    private async Task ApplyEarlyAsync(StoreTransaction rows, Guid with, ByteString target, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.Early, EarlyName(with, target), ct) is { } early)
        {
            rows.Remove(Tables.Early, EarlyName(with, target));
            rows.ErasesRemoved = true;
            foreach (var change in early.Contents)
            {
                await ChangeAsync(rows, with, SenderOf(change, with), change.Content, target, ct);
            }
        }
    }

    // Rows of earlier versions say no more than whether it was this account.
    private Guid SenderOf(HeldContent change, Guid with) =>
        change.Sender.Length == 16 ? change.Sender.ToGuid() : change.Device == 1 ? device.Account : with;

    private async Task<IEnumerable<ByteString>> AuthorsAsync(StoreTransaction rows, Guid with, Guid sender, CancellationToken ct) =>
        (await GroupRecords.FindAsync(rows, with, ct))?.Newest() is { } group
            ? group.State.Members.Select(member => member.Account).Prepend(sender.ToBytes()).Distinct()
            : [with.ToBytes(), device.Account.ToBytes()];

    /// <summary>Makes a change, if its sender may; false: nothing changed.</summary>
    private static bool Apply(MessageRecord message, ByteString sender, Content change)
    {
        if (message.Deleted)
        {
            return false;
        }

        switch (change.BodyCase)
        {
            case Content.BodyOneofCase.Reaction:
                return React(message, sender, change);
            case Content.BodyOneofCase.Edit when message.Sender == sender && message.Content.Text is not null
                && change.Edit.Text is { } text && change.Timestamp > message.EditedAt:
                (message.Content.Text, message.EditedAt) = (text, change.Timestamp);
                return true;
            case Content.BodyOneofCase.Delete when message.Sender == sender:
                message.Content = new Content { Id = message.Id, Timestamp = message.Content.Timestamp, Expiry = message.Content.Expiry };
                message.Reactions.Clear();
                message.Deleted = true;
                return true;
            default:
                return false;
        }
    }

    private static bool React(MessageRecord message, ByteString sender, Content change)
    {
        var known = message.Reactions.FirstOrDefault(reaction => reaction.Sender == sender);
        if (known is not null && known.Timestamp >= change.Timestamp)
        {
            return false;
        }

        if (known is not null)
        {
            message.Reactions.Remove(known);
        }

        message.Reactions.Add(new ReactionRecord { Sender = sender, Emoji = change.Reaction.Emoji, Timestamp = change.Timestamp });
        return true;
    }

    private static async Task SetTimerAsync(StoreTransaction rows, Guid with, Content content, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, with, ct);
        if (content.Timestamp > contact.TimerTimestamp)
        {
            (contact.Timer, contact.TimerTimestamp) = (content.ExpiryTimer, content.Timestamp);
            Contacts.Put(rows, contact);
        }
    }

    private void Time(StoreTransaction rows, MessageRecord message, ulong eraseAt)
    {
        message.EraseAt = eraseAt;
        rows.Put(
            Tables.Timed,
            Tables.Key(message.Sender, message.Id),
            new EventRecord { Message = NameOf(message.Conversation, message.Sender, message.Id) });
        rows.Afterwards(device.Wake);
    }

    private static string EarlyName(Guid with, ByteString target) => Tables.Key(with.ToBytes(), target);

    private static EventRecord.Types.ContentName NameOf(ByteString with, ByteString sender, ByteString id) =>
        new() { Conversation = with, Sender = sender, Id = id };
}
