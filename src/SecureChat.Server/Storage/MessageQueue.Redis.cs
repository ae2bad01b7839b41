using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using SecureChat.Protocol;
using StackExchange.Redis;

namespace SecureChat.Server.Storage;

/// <summary>The queues of many machines, in Redis with append-only on.</summary>
/// <remarks>
/// Keys; <c>{a}</c> is a hash of the account and the cluster's hash tag, <c>d</c> the device:
/// <code>
/// m:{a}:d:once  string, native TTL   the envelope
/// q:{a}:d       sorted set           score = position, member = deadline (8 bytes, ms) ‖ once (16) ‖ size (4) ‖ name of a shared end (0 or 16)
/// t:{a}:d       sorted set           tombstones: score = deadline (ms), member = once of an acknowledged envelope
/// b:name        hash, native TTL     d: the end that the envelopes of one message for many share, n: how many still need it
/// s:{a}:d       hash                 n: bytes waiting, p: last position given out
/// queues        set                  names of the queues that are not empty, for the reaper
/// </code>
/// Positions are Unix microseconds of Redis' clock, moved on where two would meet or the clock went back; they stay below
/// 2^53, as sorted-set scores must. A shared end lives in a slot of its own: it is there before the first envelope that needs it,
/// and what a crash leaves of it ends with the envelopes' deadline.
/// </remarks>
internal sealed class RedisMessageQueue(IConnectionMultiplexer redis, QueueCaps caps, TimeProvider time) : IMessageQueue
{
    private const int MemberBytes = 8 + 16 + 4;

    private readonly IDatabase _db = redis.GetDatabase();

    public string Name => "Redis";

    /// <summary>Name of the set of busy queues; tests that share a server count apart.</summary>
    internal string Index { get; init; } = HotKeys.Queues;

    public Task PingAsync(CancellationToken ct) => _db.PingAsync().WaitAsync(ct);

    public Task ShareAsync(SharedBody body, DateTimeOffset deadline, CancellationToken ct)
    {
        var life = (long)(deadline - time.GetUtcNow()).TotalMilliseconds;
        return _db.ScriptEvaluateAsync(
            QueueScripts.Share, [SharedKey(body.Name.Span)], [body.Bytes, body.Mails, Math.Max(life, 1)]).WaitAsync(ct);
    }

    public async Task<long[]?> AppendAsync(
        IReadOnlyList<Mail> mail, Positioned? onPositioned, CancellationToken ct)
    {
        var keys = new RedisKey[mail.Count * 4];
        var arguments = new RedisValue[3 + (mail.Count * 3)];
        arguments[0] = caps.Envelopes;
        arguments[1] = caps.Bytes;
        arguments[2] = time.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 0; i < mail.Count; i++)
        {
            var member = Member(mail[i]);
            var names = new QueueNames(mail[i].To);
            keys[i * 4] = names.Queue;
            keys[(i * 4) + 1] = names.State;
            keys[(i * 4) + 2] = names.Tombstones;
            keys[(i * 4) + 3] = names.Message(member.AsSpan(8, 16));
            arguments[3 + (i * 3)] = mail[i].Deadline.ToUnixTimeMilliseconds();
            arguments[4 + (i * 3)] = member;
            arguments[5 + (i * 3)] = mail[i].Envelope;
        }

        var result = await _db.ScriptEvaluateAsync(QueueScripts.Append, keys, arguments).WaitAsync(ct);
        if (result.IsNull)
        {
            await ReleaseAsync(mail, _ => true).WaitAsync(ct);
            return null;
        }

        var answer = (string[])result!;
        await NoteBusyQueuesAsync(mail, answer).WaitAsync(ct);
        await ReleaseAsync(mail, i => answer[i] is "0").WaitAsync(ct);
        var positions = new long[answer.Length];
        for (var i = 0; i < positions.Length; i++)
        {
            var (position, previous) = Parse(answer[i]);
            positions[i] = Math.Abs(position);
            if (position != 0)
            {
                onPositioned?.Invoke(i, positions[i], previous);
            }
        }

        return positions;
    }

    public async Task<IReadOnlyList<StoredMail>> ReadAsync(
        DeviceAddress device, long after, int count, CancellationToken ct)
    {
        var names = new QueueNames(device);
        var found = new List<StoredMail>(count);
        while (found.Count < count)
        {
            var entries = await _db.SortedSetRangeByScoreWithScoresAsync(
                names.Queue, after, double.PositiveInfinity, Exclude.Start, Order.Ascending, 0, count - found.Count).WaitAsync(ct);
            if (entries.Length == 0)
            {
                break;
            }

            var members = Array.ConvertAll(entries, entry => (byte[])entry.Element!);
            var bodies = await _db.StringGetAsync(
                Array.ConvertAll(members, member => names.Message(member.AsSpan(8, 16)))).WaitAsync(ct);
            var ends = await EndsOfAsync(members).WaitAsync(ct);
            var now = time.GetUtcNow();
            for (var i = 0; i < entries.Length; i++)
            {
                after = (long)entries[i].Score;
                var deadline = DeadlineOf(members[i]);
                if (!bodies[i].IsNullOrEmpty && deadline > now && Whole((byte[])bodies[i]!, members[i], ends) is { } envelope)
                {
                    found.Add(new StoredMail(after, deadline, envelope));
                }
            }
        }

        return found;
    }

    public async Task AckAsync(DeviceAddress device, IReadOnlyList<long> positions, CancellationToken ct)
    {
        var names = new QueueNames(device);
        var arguments = new RedisValue[positions.Count + 2];
        arguments[0] = names.MessagePrefix;
        arguments[1] = time.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 0; i < positions.Count; i++)
        {
            arguments[i + 2] = positions[i];
        }

        var shared = await _db.ScriptEvaluateAsync(
            QueueScripts.Ack, [names.Queue, names.State, names.Tombstones], arguments).WaitAsync(ct);
        await ReleaseAsync((byte[][])shared!).WaitAsync(ct);
    }

    // Redis answers a script once its append-only file has it.
    public Task WrittenAsync(CancellationToken ct) => Task.CompletedTask;

    public async Task ClearAsync(DeviceAddress device, CancellationToken ct)
    {
        var names = new QueueNames(device);
        var shared = await _db.ScriptEvaluateAsync(
            QueueScripts.Clear, [names.Queue, names.State, names.Tombstones], [names.MessagePrefix]).WaitAsync(ct);
        await ReleaseAsync((byte[][])shared!).WaitAsync(ct);
    }

    public async Task<int> ExpireAsync(CancellationToken ct)
    {
        var expired = 0;
        await foreach (var name in _db.SetScanAsync(Index, pageSize: 250).WithCancellation(ct))
        {
            var queue = (string)name!;
            var result = (int[])(await _db.ScriptEvaluateAsync(
                QueueScripts.Expire,
                [queue, QueueNames.StateOf(queue)],
                [time.GetUtcNow().ToUnixTimeMilliseconds()]).WaitAsync(ct))!;
            expired += result[0];
            if (result[1] == 0)
            {
                await _db.SetRemoveAsync(Index, name).WaitAsync(ct);
            }
        }

        return expired;
    }

    public async Task<long> CountAsync(CancellationToken ct)
    {
        var waiting = 0L;
        await foreach (var name in _db.SetScanAsync(Index, pageSize: 250).WithCancellation(ct))
        {
            waiting += await _db.SortedSetLengthAsync((string)name!).WaitAsync(ct);
        }

        return waiting;
    }

    private static byte[] Member(Mail mail)
    {
        var member = new byte[MemberBytes + (mail.Shared?.Name.Length ?? 0)];
        BinaryPrimitives.WriteInt64BigEndian(member, mail.Deadline.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteUInt128BigEndian(member.AsSpan(8), mail.Once);
        BinaryPrimitives.WriteInt32BigEndian(member.AsSpan(24), mail.Size);
        mail.Shared?.Name.Span.CopyTo(member.AsSpan(MemberBytes));
        return member;
    }

    private static (long Position, long Previous) Parse(string answer)
    {
        var mark = answer.IndexOf('/', StringComparison.Ordinal);
        return mark < 0
            ? (long.Parse(answer, CultureInfo.InvariantCulture), 0)
            : (long.Parse(answer.AsSpan(0, mark), NumberStyles.Integer, CultureInfo.InvariantCulture),
               long.Parse(answer.AsSpan(mark + 1), NumberStyles.None, CultureInfo.InvariantCulture));
    }

    private static DateTimeOffset DeadlineOf(byte[] member) =>
        DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64BigEndian(member));

    private static string SharedKey(ReadOnlySpan<byte> name) => HotKeys.SharedBody + ":" + Convert.ToHexStringLower(name);

    private static byte[]? Whole(byte[] envelope, byte[] member, Dictionary<string, byte[]?> ends) =>
        member.Length == MemberBytes ? envelope
        : ends[SharedKey(member.AsSpan(MemberBytes))] is { } end ? SharedBody.Join(envelope, end)
        : null;

    // Null: it has just expired, and its envelope with it.
    private async Task<Dictionary<string, byte[]?>> EndsOfAsync(byte[][] members)
    {
        var keys = members.Where(member => member.Length > MemberBytes).Select(member => SharedKey(member.AsSpan(MemberBytes)))
            .Distinct().ToList();
        var ends = await Task.WhenAll(keys.Select(key => _db.HashGetAsync(key, "d")));
        return keys.Zip(ends).ToDictionary(pair => pair.First, pair => (byte[]?)pair.Second);
    }

    // Mails that were announced and do not wait after all.
    private Task ReleaseAsync(IReadOnlyList<Mail> mail, Func<int, bool> isGone) => mail.Any(one => one.Shared is not null)
        ? ReleaseAsync([.. mail.Where((one, i) => one.Shared is not null && isGone(i)).Select(one => one.Shared!.Name.ToArray())])
        : Task.CompletedTask;

    // After a crash in between the shared end stays until its deadline; it never goes too early.
    private Task ReleaseAsync(byte[][] names) => names.Length == 0
        ? Task.CompletedTask
        : Task.WhenAll(names.CountBy(name => SharedKey(name)).Select(
            key => _db.ScriptEvaluateAsync(QueueScripts.Release, [key.Key], [key.Value])));

    // A negative position marks a queue that was empty: only then does the reaper's index need a line.
    // A crash in between costs nothing but the reaper's count: Redis itself expires every key.
    private Task NoteBusyQueuesAsync(IReadOnlyList<Mail> mail, string[] answer)
    {
        List<RedisValue>? filled = null;
        for (var i = 0; i < answer.Length; i++)
        {
            if (answer[i][0] == '-')
            {
                (filled ??= []).Add((string)new QueueNames(mail[i].To).Queue!);
            }
        }

        return filled is null ? Task.CompletedTask : _db.SetAddAsync(Index, [.. filled]);
    }

    /// <summary>The key names of one device's queue; the account appears only as a hash.</summary>
    private readonly struct QueueNames
    {
        private readonly string _device;

        public QueueNames(DeviceAddress device)
        {
            Span<byte> hash = stackalloc byte[32];
            SHA256.HashData(device.Account.ToByteArray(bigEndian: true), hash);
            _device = $"{{{Convert.ToHexStringLower(hash[..12])}}}:{device.Device.ToString(CultureInfo.InvariantCulture)}";
        }

        public RedisKey Queue => HotKeys.Queue + ":" + _device;

        public RedisKey State => HotKeys.QueueState + ":" + _device;

        public RedisKey Tombstones => HotKeys.Tombstones + ":" + _device;

        public string MessagePrefix => HotKeys.Message + ":" + _device + ":";

        public static RedisKey StateOf(string queue) => string.Concat(HotKeys.QueueState, queue.AsSpan(HotKeys.Queue.Length));

        public RedisKey Message(ReadOnlySpan<byte> once)
        {
            Span<byte> name = stackalloc byte[128];
            var written = System.Text.Encoding.ASCII.GetBytes(MessagePrefix, name);
            once.CopyTo(name[written..]);
            return name[..(written + once.Length)].ToArray();
        }
    }
}
