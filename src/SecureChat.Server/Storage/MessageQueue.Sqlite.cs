using Microsoft.Data.Sqlite;
using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>The queues of one machine: an index in memory, the envelopes in a SQLite file, one writer with group commit.</summary>
/// <remarks>
/// A mail gets its position at once and is answered when the batch it travels in is committed. Mail that connected devices were
/// given waits a moment for their acknowledgements: what is acknowledged before it is written never touches the disk and is
/// answered by the acknowledgement. Time never runs backwards here: it follows the machine's clock forward and
/// its uptime otherwise, and the file remembers it, so a clock that is set back neither reorders nor prolongs anything. Deadlines
/// are kept in that time, as lives counted from acceptance, so a clock that was ahead for a while loses nothing either.
/// </remarks>
internal sealed class SqliteMessageQueue : IMessageQueue, IDisposable
{
    // Two hours in milliseconds, the longest life a server can be configured to give.
    private const long LongestLife = 120 * 60 * 1000;

    private readonly Lock _gate = new();
    private readonly QueueCaps _caps;
    private readonly TimeProvider _time;
    private readonly QueueFile _file;
    private readonly QueueMemory _memory = new();
    private readonly QueueWriter _writer;
    private readonly long _started;
    private long _startTime;
    private bool _stopped;

    /// <exception cref="SqliteException">The file is no database, is damaged, or cannot be written.</exception>
    /// <param name="patience">How long mail that was handed over waits for its acknowledgement before it is written.</param>
    public SqliteMessageQueue(string path, QueueCaps caps, bool survivesPowerLoss, TimeSpan patience, TimeProvider time)
    {
        _caps = caps;
        _time = time;
        _started = time.GetTimestamp();
        _file = new QueueFile(path, survivesPowerLoss);
        _startTime = Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _file.LoadClock());
        var shared = new Dictionary<long, QueueShared>();
        foreach (var row in _file.Load())
        {
            _memory.Restore(row, row.Shared == 0 ? null : SharedBy(row.Shared, shared));
            _startTime = Math.Max(_startTime, row.Position / 1000);
        }

        _writer = new QueueWriter(_file, _memory, _gate, patience);
    }

    public string Name => "SQLite";

    public Task PingAsync(CancellationToken ct)
    {
        _file.Check();
        return Task.CompletedTask;
    }

    public Task ShareAsync(SharedBody body, DateTimeOffset deadline, CancellationToken ct)
    {
        // Written together with the first mail that ends with it.
        body.Row = new QueueShared(body.Bytes, body.Mails);
        return Task.CompletedTask;
    }

    public Task<long[]?> AppendAsync(IReadOnlyList<Mail> mail, Positioned? onPositioned, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            var (now, wall) = Now();
            if (!_memory.Fits(mail, _caps, now))
            {
                foreach (var one in mail)
                {
                    _writer.Release(one.Shared?.Row);
                }

                return Task.FromResult<long[]?>(null);
            }

            return Enqueue(mail, (now, wall), onPositioned).Task;
        }
    }

    public Task<IReadOnlyList<StoredMail>> ReadAsync(
        DeviceAddress device, long after, int count, CancellationToken ct)
    {
        List<QueueEntry> entries;
        long now, wall;
        lock (_gate)
        {
            (now, wall) = Now();
            entries = _memory.Page(device, after, count, now);
        }

        var found = new List<StoredMail>(entries.Count);
        foreach (var entry in entries)
        {
            // The body leaves memory only after its commit, so one of the two has it, unless it was acknowledged meanwhile.
            if (BodyOf(entry) is { } body)
            {
                var deadline = DateTimeOffset.FromUnixTimeMilliseconds(entry.Deadline - now + wall);
                found.Add(new StoredMail(entry.Position, deadline, body));
            }
        }

        return Task.FromResult<IReadOnlyList<StoredMail>>(found);
    }

    public Task AckAsync(DeviceAddress device, IReadOnlyList<long> positions, CancellationToken ct)
    {
        var answered = new List<QueueAppend>(positions.Count);
        lock (_gate)
        {
            foreach (var position in positions)
            {
                if (_memory.Remove(device, position) is { } entry)
                {
                    Forget(entry, QueueWriteKind.Acknowledge, answered);
                }
            }
        }

        answered.ForEach(append => append.Succeed());
        return Task.CompletedTask;
    }

    public Task WrittenAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            return DurablyAsync().WaitAsync(ct);
        }
    }

    public Task ClearAsync(DeviceAddress device, CancellationToken ct)
    {
        var answered = new List<QueueAppend>();
        Task written;
        lock (_gate)
        {
            foreach (var entry in _memory.RemoveAll(device))
            {
                _memory.Unremember(entry.Known);
                Forget(entry, QueueWriteKind.Delete, answered);
            }

            written = DurablyAsync();
        }

        answered.ForEach(append => append.Succeed());
        return written;
    }

    public async Task<int> ExpireAsync(CancellationToken ct)
    {
        int expired;
        var answered = new List<QueueAppend>();
        Task written;
        lock (_gate)
        {
            var (now, _) = Now();
            var gone = _memory.RemoveExpired(now);
            foreach (var entry in gone)
            {
                // What expired unread may be sent again; what was acknowledged stays known.
                _memory.Unremember(entry.Known);
                Forget(entry, QueueWriteKind.Delete, answered);
            }

            if (_memory.RemembersAnything)
            {
                var clock = Math.Max(now, (_memory.LastPosition / 1000) + 1);
                _writer.Add(new QueueWrite(QueueWriteKind.SaveClock) { Position = clock });
                var older = _memory.ForgetBefore(now - LongestLife) * 1000;
                _writer.Add(new QueueWrite(QueueWriteKind.DeleteOlder) { Position = older });
            }

            expired = gone.Count;
            written = DurablyAsync();
        }

        answered.ForEach(append => append.Succeed());
        await written.WaitAsync(ct);
        return expired;
    }

    public Task<long> CountAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            return Task.FromResult(_memory.Waiting);
        }
    }

    /// <summary>Commits what is waiting and closes the file.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopped)
            {
                return;
            }

            _stopped = true;
        }

        _writer.Dispose();
        _file.Dispose();
    }

    private static QueueShared SharedBy(long id, Dictionary<long, QueueShared> known)
    {
        if (!known.TryGetValue(id, out var shared))
        {
            known[id] = shared = new QueueShared(null, 0) { Id = id, Committing = true, IsWritten = true };
        }

        shared.Open++;
        return shared;
    }

    private byte[]? BodyOf(QueueEntry entry)
    {
        var body = entry.Body ?? _file.Read(entry.Position);
        return entry.Shared is not { } shared || body is null ? body
            : (shared.Bytes ?? _file.ReadShared(shared.Id)) is { } end ? SharedBody.Join(body, end)
            : null;
    }

    // The queue's own time, and the machine's. Callers hold the gate.
    private (long Now, long Wall) Now()
    {
        var wall = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var now = _startTime + (long)_time.GetElapsedTime(_started).TotalMilliseconds;
        if (wall > now)
        {
            // The clock was set forward, or the machine slept.
            _startTime += wall - now;
            now = wall;
        }

        return (now, wall);
    }

    private QueueAppend Enqueue(IReadOnlyList<Mail> mail, (long Now, long Wall) time, Positioned? onPositioned)
    {
        var positions = new long[mail.Count];
        var append = new QueueAppend(positions);
        var added = new List<QueueEntry>(mail.Count);
        var allHandedOver = true;
        for (var i = 0; i < mail.Count; i++)
        {
            var life = mail[i].Deadline.ToUnixTimeMilliseconds() - time.Wall;
            if (life <= 0 || !_memory.Remember(mail[i].Once, time.Now))
            {
                _writer.Release(mail[i].Shared?.Row);
                continue;
            }

            var entry = _memory.Add(mail[i], time.Now, time.Now + life, append);
            append.Expect();
            positions[i] = entry.Position;
            added.Add(entry);
            allHandedOver &= onPositioned?.Invoke(i, entry.Position, 0) is true;
        }

        foreach (var entry in added)
        {
            _writer.Add(new QueueWrite(QueueWriteKind.Insert) { Entry = entry }, allHandedOver);
        }

        // Even when nothing is new: what made it known may itself not be committed yet, and is then ahead in the same line.
        _writer.Add(new QueueWrite(QueueWriteKind.Answer) { Append = append }, allHandedOver);
        return append;
    }

    private void Forget(QueueEntry entry, QueueWriteKind kind, List<QueueAppend> answered)
    {
        if (entry.Committing)
        {
            _writer.Add(new QueueWrite(kind) { Position = entry.Position });
            _writer.Release(entry.Shared);
            return;
        }

        entry.Gone = true;
        entry.Body = null; // The writer still holds the entry until it was due; what it weighs need not wait that long.
        _writer.Release(entry.Shared);
        if (entry.Append is { } append && append.OneGone())
        {
            answered.Add(append);
        }
    }

    private Task<long[]?> DurablyAsync()
    {
        var barrier = new QueueAppend([]);
        _writer.Add(new QueueWrite(QueueWriteKind.Answer) { Append = barrier });
        return barrier.Task;
    }
}
