using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Groups;

/// <summary>
/// What this device sends to groups, kept until every member has confirmed it: once to all in one request, and again to each who has
/// not confirmed when the server's copy has died. Spec: docs/protocol/groups.md#messages.
/// </summary>
internal sealed class GroupOutbox(Device device, GroupFanOut fanOut) : IDisposable
{
    private const int MaxAskedAgain = 5;
    private const int MaxDoublings = 4;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Takes a content in for the members of now: those who come later have no claim to it.</summary>
    public async Task AddAsync(StoreTransaction rows, GroupRecord record, Content content, CancellationToken ct)
    {
        var own = device.Account.ToBytes();
        content.Group = record.Group;
        content.Order = new Order { Stream = device.Stream, Sequence = ++record.NextSequence };
        GroupRecords.Put(rows, record);
        var entry = new GroupOutboxRecord { Group = record.Group, Content = content, Created = device.Now.Milliseconds() };
        foreach (var member in record.Newest()!.State.Members.Where(member => member.Account != own))
        {
            entry.Recipients.Add(new GroupRecipient { Account = member.Account, NextTry = entry.Created });
        }

        if (entry.Recipients.Count > 0)
        {
            await PutAsync(rows, Tables.Hex(content.Id), entry, ct);
        }

        rows.Afterwards(device.Wake);
    }

    /// <summary>Sends what is due.</summary>
    /// <returns>When something is due next; null: nothing is kept.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var kept = await ListAsync(ct);
            foreach (var lane in kept.GroupBy(row => row.Record.Group))
            {
                var oldest = lane.Min(row => row.Record.Content.Order.Sequence);
                foreach (var name in lane.OrderBy(row => row.Record.Content.Order.Sequence).Select(row => row.Key))
                {
                    if (await device.Turns.RunAsync(rows => PrepareAsync(rows, name, oldest, ct), ct) is { } lot)
                    {
                        var results = await fanOut.SendAsync(lot, ct);
                        await device.Turns.RunAsync(rows => RecordAsync(rows, name, lot, results, ct), ct);
                    }
                }
            }

            kept = await ListAsync(ct);
            return kept.SelectMany(row => row.Record.Recipients).Select(recipient => (ulong?)recipient.NextTry).Min()?.ToTime();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Tells accounts of the newest version in their sessions, as well as it goes: it is not kept.</summary>
    public async Task TellAsync(Guid conversation, IReadOnlyList<ByteString> accounts, CancellationToken ct)
    {
        foreach (var account in accounts)
        {
            await fanOut.TellAsync(conversation, account.ToGuid(), ct);
        }
    }

    /// <summary>A member has these.</summary>
    public async Task ConfirmAsync(StoreTransaction rows, Guid member, Receipt receipt, CancellationToken ct)
    {
        foreach (var id in receipt.Targets)
        {
            var name = Tables.Hex(id);
            if (await rows.ReadAsync(Tables.GroupOutbox, name, ct) is { } entry && Find(entry, member.ToBytes()) is { } recipient)
            {
                entry.Recipients.Remove(recipient);
                entry.Confirmed++;
                await PutAsync(rows, name, entry, ct);
            }
        }
    }

    /// <summary>A member could not read what was sent at that time: it gets the sender key and the content again, in its session.</summary>
    public async Task AskedAgainAsync(StoreTransaction rows, Guid member, ulong timestamp, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.GroupOutbox, ct))
        {
            if (entry.Content.Timestamp == timestamp && Find(entry, member.ToBytes()) is { AskedAgain: < MaxAskedAgain } recipient)
            {
                recipient.AskedAgain++;
                recipient.NextTry = device.Now.Milliseconds();
                rows.Put(Tables.GroupOutbox, name, entry);
                rows.Afterwards(device.Wake);
            }
        }
    }

    /// <summary>Gives up what has destroyed itself, whether there is a network or not.</summary>
    /// <returns>When the next one does; null: none.</returns>
    public async Task<DateTimeOffset?> SweepAsync(StoreTransaction rows, CancellationToken ct)
    {
        DateTimeOffset? next = null;
        foreach (var (name, entry) in await rows.ListAsync(Tables.GroupOutbox, ct))
        {
            if (Outbox.DestroysItselfAt(entry.Content) is not { } due)
            {
                continue;
            }

            if (due <= device.Now)
            {
                await GiveUpAsync(rows, name, entry, ct);
            }
            else if (next is null || due < next)
            {
                next = due;
            }
        }

        return next;
    }

    /// <inheritdoc cref="Outbox.DropEditsAsync"/>
    public async Task DropEditsAsync(StoreTransaction rows, ByteString target, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.GroupOutbox, ct))
        {
            if (entry.Content.Edit?.Target == target)
            {
                await GiveUpAsync(rows, name, entry, ct);
            }
        }
    }

    public void Dispose() => _turn.Dispose();

    private Task<IReadOnlyList<(string Key, GroupOutboxRecord Record)>> ListAsync(CancellationToken ct) =>
        device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.GroupOutbox, ct), ct);

    private Task GiveUpAsync(StoreTransaction rows, string name, GroupOutboxRecord entry, CancellationToken ct)
    {
        entry.Recipients.Clear();
        return PutAsync(rows, name, entry, ct);
    }

    private static GroupRecipient? Find(GroupOutboxRecord entry, ByteString account) =>
        entry.Recipients.FirstOrDefault(recipient => recipient.Account == account);

    /// <summary>What is due of an entry, as it is sent now; null: nothing.</summary>
    private async Task<GroupLot?> PrepareAsync(StoreTransaction rows, string name, ulong oldest, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.GroupOutbox, name, ct) is not { } entry)
        {
            return null;
        }

        var conversation = GroupRecords.ConversationOf(entry.Group);
        var record = await GroupRecords.FindAsync(rows, conversation, ct);
        var isOver = entry.Created.ToTime() + device.Options.GiveUpAfter <= device.Now || record is null || record.IsLeft
            || Outbox.DestroysItselfAt(entry.Content) <= device.Now;
        foreach (var gone in entry.Recipients.Where(recipient => isOver || !record!.Has(recipient.Account)).ToList())
        {
            entry.Recipients.Remove(gone);
        }

        await PutAsync(rows, name, entry, ct);
        var due = entry.Recipients.Where(recipient => recipient.NextTry <= device.Now.Milliseconds()).ToList();
        if (due.Count == 0)
        {
            return null;
        }

        var newest = record!.Newest()!;
        var content = entry.Content;
        content.Order.OldestKept = oldest;
        content.GroupPoint = new GroupPoint { Version = newest.State.Version, Hash = newest.Hash };
        content.ProfileKey = ByteString.CopyFrom(device.ProfileKey);
        content.DeviceList = (await Contacts.GetAsync(rows, device.Account, ct)).DeviceList;
        return new GroupLot(conversation, content, due);
    }

    private async Task RecordAsync(
        StoreTransaction rows, string name, GroupLot lot, IReadOnlyDictionary<ByteString, Handed> results, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.GroupOutbox, name, ct) is not { } entry)
        {
            return;
        }

        foreach (var recipient in entry.Recipients.Where(recipient => results.ContainsKey(recipient.Account)).ToList())
        {
            switch (results[recipient.Account])
            {
                case Handed.Accepted:
                    var life = device.Options.ServerLife * Math.Pow(2, Math.Min(recipient.Accepted++, MaxDoublings));

                    // It may have been asked for again before the server's answer was here.
                    var isAsked = recipient.AskedAgain > lot.Recipients.First(sent => sent.Account == recipient.Account).AskedAgain;
                    (recipient.NextTry, recipient.Refusals) = ((isAsked ? device.Now : device.Now + life).Milliseconds(), 0);
                    break;
                case Handed.Nobody:
                    entry.Recipients.Remove(recipient);
                    break;
                default:
                    var pause = FirstPause * Math.Pow(2, Math.Min(recipient.Refusals++, 10));
                    recipient.NextTry = (device.Now + Jitter.Of(pause)).Milliseconds();
                    break;
            }
        }

        if (entry.Recipients.Any(recipient => results.ContainsKey(recipient.Account))
            && entry.Recipients.All(recipient => recipient.Accepted > 0))
        {
            await ProgressAsync(rows, entry, MessageProgress.Sent, ct);
        }

        await PutAsync(rows, name, entry, ct);
    }

    /// <summary>Keeps an entry, or ends it: nobody is left who could confirm it.</summary>
    private async Task PutAsync(StoreTransaction rows, string name, GroupOutboxRecord entry, CancellationToken ct)
    {
        if (entry.Recipients.Count > 0)
        {
            rows.Put(Tables.GroupOutbox, name, entry);
            return;
        }

        rows.Remove(Tables.GroupOutbox, name);
        rows.ErasesRemoved = true;
        await ProgressAsync(rows, entry, entry.Confirmed > 0 ? MessageProgress.Delivered : MessageProgress.NotDelivered, ct);
    }

    private Task ProgressAsync(StoreTransaction rows, GroupOutboxRecord entry, MessageProgress progress, CancellationToken ct) =>
        Outbox.ProgressAsync(device, rows, GroupRecords.ConversationOf(entry.Group), entry.Content.Id, progress, ct);
}

/// <summary>A content of a group, and the members that it is due for.</summary>
internal sealed record GroupLot(Guid Conversation, Content Content, IReadOnlyList<GroupRecipient> Recipients);
