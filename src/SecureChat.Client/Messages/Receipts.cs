using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>
/// Receipts that confirm without letting anybody watch: to contacts alone, together, after a random wait, one per account.
/// Spec: docs/protocol/content.md#receipts.
/// </summary>
internal sealed class Receipts(Device device, Delivery delivery, Outbox outbox)
{
    /// <summary>Targets of one receipt.</summary>
    private const int MaxTargets = 128;

    /// <summary>Receipts in an hour that silent kinds can bring forth, per contact.</summary>
    private const uint SilentBudget = 20;

    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Spread = TimeSpan.FromSeconds(29);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMinutes(1);

    /// <summary>A content was kept: its sender is told, if it is a contact.</summary>
    /// <param name="silent">Whether the content shows nothing new by itself.</param>
    /// <param name="inGroup">Whether it came in a group that the person has agreed to be in: that agrees to confirm what is sent there.</param>
    /// <param name="again">Whether this device had it already: then the receipt was lost, whoever sent it.</param>
    public async Task DeliveredAsync(
        StoreTransaction rows, Guid sender, ByteString id, bool silent, bool inGroup, bool again, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, sender, ct);
        if ((!contact.Accepted && !inGroup) || contact.Blocked)
        {
            return;
        }

        if (!again && await rows.ReadAsync(Tables.Confirmed, Tables.Key(contact.Account, id), ct) is not null)
        {
            return;
        }

        var due = device.Now + Shortest + Jitter.Below(Spread);
        if (silent && SpendSilent(contact) is { } end && end > due)
        {
            due = end;
        }

        Contacts.Put(rows, contact);
        await AddAsync(rows, contact, record => record.Delivered, id, due, ct);
    }

    /// <summary>The person has read a content.</summary>
    public async Task ReadAsync(StoreTransaction rows, Guid sender, ByteString id, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, sender, ct);
        if (contact.Accepted && !contact.Blocked && device.Options.SendReadReceipts && sender != device.Account)
        {
            await AddAsync(rows, contact, record => record.Read, id, device.Now + Shortest + Jitter.Below(Spread), ct);
        }
    }

    /// <summary>Another device of this account has told the senders of these.</summary>
    public async Task ConfirmedElsewhereAsync(StoreTransaction rows, Confirmed confirmed, CancellationToken ct)
    {
        foreach (var content in confirmed.Contents)
        {
            // Also before it has come here, or before the person agrees here.
            rows.Put(Tables.Confirmed, Tables.Key(content.Sender, content.Id), new SeenRecord { At = device.Now.Milliseconds() });
            if (await rows.ReadAsync(Tables.Receipts, Tables.Hex(content.Sender), ct) is { } record && record.Delivered.Remove(content.Id))
            {
                Put(rows, record);
            }
        }
    }

    /// <summary>Sends the receipts that are due.</summary>
    /// <returns>When the next ones are; null: there are none.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        foreach (var (_, record) in await ListAsync(ct))
        {
            if (record.Due.ToTime() <= device.Now)
            {
                await SendAsync(record, ct);
            }
        }

        var left = await ListAsync(ct);
        return left.Count == 0 ? null : left.Min(row => row.Record.Due).ToTime();
    }

    private Task<IReadOnlyList<(string Key, ReceiptsRecord Record)>> ListAsync(CancellationToken ct) =>
        device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.Receipts, ct), ct);

    private async Task SendAsync(ReceiptsRecord record, CancellationToken ct)
    {
        // A read receipt confirms too: what is in both goes once.
        var read = record.Read.Take(MaxTargets).ToList();
        var delivered = record.Delivered.Except(record.Read).Take(MaxTargets).ToList();
        var handed = Handed.Accepted;
        if (read.Count > 0)
        {
            handed = await SendAsync(record.Account.ToGuid(), Receipt.Types.Kind.Read, read, ct);
        }

        if (handed == Handed.Accepted && delivered.Count > 0)
        {
            handed = await SendAsync(record.Account.ToGuid(), Receipt.Types.Kind.Delivered, delivered, ct);
        }

        await device.Turns.RunAsync(rows => RecordAsync(rows, record.Account, [.. read, .. delivered], handed, ct), ct);
    }

    private async Task<Handed> SendAsync(Guid account, Receipt.Types.Kind kind, List<ByteString> targets, CancellationToken ct)
    {
        var content = await device.Turns.RunAsync(
            async rows => new Content
            {
                Id = Ids.New().ToBytes(),
                Timestamp = await device.NextTimestampAsync(rows, ct),
                ProfileKey = ByteString.CopyFrom(device.ProfileKey),
                Receipt = new Receipt { Kind = kind, Targets = { targets } },
            },
            ct);
        return await delivery.HandAsync(account, content, new Handing(), ct);
    }

    private async Task RecordAsync(
        StoreTransaction rows, ByteString account, List<ByteString> sent, Handed handed, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.Receipts, Tables.Hex(account), ct) is not { } record)
        {
            return;
        }

        if (handed is Handed.Later or Handed.AwaitsApproval)
        {
            record.Due = (device.Now + Jitter.Of(delivery.RetryAfter ?? PauseAfterFailure)).Milliseconds();
            rows.Put(Tables.Receipts, Tables.Hex(account), record);
            return;
        }

        foreach (var id in sent)
        {
            record.Delivered.Remove(id);
            record.Read.Remove(id);
        }

        Put(rows, record);
        var own = await Contacts.GetAsync(rows, device.Account, ct);
        if (own.Devices.Count > 0 && account != own.Account)
        {
            var confirmed = new Confirmed { Contents = { sent.Select(id => new ContentName { Sender = account, Id = id }) } };
            await outbox.AddAsync(rows, device.Account, await device.NewContentAsync(
                rows, content => content.Sync = new SyncMessage { Confirmed = confirmed }, ct), urgent: false, ct);
        }
    }

    private async Task AddAsync(
        StoreTransaction rows, ContactRecord contact, Func<ReceiptsRecord, ICollection<ByteString>> list, ByteString id, DateTimeOffset due, CancellationToken ct)
    {
        var record = await rows.ReadAsync(Tables.Receipts, Tables.Hex(contact.Account), ct) ?? new ReceiptsRecord { Account = contact.Account };
        if (list(record).Contains(id))
        {
            return;
        }

        list(record).Add(id);
        record.Due = record.Due == 0 ? due.Milliseconds() : Math.Min(record.Due, due.Milliseconds());
        rows.Put(Tables.Receipts, Tables.Hex(contact.Account), record);
        rows.Afterwards(device.Wake);
    }

    private static void Put(StoreTransaction rows, ReceiptsRecord record)
    {
        if (record.Delivered.Count + record.Read.Count == 0)
        {
            rows.Remove(Tables.Receipts, Tables.Hex(record.Account));
        }
        else
        {
            rows.Put(Tables.Receipts, Tables.Hex(record.Account), record);
        }
    }

    /// <summary>Takes one from the hour's budget; the hour's end once it is used up.</summary>
    private DateTimeOffset? SpendSilent(ContactRecord contact)
    {
        if (contact.ReceiptHour.ToTime() + Hour <= device.Now)
        {
            (contact.ReceiptHour, contact.ReceiptsForSilent) = (device.Now.Milliseconds(), 0);
        }

        return ++contact.ReceiptsForSilent > SilentBudget ? contact.ReceiptHour.ToTime() + Hour : null;
    }
}
