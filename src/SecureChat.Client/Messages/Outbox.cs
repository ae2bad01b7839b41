using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>
/// What this device sends and keeps until its recipient has confirmed it: the server forgets after an hour or two, the outbox does
/// not. Spec: docs/protocol/content.md#confirmation.
/// </summary>
internal sealed class Outbox(Device device, Delivery delivery) : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan LongestRepeat = TimeSpan.FromHours(24);

    /// <summary>What has used up one part in so many of its life with the server is not fresh any more.</summary>
    private const int Freshness = 8;

    /// <summary>Who has not come for so often is away for longer: then a copy is replaced when it has died.</summary>
    private const int MaxRefreshes = 16;

    /// <summary>Seconds; the server takes no shorter life.</summary>
    private const int ShortestLife = 60;

    /// <summary>How often one content is sent again because its recipient could not read it.</summary>
    private const int MaxAskedAgain = 5;

    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Takes a content in: numbers it and keeps it, durable with the transaction.</summary>
    public async Task AddAsync(StoreTransaction rows, Guid recipient, Content content, bool urgent, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, recipient, ct);
        content.Order = new Order { Stream = device.Stream, Sequence = ++contact.NextSequence };
        Contacts.Put(rows, contact);
        var name = Tables.Key(contact.Account, content.Id);
        rows.Put(Tables.Outbox, name, new OutboxRecord
        {
            Recipient = contact.Account,
            Content = content,
            Created = device.Now.Milliseconds(),
            NextTry = device.Now.Milliseconds(),
            Urgent = urgent,
        });
        rows.Afterwards(device.Wake);
    }

    /// <summary>Sends what is due, to each recipient in order.</summary>
    /// <returns>When something is due next; null: nothing is kept.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var kept = await device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.Outbox, ct), ct);
            foreach (var lane in kept.GroupBy(entry => entry.Record.Recipient))
            {
                // What is new goes with what is not fresh: copies that die together cannot arrive the later without the earlier.
                var isNew = lane.Any(entry => entry.Record.Acceptance == 0 && entry.Record.NextTry <= device.Now.Milliseconds());
                await RunLaneAsync([.. lane.OrderBy(entry => entry.Record.Content.Order.Sequence).Select(entry => entry.Key)], isNew, ct);
            }

            kept = await device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.Outbox, ct), ct);
            return kept.GroupBy(entry => entry.Record.Recipient).Select(lane => DueAt(lane.Select(entry => entry.Record))).Min()?.ToTime();
        }
        finally
        {
            _turn.Release();
        }
    }

    // Those behind one that the server has not accepted yet wait for it, however long they have been due.
    private static ulong? DueAt(IEnumerable<OutboxRecord> lane)
    {
        ulong? due = null;
        foreach (var entry in lane.OrderBy(entry => entry.Content.Order.Sequence))
        {
            due = Math.Min(due ?? ulong.MaxValue, entry.NextTry);
            if (entry.Acceptance == 0)
            {
                break;
            }
        }

        return due;
    }

    /// <summary>The recipient has these: they need not be kept.</summary>
    public async Task ConfirmAsync(StoreTransaction rows, Guid recipient, Receipt receipt, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, recipient, ct);
        ulong newest = 0;
        foreach (var id in receipt.Targets)
        {
            var name = Tables.Key(contact.Account, id);
            if (await rows.ReadAsync(Tables.Outbox, name, ct) is { } entry)
            {
                newest = Math.Max(newest, entry.Acceptance);
                rows.Remove(Tables.Outbox, name);
                rows.ErasesRemoved = true;
            }

            await ProgressAsync(device, rows, recipient, id, receipt.Kind == Receipt.Types.Kind.Read ? MessageProgress.Read : MessageProgress.Delivered, ct);
        }

        if (!contact.HasConfirmed)
        {
            contact.HasConfirmed = true;
            Contacts.Put(rows, contact);
        }

        // What was sent before something that came, and did not come itself, was lost.
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (entry.Recipient == contact.Account && entry.Acceptance != 0 && entry.Acceptance < newest)
            {
                SendNow(rows, name, entry);
            }
        }
    }

    /// <summary>The recipient is back: what the server has forgotten meanwhile is sent at once.</summary>
    public async Task ReturnedAsync(StoreTransaction rows, Guid recipient, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (entry.Recipient.ToGuid() == recipient && entry.DiesAt <= device.Now.Milliseconds())
            {
                SendNow(rows, name, entry);
            }
        }
    }

    /// <summary>The recipient could not read what was sent at that time.</summary>
    public async Task AskedAgainAsync(StoreTransaction rows, Guid recipient, ulong timestamp, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (entry.Recipient.ToGuid() == recipient && entry.Content.Timestamp == timestamp && entry.AskedAgain < MaxAskedAgain)
            {
                entry.AskedAgain++;
                SendNow(rows, name, entry);
            }
        }
    }

    /// <summary>
    /// This device has just connected, and nobody knows for how long: what the server never got is tried at once, and what is with it for
    /// some time already is sent again, so that it is there for whoever comes within the server's life from now on.
    /// </summary>
    public async Task RefreshAsync(StoreTransaction rows, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            var contact = await Contacts.GetAsync(rows, entry.Recipient.ToGuid(), ct);

            // Not again for who never confirms: that may be somebody who has not agreed to hear from us.
            if (entry.Acceptance == 0 ? !contact.ApprovalNeeded : IsStale(entry) && contact.HasConfirmed)
            {
                SendNow(rows, name, entry);
            }
        }
    }

    /// <summary>Gives up what has destroyed itself, whether there is a network or not.</summary>
    /// <returns>When the next one does; null: none.</returns>
    public async Task<DateTimeOffset?> SweepAsync(StoreTransaction rows, CancellationToken ct)
    {
        DateTimeOffset? next = null;
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (DestroysItselfAt(entry.Content) is not { } due)
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

    /// <summary>A message of this account destroyed itself on both sides: what was to stand in its place goes with it.</summary>
    public async Task DropEditsAsync(StoreTransaction rows, ByteString target, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (Inside(entry.Content).Edit?.Target == target)
            {
                await GiveUpAsync(rows, name, entry, ct);
            }
        }
    }

    /// <summary>When a content that is to be sent destroys itself; null: not before it was read. One's own devices count from sending.</summary>
    public static DateTimeOffset? DestroysItselfAt(Content content)
    {
        var inside = Inside(content);
        return inside.Expiry is { } expiry && (expiry.FromSending || inside != content)
            ? inside.Timestamp.ToTime() + TimeSpan.FromSeconds(expiry.Seconds)
            : null;
    }

    /// <summary>What a copy for one's own devices is a copy of; any other content itself.</summary>
    public static Content Inside(Content content) => content.Sync?.Sent?.Content ?? content;

    /// <summary>Everything for an account, now: its identity was agreed to. Copies that the server took for the one before are of no use to it.</summary>
    public async Task ResumeAsync(StoreTransaction rows, Guid recipient, CancellationToken ct)
    {
        foreach (var (name, entry) in await rows.ListAsync(Tables.Outbox, ct))
        {
            if (entry.Recipient.ToGuid() == recipient)
            {
                SendNow(rows, name, entry);
            }
        }
    }

    public void Dispose() => _turn.Dispose();

    private bool IsStale(OutboxRecord entry) =>
        entry.Acceptance != 0 && entry.TimesAccepted <= MaxRefreshes
        && entry.DiesAt <= (device.Now + (device.Options.ServerLife * (Freshness - 1) / Freshness)).Milliseconds();

    private void SendNow(StoreTransaction rows, string name, OutboxRecord entry)
    {
        entry.NextTry = device.Now.Milliseconds();
        rows.Put(Tables.Outbox, name, entry);
        rows.Afterwards(device.Wake);
    }

    // In order: when one has to wait, those behind it wait too.
    private async Task RunLaneAsync(List<string> names, bool isNew, CancellationToken ct)
    {
        ulong oldest = 0;
        var firstDeath = ulong.MaxValue;
        foreach (var name in names)
        {
            var entry = await device.Turns.RunAsync(rows => PrepareAsync(rows, name, oldest, ct), ct);
            oldest = oldest == 0 ? entry?.Content.Order.Sequence ?? 0 : oldest;
            if (entry is null || (entry.NextTry > device.Now.Milliseconds() && !(isNew && IsStale(entry))))
            {
                if (entry is { Acceptance: 0 })
                {
                    return;
                }

                firstDeath = Math.Min(firstDeath, entry?.DiesAt ?? firstDeath);
                continue;
            }

            var now = device.Now.Milliseconds();
            int? life = firstDeath == ulong.MaxValue ? null : (int)((Math.Max(firstDeath, now) - now) / 1000);
            var handing = new Handing(entry.Urgent, ExpiresIn: life is { } seconds ? Math.Max(seconds, ShortestLife) : null);
            var handed = await delivery.HandAsync(entry.Recipient.ToGuid(), entry.Content, handing, ct);
            await device.Turns.RunAsync(rows => RecordAsync(rows, name, handed, handing.ExpiresIn, entry.AskedAgain, ct), ct);
            if (handed != Handed.Accepted)
            {
                await device.Turns.RunAsync(rows => HoldBackAsync(rows, name, names, ct), ct);
                return;
            }

            firstDeath = Math.Min(firstDeath, now + (handing.ExpiresIn is { } given ? (ulong)given * 1000 : device.Options.ServerLife.Milliseconds()));
        }
    }

    // Without this, what is due behind one that was refused would have the lane tried again at once, and for ever.
    private static async Task HoldBackAsync(StoreTransaction rows, string refused, List<string> lane, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.Outbox, refused, ct) is not { } first)
        {
            return;
        }

        foreach (var name in lane.SkipWhile(name => name != refused).Skip(1))
        {
            if (await rows.ReadAsync(Tables.Outbox, name, ct) is { } entry && entry.NextTry < first.NextTry)
            {
                entry.NextTry = first.NextTry;
                rows.Put(Tables.Outbox, name, entry);
            }
        }
    }

    /// <summary>The entry as it is sent now; null: confirmed or given up meanwhile.</summary>
    /// <param name="oldest">The lowest sequence that is kept for this recipient; 0: this one's.</param>
    private async Task<OutboxRecord?> PrepareAsync(StoreTransaction rows, string name, ulong oldest, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.Outbox, name, ct) is not { } entry)
        {
            return null;
        }

        if (entry.Created.ToTime() + device.Options.GiveUpAfter <= device.Now || DestroysItselfAt(entry.Content) <= device.Now)
        {
            await GiveUpAsync(rows, name, entry, ct);
            return null;
        }

        entry.Content.Order.OldestKept = oldest == 0 ? entry.Content.Order.Sequence : oldest;
        var contact = await Contacts.GetAsync(rows, entry.Recipient.ToGuid(), ct);
        if (contact.Accepted)
        {
            entry.Content.ProfileKey = ByteString.CopyFrom(device.ProfileKey);
        }

        return entry;
    }

    private async Task GiveUpAsync(StoreTransaction rows, string name, OutboxRecord entry, CancellationToken ct)
    {
        rows.Remove(Tables.Outbox, name);
        rows.ErasesRemoved = true;
        await ProgressAsync(device, rows, entry.Recipient.ToGuid(), entry.Content.Id, MessageProgress.NotDelivered, ct);
    }

    /// <param name="asked">How often it had been asked for when it was sent: a request may be here before the server's answer.</param>
    private async Task RecordAsync(StoreTransaction rows, string name, Handed handed, int? life, uint asked, CancellationToken ct)
    {
        if (await rows.ReadAsync(Tables.Outbox, name, ct) is not { } entry)
        {
            return;
        }

        var recipient = entry.Recipient.ToGuid();
        switch (handed)
        {
            case Handed.Accepted:
                var self = await Device.SelfAsync(rows, ct);
                entry.Acceptance = ++self.LastEvent;
                rows.Put(Tables.Self, Tables.Only, self);
                (entry.AcceptedAt, entry.Refusals, entry.TimesAccepted) = (device.Now.Milliseconds(), 0, entry.TimesAccepted + 1);
                var lives = life is { } seconds ? TimeSpan.FromSeconds(seconds) : device.Options.ServerLife;
                entry.DiesAt = (device.Now + lives).Milliseconds();
                var wait = entry.AskedAgain > asked ? TimeSpan.Zero : await RepeatAfterAsync(rows, entry, lives, ct);
                entry.NextTry = (device.Now + wait).Milliseconds();
                await ProgressAsync(device, rows, recipient, entry.Content.Id, MessageProgress.Sent, ct);
                break;
            case Handed.Nobody when recipient == device.Account:
                // This is the account's only device.
                rows.Remove(Tables.Outbox, name);
                return;
            case Handed.Nobody:
                await GiveUpAsync(rows, name, entry, ct);
                return;
            case Handed.AwaitsApproval:
                entry.NextTry = (device.Now + device.Options.GiveUpAfter).Milliseconds();
                break;
            default:
                var pause = FirstPause * Math.Pow(2, Math.Min(entry.Refusals++, 10));
                entry.NextTry = (device.Now + Jitter.Of(delivery.RetryAfter ?? (pause < LongestPause ? pause : LongestPause))).Milliseconds();
                break;
        }

        rows.Put(Tables.Outbox, name, entry);
    }

    // Somebody who never confirms, such as one who has not agreed to hear from us, is asked less and less often.
    private static async Task<TimeSpan> RepeatAfterAsync(StoreTransaction rows, OutboxRecord entry, TimeSpan life, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, entry.Recipient.ToGuid(), ct);
        if (contact.HasConfirmed)
        {
            return life;
        }

        var longer = life * Math.Pow(2, Math.Min(entry.TimesAccepted - 1, 10));
        return longer < LongestRepeat ? longer : LongestRepeat;
    }

    /// <summary>How far a message of this device has come.</summary>
    public static async Task ProgressAsync(
        Device device, StoreTransaction rows, Guid recipient, ByteString id, MessageProgress progress, CancellationToken ct)
    {
        var own = device.Account.ToBytes();
        var table = Tables.Messages(recipient.ToBytes());
        if (await rows.ReadAsync(table, Tables.Key(own, id), ct) is not { } message || IsNoNews(message.Progress, progress))
        {
            return;
        }

        message.Progress = progress;
        rows.Put(table, Tables.Key(own, id), message);
        device.Events.Add(rows, new EventRecord { Progress = new() { Conversation = message.Conversation, Sender = own, Id = id } });
    }

    private static bool IsNoNews(MessageProgress known, MessageProgress said) =>
        said == MessageProgress.NotDelivered
            ? known is MessageProgress.Delivered or MessageProgress.Read
            : known is not MessageProgress.NotDelivered && said <= known;
}
