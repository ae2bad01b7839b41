using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>
/// What is kept back for something that is missing: a content before it, or the state of its group. It destroys itself as what is shown
/// does. Spec: docs/protocol/content.md#self-destruction.
/// </summary>
internal sealed class HeldContents(Device device)
{
    /// <summary>Streams are named sender.device, and .conversation in a group.</summary>
    private const int GroupPart = 2;

    /// <summary>Whose a stream is, and in which conversation.</summary>
    public static (Guid Sender, Guid With) OfStream(string name)
    {
        var parts = name.Split('.');
        var sender = Guid.ParseExact(parts[0], "N");
        return (sender, parts.Length > GroupPart ? Guid.ParseExact(parts[GroupPart], "N") : sender);
    }

    /// <summary>Empties what has destroyed itself or was opened elsewhere, and changes of it; all that is left is the place in the order.</summary>
    /// <returns>When the next one does; null: none.</returns>
    public async Task<DateTimeOffset?> SweepAsync(StoreTransaction rows, CancellationToken ct)
    {
        DateTimeOffset? next = null;
        foreach (var place in (await ListAsync(rows, ct)).OrderBy(place => place.Content.Timestamp))
        {
            var due = await DueAtAsync(rows, place, ct);
            if (due <= device.Now || await IsErasedAsync(rows, place, ct))
            {
                Empty(rows, place);
            }
            else if (next is null || due < next)
            {
                next = due ?? next;
            }
        }

        return next;
    }

    private static async Task<IReadOnlyList<Place>> ListAsync(StoreTransaction rows, CancellationToken ct)
    {
        var places = new List<Place>();
        foreach (var (name, stream) in await rows.ListAsync(Tables.Streams, ct))
        {
            var (sender, with) = OfStream(name);
            places.AddRange(stream.Held.Select(
                held => new Place(with.ToBytes(), sender.ToBytes(), held, () => rows.Put(Tables.Streams, name, stream))));
        }

        foreach (var (_, group) in await rows.ListAsync(Tables.Groups, ct))
        {
            var with = GroupRecords.ConversationOf(group.Group).ToBytes();
            places.AddRange(group.Held.Select(held => new Place(with, held.Sender, held, () => GroupRecords.Put(rows, group))));
        }

        return [.. places.Where(place => !place.Content.Equals(Emptied(place.Content)))];
    }

    /// <summary>When it destroys itself; null: not, or the time begins with reading.</summary>
    private async Task<DateTimeOffset?> DueAtAsync(StoreTransaction rows, Place place, CancellationToken ct)
    {
        var inside = Outbox.Inside(place.Content);
        if (inside.Expiry is not { } expiry)
        {
            return null;
        }

        var begins = expiry.FromSending || AuthorOf(place) == device.Account.ToBytes()
            ? Math.Min(inside.Timestamp, place.Held.ReceivedAt)
            : await EarlyReads.FindAsync(rows, place.With, place.Sender, inside.Id, ct);
        return begins?.ToTime() + TimeSpan.FromSeconds(expiry.Seconds);
    }

    private async Task<bool> IsErasedAsync(StoreTransaction rows, Place place, CancellationToken ct)
    {
        var (author, inside) = (AuthorOf(place), Outbox.Inside(place.Content));
        return await rows.ReadAsync(Tables.Erased, Tables.Key(author, inside.Id), ct) is not null
            || (inside.Edit is { } edit && await rows.ReadAsync(Tables.Erased, Tables.Key(author, edit.Target), ct) is not null);
    }

    private void Empty(StoreTransaction rows, Place place)
    {
        // Neither what is left of it nor what it was a copy of is shown when its turn comes, and no change waits for it.
        var (inside, erased) = (Outbox.Inside(place.Content), new SeenRecord { At = device.Now.Milliseconds() });
        rows.Put(Tables.Erased, Tables.Key(place.Sender, place.Content.Id), erased);
        rows.Put(Tables.Erased, Tables.Key(AuthorOf(place), inside.Id), erased);
        rows.Remove(Tables.Early, Tables.Key(place.With, inside.Id));
        place.Held.Content = Emptied(place.Content);
        place.Keep();
        rows.ErasesRemoved = true;
    }

    // Made anew: what a later version has put in, this one cannot tell from text.
    private static Content Emptied(Content content) => new()
    {
        Id = content.Id,
        Timestamp = content.Timestamp,
        Order = content.Order,
        Group = content.Group,
        GroupPoint = content.GroupPoint,
        Sync = content.Sync is null ? null : new SyncMessage(),
    };

    // A copy of what another device of the account has sent comes from the account itself.
    private ByteString AuthorOf(Place place) => place.Content.Sync is null ? place.Sender : device.Account.ToBytes();

    private sealed record Place(ByteString With, ByteString Sender, HeldContent Held, Action Keep)
    {
        public Content Content => Held.Content;
    }
}
