using Google.Protobuf;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Messages;

/// <summary>
/// When another device of the account has read what has not come to this one: its time begins there.
/// Spec: docs/protocol/content.md#bodies.
/// </summary>
internal static class EarlyReads
{
    /// <summary>With one more the oldest is forgotten: a linked device never gets what was there before it.</summary>
    private const int Max = 1000;

    /// <summary>Keeps the time at which these were read, until they come.</summary>
    public static async Task KeepAsync(
        StoreTransaction rows, IReadOnlyList<EventRecord.Types.ContentName> read, ulong at, CancellationToken ct)
    {
        foreach (var name in read)
        {
            var key = NameOf(name.Conversation, name.Sender, name.Id);
            if (await rows.ReadAsync(Tables.EarlyReads, key, ct) is null
                && await rows.ReadAsync(Tables.Erased, Tables.Key(name.Sender, name.Id), ct) is null)
            {
                rows.Put(Tables.EarlyReads, key, new SeenRecord { At = at });
            }
        }

        foreach (var (key, _) in (await rows.ListAsync(Tables.EarlyReads, ct)).SkipLast(Max))
        {
            rows.Remove(Tables.EarlyReads, key);
        }
    }

    /// <summary>When it was read; null: it was not.</summary>
    public static async Task<ulong?> FindAsync(
        StoreTransaction rows, ByteString with, ByteString sender, ByteString id, CancellationToken ct) =>
        (await rows.ReadAsync(Tables.EarlyReads, NameOf(with, sender, id), ct))?.At;

    /// <summary>The same for one that has come: it is not kept any longer.</summary>
    public static async Task<ulong?> TakeAsync(
        StoreTransaction rows, ByteString with, ByteString sender, ByteString id, CancellationToken ct)
    {
        var at = await FindAsync(rows, with, sender, id, ct);
        if (at is not null)
        {
            rows.Remove(Tables.EarlyReads, NameOf(with, sender, id));
        }

        return at;
    }

    private static string NameOf(ByteString with, ByteString sender, ByteString id) => $"{Tables.Hex(with)}/{Tables.Key(sender, id)}";
}
