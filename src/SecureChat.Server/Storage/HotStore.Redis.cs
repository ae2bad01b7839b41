using StackExchange.Redis;

namespace SecureChat.Server.Storage;

/// <summary>The hot store of many machines: Redis 7, or what speaks its protocol; plain commands and short scripts only.</summary>
internal sealed class RedisHotStore(IConnectionMultiplexer redis) : IHotStore
{
    // KEYS: counter. ARGV: life in milliseconds. Returns the new count.
    private const string CountScript = """
        local count = redis.call('INCR', KEYS[1])
        if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        return count
        """;

    // KEYS: value. ARGV: expected bytes. Returns 1 when it was that value and is gone.
    private const string RemoveIfScript = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """;

    // KEYS: the name now, then those of before, the newest first. What has one of those takes the name of now, unless there is something.
    private const string RenameScript = """
        if #KEYS > 1 and redis.call('EXISTS', KEYS[1]) == 0 then
            for i = 2, #KEYS do
                if redis.call('EXISTS', KEYS[i]) == 1 then
                    redis.call('RENAME', KEYS[i], KEYS[1])
                    break
                end
            end
        end

        """;

    // KEYS: bucket, then its names of before (see above). ARGV: size, milliseconds per token, amount.
    // The bucket is a hash {t: tokens, at: microseconds of Redis' own clock}; it is deleted by its TTL once it is full again.
    // Returns milliseconds to wait (0 when granted) and the tokens left, as text. A refusal writes nothing, so fractions of a token survive.
    private const string TokensScript = RenameScript + """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local size, refill, amount = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000, tonumber(ARGV[3])
        local state = redis.call('HMGET', KEYS[1], 't', 'at')
        local tokens = size
        if state[1] then tokens = math.min(size, tonumber(state[1]) + math.max(0, now - tonumber(state[2])) / refill) end
        if tokens < amount then return {string.format('%.3f', (amount - tokens) * refill / 1000), string.format('%.6f', tokens)} end
        if amount == 0 then return {'0', string.format('%.6f', tokens)} end
        tokens = tokens - amount
        redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
        redis.call('PEXPIRE', KEYS[1], math.ceil((size - tokens) * refill / 1000) + 1)
        return {'0', string.format('%.6f', tokens)}
        """;

    // KEYS: counter. ARGV: amount, half-life in milliseconds. The counter is a hash {v: value, at: microseconds of Redis' own clock};
    // it is gone when it is worth a hundredth. Returns its value as text.
    private const string DecayScript = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local half = tonumber(ARGV[2]) * 1000
        local state = redis.call('HMGET', KEYS[1], 'v', 'at')
        local value = 0
        if state[1] then value = tonumber(state[1]) * 2 ^ (-math.max(0, now - tonumber(state[2])) / half) end
        value = math.max(0, value + tonumber(ARGV[1]))
        if value <= 0.01 then
            redis.call('DEL', KEYS[1])
        else
            redis.call('HSET', KEYS[1], 'v', string.format('%.6f', value), 'at', string.format('%.0f', now))
            redis.call('PEXPIRE', KEYS[1], math.ceil(half / 1000 * math.max(0, math.log(value * 100) / math.log(2))) + 1)
        end
        return string.format('%.6f', value)
        """;

    private readonly IDatabase _db = redis.GetDatabase();

    public string Name => "Redis";

    public bool IsShared => true;

    public Task PingAsync(CancellationToken ct) => _db.PingAsync().WaitAsync(ct);

    public Task SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct) =>
        _db.StringSetAsync(key, value, life).WaitAsync(ct);

    public Task<bool> AddAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct) =>
        _db.StringSetAsync(key, value, life, when: When.NotExists).WaitAsync(ct);

    public async Task<byte[]?> GetAsync(string key, CancellationToken ct) =>
        await _db.StringGetAsync(key).WaitAsync(ct);

    public async Task<byte[]?> TakeAsync(string key, CancellationToken ct) =>
        await _db.StringGetDeleteAsync(key).WaitAsync(ct);

    public Task<bool> RemoveAsync(string key, CancellationToken ct) => _db.KeyDeleteAsync(key).WaitAsync(ct);

    public async Task<bool> RemoveIfAsync(string key, ReadOnlyMemory<byte> expected, CancellationToken ct) =>
        (bool)await _db.ScriptEvaluateAsync(RemoveIfScript, [key], [expected]).WaitAsync(ct);

    public async Task<long> CountAsync(string key, TimeSpan life, CancellationToken ct) =>
        (long)await _db.ScriptEvaluateAsync(CountScript, [key], [Milliseconds(life)]).WaitAsync(ct);

    public async Task<TokensTaken> TakeTokensAsync(
        string key, IReadOnlyList<string> before, TokenBucket bucket, double amount, CancellationToken ct)
    {
        var taken = (RedisResult[])(await _db.ScriptEvaluateAsync(
            TokensScript, Names(key, before), [bucket.Size, bucket.Refill.TotalMilliseconds, amount]).WaitAsync(ct))!;
        return new TokensTaken(TimeSpan.FromMilliseconds((double)taken[0]), (double)taken[1]);
    }

    public Task RenameAsync(string key, IReadOnlyList<string> before, CancellationToken ct) =>
        _db.ScriptEvaluateAsync(RenameScript, Names(key, before)).WaitAsync(ct);

    public async Task<double> AddDecayingAsync(string key, double amount, TimeSpan halfLife, CancellationToken ct) =>
        (double)await _db.ScriptEvaluateAsync(DecayScript, [key], [amount, halfLife.TotalMilliseconds]).WaitAsync(ct);

    public async Task<double> AddDistinctAsync(string key, IReadOnlyCollection<ulong> values, TimeSpan life, CancellationToken ct)
    {
        // One transaction on one key: one trip, and no other node's values in between.
        var transaction = _db.CreateTransaction();
        var before = transaction.HyperLogLogLengthAsync(key);
        var added = transaction.HyperLogLogAddAsync(key, [.. values.Select(value => (RedisValue)BitConverter.GetBytes(value))]);
        var expires = transaction.KeyExpireAsync(key, life, ExpireWhen.HasNoExpiry);
        var after = transaction.HyperLogLogLengthAsync(key);
        await transaction.ExecuteAsync().WaitAsync(ct);
        await Task.WhenAll(added, expires);
        return Math.Max(0, await after - await before);
    }

    public Task<int> ExpireAsync(CancellationToken ct) => Task.FromResult(0);

    public Task PublishAsync(string channel, ReadOnlyMemory<byte> notice, CancellationToken ct) =>
        redis.GetSubscriber().PublishAsync(RedisChannel.Literal(channel), notice).WaitAsync(ct);

    public async Task<IAsyncDisposable> SubscribeAsync(
        string channel, Action<ReadOnlyMemory<byte>> handler, CancellationToken ct)
    {
        // By way of a queue: handlers without one are called from several threads, in any order.
        var queue = await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal(channel)).WaitAsync(ct);
        queue.OnMessage(notice => handler((byte[]?)notice.Message ?? []));
        return new Subscription(queue);
    }

    private static RedisKey[] Names(string key, IReadOnlyList<string> before) => [key, .. before.Select(name => (RedisKey)name)];

    private static long Milliseconds(TimeSpan life) => Math.Max(1, (long)Math.Ceiling(life.TotalMilliseconds));

    private sealed class Subscription(ChannelMessageQueue queue) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await queue.UnsubscribeAsync();
    }
}
