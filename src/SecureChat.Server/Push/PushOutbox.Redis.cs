using SecureChat.Protocol;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Push;

/// <summary>The outbox of many machines.</summary>
/// <remarks>
/// Keys, all with one hash tag; a member is account (16 bytes) ‖ device (1), a score Unix milliseconds:
/// <code>
/// {push}:due      sorted set   when to wake
/// {push}:claimed  sorted set   until when a node has it
/// {push}:quiet    sorted set   until when not to wake again
/// {push}:tries    hash         claims since the last success
/// </code>
/// Every entry leaves by being claimed or, in <c>quiet</c>, by the next claim after its time.
/// </remarks>
internal sealed class RedisPushOutbox(IConnectionMultiplexer redis, TimeProvider time) : IPushOutbox
{
    // ARGV: member, due.
    private const string ScheduleScript = """
        local quiet = redis.call('ZSCORE', KEYS[3], ARGV[1])
        local due = tonumber(ARGV[2])
        if quiet then due = math.max(due, tonumber(quiet)) end
        local planned = redis.call('ZSCORE', KEYS[1], ARGV[1])
        if not planned or tonumber(planned) > due then redis.call('ZADD', KEYS[1], due, ARGV[1]) end
        """;

    // ARGV: now, lease's end, pause's end, count. Returns member, tries, member, tries, ...
    private const string ClaimScript = """
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])) do
          redis.call('ZREM', KEYS[2], member)
          redis.call('ZADD', KEYS[1], ARGV[1], member)
        end
        redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[1])
        local claimed = {}
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])) do
          local lease = redis.call('ZSCORE', KEYS[2], member)
          if lease then
            redis.call('ZADD', KEYS[1], lease, member)
          else
            redis.call('ZREM', KEYS[1], member)
            redis.call('ZADD', KEYS[2], ARGV[2], member)
            redis.call('ZADD', KEYS[3], ARGV[3], member)
            claimed[#claimed + 1] = member
            claimed[#claimed + 1] = redis.call('HINCRBY', KEYS[4], member, 1)
          end
        end
        return claimed
        """;

    // ARGV: member, lease, what is to become of it, now or when to try again.
    private const string FinishScript = """
        local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
        if not lease or tonumber(lease) ~= tonumber(ARGV[2]) then return end
        redis.call('ZREM', KEYS[2], ARGV[1])
        if ARGV[3] == 'retry' then
          redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
          redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
          return
        end
        redis.call('HDEL', KEYS[4], ARGV[1])
        if ARGV[3] == 'drop' then
          redis.call('ZREM', KEYS[3], ARGV[1])
          if redis.call('ZSCORE', KEYS[1], ARGV[1]) then redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1]) end
        end
        """;

    private readonly IDatabase _db = redis.GetDatabase();

    /// <summary>The hash tag; tests that share a server keep apart.</summary>
    internal string Tag { get; init; } = HotKeys.Push;

    private RedisKey[] Keys => [$"{{{Tag}}}:due", $"{{{Tag}}}:claimed", $"{{{Tag}}}:quiet", $"{{{Tag}}}:tries"];

    public Task ScheduleAsync(DeviceAddress device, DateTimeOffset due, CancellationToken ct) =>
        RunAsync(ScheduleScript, [WakeUp.NameOf(device), due.ToUnixTimeMilliseconds()], ct);

    public async Task<IReadOnlyList<WakeUp>> ClaimAsync(int count, TimeSpan pause, CancellationToken ct)
    {
        var now = Now();
        var lease = now + (long)WakeUp.LeaseLife.TotalMilliseconds;
        var answer = (RedisResult[])(await RunAsync(
            ClaimScript, [now, lease, now + (long)pause.TotalMilliseconds, count], ct))!;
        var claimed = new WakeUp[answer.Length / 2];
        for (var i = 0; i < claimed.Length; i++)
        {
            claimed[i] = new WakeUp(WakeUp.DeviceOf((byte[])answer[2 * i]!), (int)answer[(2 * i) + 1], lease);
        }

        return claimed;
    }

    public Task CompleteAsync(WakeUp wakeUp, CancellationToken ct) => FinishAsync(wakeUp, "done", Now(), ct);

    public Task DropAsync(WakeUp wakeUp, CancellationToken ct) => FinishAsync(wakeUp, "drop", Now(), ct);

    public async Task RemoveAsync(DeviceAddress device, CancellationToken ct)
    {
        var (name, keys) = ((RedisValue)WakeUp.NameOf(device), Keys);
        await Task.WhenAll(
            _db.SortedSetRemoveAsync(keys[0], name), _db.SortedSetRemoveAsync(keys[1], name), _db.SortedSetRemoveAsync(keys[2], name),
            _db.HashDeleteAsync(keys[3], name)).WaitAsync(ct);
    }

    public Task PingAsync(CancellationToken ct) => _db.PingAsync().WaitAsync(ct);

    public Task RetryAsync(WakeUp wakeUp, TimeSpan wait, CancellationToken ct) =>
        FinishAsync(wakeUp, "retry", Now() + (long)wait.TotalMilliseconds, ct);

    private Task<RedisResult> FinishAsync(WakeUp wakeUp, string fate, long at, CancellationToken ct) =>
        RunAsync(FinishScript, [WakeUp.NameOf(wakeUp.Device), wakeUp.Lease, fate, at], ct);

    private Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken ct) =>
        _db.ScriptEvaluateAsync(script, Keys, arguments).WaitAsync(ct);

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
