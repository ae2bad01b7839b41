using Dapper;
using Microsoft.Data.Sqlite;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Support;

/// <summary>What a node's queue holds: the bodies that several recipients share, and what each has for itself.</summary>
internal static class QueueContent
{
    public static async Task<(List<byte[]> Bodies, List<byte[]> Heads)> ReadAsync(LoopbackNode node, Stores stores)
    {
        if (stores is Stores.Embedded)
        {
            await using var file = new SqliteConnection($"Data Source={Path.Combine(node.Folder, "queue.db")};Mode=ReadOnly;Pooling=False");
            return ([.. await file.QueryAsync<byte[]>("SELECT body FROM shared_body")], [.. await file.QueryAsync<byte[]>("SELECT body FROM envelope")]);
        }

        var redis = node.Get<IConnectionMultiplexer>();
        var store = redis.GetDatabase();
        var (bodies, heads) = (new List<byte[]>(), new List<byte[]>());
        await foreach (var key in redis.GetServers()[0].KeysAsync(store.Database).WithCancellation(TestContext.Current.CancellationToken))
        {
            if (key.ToString().StartsWith($"{HotKeys.SharedBody}:", StringComparison.Ordinal))
            {
                bodies.Add(((byte[]?)await store.HashGetAsync(key, "d"))!);
            }
            else if (key.ToString().StartsWith($"{HotKeys.Message}:", StringComparison.Ordinal))
            {
                heads.Add(((byte[]?)await store.StringGetAsync(key))!);
            }
        }

        return (bodies, heads);
    }
}
