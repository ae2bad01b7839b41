using Microsoft.Data.Sqlite;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Support;

/// <summary>Which stores a test runs on.</summary>
internal enum StoreKind
{
    Embedded,
    Distributed,
    Cluster,
}

/// <summary>Fresh stores for one test; what is not asked for is not made. The cluster is shared: names in it must be unique.</summary>
internal sealed class TestStores(StoreKind kind, TestClock clock) : IAsyncDisposable
{
    /// <summary>Small, so that tests fill a queue quickly.</summary>
    public static readonly QueueCaps SmallCaps = new(Envelopes: 20, Bytes: 10_000);

    private readonly Stack<Func<ValueTask>> _undo = new();
    private readonly string _pushTag = "push:" + Ids.New();
    private string? _folder;
    private IConnectionMultiplexer? _redis;
    private IConnectionMultiplexer? _queueRedis;

    public TestClock Clock { get; } = clock;

    /// <summary>A folder of this test's own.</summary>
    public string Folder
    {
        get
        {
            if (_folder is null)
            {
                _folder = Directory.CreateTempSubdirectory("securechat-test-").FullName;
                _undo.Push(() =>
                {
                    Directory.Delete(_folder, recursive: true);
                    return ValueTask.CompletedTask;
                });
            }

            return _folder;
        }
    }

    public async Task<Database> DatabaseAsync()
    {
        var postgres = "";
        var file = "";
        if (kind == StoreKind.Embedded)
        {
            file = Path.Combine(Folder, "directory.db");
            Migrations.Apply("", file);
        }
        else
        {
            postgres = await TemporaryServers.NewPostgresDatabaseAsync();
            _undo.Push(async () => await TemporaryServers.DropPostgresDatabaseAsync(postgres));
        }

        var database = new Database(postgres, file);
        _undo.Push(database.DisposeAsync);
        return database;
    }

    public async Task<IMessageQueue> QueueAsync(QueueCaps? caps = null)
    {
        if (kind != StoreKind.Embedded)
        {
            return new RedisMessageQueue(_queueRedis ??= await RedisAsync(), caps ?? SmallCaps, Clock.Time) { Index = "queues:" + Ids.New() };
        }

        var queue = new SqliteMessageQueue(
            Path.Combine(Folder, "queue.db"), caps ?? SmallCaps, survivesPowerLoss: false, TimeSpan.Zero, Clock.Time);
        _undo.Push(() =>
        {
            queue.Dispose();
            return ValueTask.CompletedTask;
        });
        return queue;
    }

    /// <summary>What the queue's store holds, in bytes.</summary>
    public async Task<long> StoredBytesAsync()
    {
        if (kind == StoreKind.Embedded)
        {
            return Directory.GetFiles(Folder).Sum(file => new FileInfo(file).Length);
        }

        var sizes = await Task.WhenAll(KeysOfQueue("*").Select(key => _queueRedis!.GetDatabase().ExecuteAsync("MEMORY", "USAGE", key)));
        return sizes.Sum(size => size.IsNull ? 0 : (long)size);
    }

    /// <summary>How many of these the queue's store holds; SQLite, which is this test's own, tells of all that it holds.</summary>
    public async Task<int> CountAsync(params SharedBody[] bodies)
    {
        if (kind != StoreKind.Embedded)
        {
            var keys = Array.ConvertAll(bodies, body => (RedisKey)("b:" + Convert.ToHexStringLower(body.Name.Span)));
            return (await Task.WhenAll(keys.Select(key => _queueRedis!.GetDatabase().KeyExistsAsync(key)))).Count(exists => exists);
        }

        using var file = new SqliteConnection($"Data Source={Path.Combine(Folder, "queue.db")};Pooling=False");
        file.Open();
        using var command = file.CreateCommand();
        command.CommandText = "SELECT count(*) FROM shared_body";
        return (int)(long)command.ExecuteScalar()!;
    }

    public async Task<IHotStore> HotStoreAsync() =>
        kind == StoreKind.Embedded ? new MemoryHotStore(Clock.Time) : new RedisHotStore(await RedisAsync());

    /// <summary>Of the same stores each time: a second one is another node, or the same after a restart.</summary>
    public async Task<IPushOutbox> PushOutboxAsync()
    {
        if (kind != StoreKind.Embedded)
        {
            return new RedisPushOutbox(_redis ??= await RedisAsync(), Clock.Time) { Tag = _pushTag };
        }

        var outbox = new SqlitePushOutbox(Path.Combine(Folder, "push.db"), Clock.Time);
        _undo.Push(() =>
        {
            outbox.Dispose();
            return ValueTask.CompletedTask;
        });
        return outbox;
    }

    public async ValueTask DisposeAsync()
    {
        while (_undo.TryPop(out var undo))
        {
            await undo();
        }
    }

    private IEnumerable<RedisKey> KeysOfQueue(string pattern) =>
        _queueRedis!.GetServers().SelectMany(server => server.Keys(_queueRedis.GetDatabase().Database, pattern, 1000));

    private async Task<IConnectionMultiplexer> RedisAsync()
    {
        var redis = await ConnectionMultiplexer.ConnectAsync(
            kind == StoreKind.Cluster ? await TemporaryServers.RedisClusterAsync() : await TemporaryServers.NewRedisDatabaseAsync());
        _undo.Push(redis.DisposeAsync);
        return redis;
    }
}
