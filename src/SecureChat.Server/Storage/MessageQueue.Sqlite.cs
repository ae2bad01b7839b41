using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>The queues of one machine: an index in memory, the envelopes in a SQLite file, one writer with group commit.</summary>
/// <remarks>
/// A mail gets its position at once and is answered when the batch it travels in is committed. Acknowledged before that, it never
/// touches the disk and is answered by the acknowledgement. Time never runs backwards here: the clock is held at the highest
/// value seen, across restarts through the positions, so a clock that is set back neither reorders nor prolongs anything.
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
    private readonly Thread _writer;
    private readonly ManualResetEventSlim _work = new(false);
    private readonly ManualResetEventSlim _stop = new(false);
    private readonly TimeSpan _gather;
    private List<Write> _pending = [];
    private long _clock;
    private bool _stopped;

    /// <exception cref="SqliteException">The file is no database, is damaged, or cannot be written.</exception>
    /// <param name="gather">How long the writer waits for company before it commits; zero commits at once.</param>
    public SqliteMessageQueue(string path, QueueCaps caps, bool survivesPowerLoss, TimeSpan gather, TimeProvider time)
    {
        _caps = caps;
        _time = time;
        _gather = gather;
        _file = new QueueFile(path, survivesPowerLoss);
        foreach (var row in _file.Load())
        {
            _memory.Restore(row);
            _clock = Math.Max(_clock, row.Position / 1000);
        }

        _writer = new Thread(WriteLoop) { Name = "message queue", IsBackground = true };
        _writer.Start();
    }

    public string Name => "SQLite";

    public Task PingAsync(CancellationToken ct)
    {
        _file.Check();
        return Task.CompletedTask;
    }

    public Task<long[]?> AppendAsync(IReadOnlyList<Mail> mail, Positioned? onPositioned, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            var now = Now();
            var known = new UInt128[mail.Count];
            for (var i = 0; i < mail.Count; i++)
            {
                known[i] = KnownAs(mail[i]);
            }

            if (!_memory.Fits(mail, known, _caps, now))
            {
                return Task.FromResult<long[]?>(null);
            }

            var positions = new long[mail.Count];
            var append = new QueueAppend(positions);
            for (var i = 0; i < mail.Count; i++)
            {
                if (mail[i].Deadline.ToUnixTimeMilliseconds() <= now || !_memory.Remember(known[i], now))
                {
                    continue;
                }

                var entry = _memory.Add(mail[i], known[i], now, append);
                append.Expect();
                positions[i] = entry.Position;
                _pending.Add(new Write(WriteKind.Insert, entry, 0));
                onPositioned?.Invoke(i, entry.Position, 0);
            }

            // Even when nothing is new: what made it known may itself not be committed yet.
            _pending.Add(new Write(WriteKind.Answer, null, 0) { Append = append });
            _work.Set();
            return append.Task;
        }
    }

    public Task<IReadOnlyList<StoredMail>> ReadAsync(
        DeviceAddress device, long after, int count, CancellationToken ct)
    {
        List<QueueEntry> entries;
        lock (_gate)
        {
            entries = _memory.Page(device, after, count, Now());
        }

        var found = new List<StoredMail>(entries.Count);
        foreach (var entry in entries)
        {
            // The body leaves memory only after its commit, so one of the two has it, unless it was acknowledged meanwhile.
            if ((entry.Body ?? _file.Read(entry.Position)) is { } body)
            {
                found.Add(new StoredMail(entry.Position, DateTimeOffset.FromUnixTimeMilliseconds(entry.Deadline), body));
            }
        }

        return Task.FromResult<IReadOnlyList<StoredMail>>(found);
    }

    public Task AckAsync(DeviceAddress device, IReadOnlyList<long> positions, CancellationToken ct)
    {
        lock (_gate)
        {
            foreach (var position in positions)
            {
                if (_memory.Remove(device, position) is { } entry)
                {
                    Forget(entry, WriteKind.Acknowledge);
                }
            }
        }

        return Task.CompletedTask;
    }

    public Task ClearAsync(DeviceAddress device, CancellationToken ct)
    {
        lock (_gate)
        {
            foreach (var entry in _memory.RemoveAll(device))
            {
                Forget(entry, WriteKind.Delete);
            }

            return DurablyAsync();
        }
    }

    public async Task<int> ExpireAsync(CancellationToken ct)
    {
        int expired;
        Task written;
        lock (_gate)
        {
            var now = Now();
            var gone = _memory.RemoveExpired(now);
            foreach (var entry in gone)
            {
                Forget(entry, WriteKind.Delete);
            }

            _pending.Add(new Write(WriteKind.DeleteOlder, null, _memory.ForgetBefore(now - LongestLife) * 1000));
            expired = gone.Count;
            written = DurablyAsync();
        }

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
            _stop.Set();
            _work.Set();
        }

        _writer.Join();
        _work.Dispose();
        _stop.Dispose();
        _file.Dispose();
    }

    private static UInt128 KnownAs(Mail mail)
    {
        Span<byte> name = stackalloc byte[33];
        mail.To.Account.TryWriteBytes(name, bigEndian: true, out _);
        name[16] = (byte)mail.To.Device;
        BinaryPrimitives.WriteUInt128BigEndian(name[17..], mail.Once);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(name, hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    // Callers hold the gate.
    private long Now() => _clock = Math.Max(_clock, _time.GetUtcNow().ToUnixTimeMilliseconds());

    private void Forget(QueueEntry entry, WriteKind kind)
    {
        if (entry.Committing)
        {
            _pending.Add(new Write(kind, null, entry.Position));
            _work.Set();
        }
        else
        {
            entry.Gone = true;
            entry.Append?.OneGone();
        }
    }

    private Task<long[]?> DurablyAsync()
    {
        var barrier = new QueueAppend([]);
        _pending.Add(new Write(WriteKind.Answer, null, 0) { Append = barrier });
        _work.Set();
        return barrier.Task;
    }

    private void WriteLoop()
    {
        var batch = new List<Write>();
        while (true)
        {
            _work.Wait();
            if (_gather > TimeSpan.Zero)
            {
                _stop.Wait(_gather);
            }

            lock (_gate)
            {
                _work.Reset();
                if (_pending.Count == 0 && _stopped)
                {
                    return;
                }

                (batch, _pending) = (_pending, batch);
                foreach (var write in batch)
                {
                    if (write.Entry is { Gone: false } entry)
                    {
                        entry.Committing = true;
                    }
                }

                if (_stopped)
                {
                    _work.Set();
                }
            }

            Commit(batch);
            batch.Clear();
        }
    }

    private void Commit(List<Write> batch)
    {
        try
        {
            WriteToFile(batch);
        }
        catch (SqliteException failure)
        {
            _file.Rollback();
            Refuse(batch, failure);
            return;
        }

        foreach (var write in batch)
        {
            if (write.Entry is { } entry)
            {
                entry.Body = null;
            }

            write.Append?.Succeed();
        }
    }

    private void WriteToFile(List<Write> batch)
    {
        var begun = false;
        foreach (var write in batch)
        {
            if (write.Kind == WriteKind.Answer || write.Entry is { Gone: true })
            {
                continue;
            }

            if (!begun)
            {
                _file.Begin();
                begun = true;
            }

            switch (write.Kind)
            {
                case WriteKind.Insert:
                    var entry = write.Entry!;
                    _file.Insert(entry.Position, entry.Known, entry.To, entry.Deadline, entry.Body!);
                    break;
                case WriteKind.Acknowledge:
                    _file.Acknowledge(write.Position);
                    break;
                case WriteKind.Delete:
                    _file.Delete(write.Position);
                    break;
                case WriteKind.DeleteOlder:
                    _file.DeleteOlderThan(write.Position);
                    break;
            }
        }

        if (begun)
        {
            _file.Commit();
        }
    }

    // A full disk: senders are told, what they sent is forgotten, and removals are tried again with the next batch.
    private void Refuse(List<Write> batch, SqliteException failure)
    {
        lock (_gate)
        {
            foreach (var write in batch)
            {
                if (write.Entry is { Gone: false } entry)
                {
                    _memory.Remove(entry.To, entry.Position);
                    _memory.Unremember(entry.Known);
                }
                else if (write.Kind is WriteKind.Acknowledge or WriteKind.Delete or WriteKind.DeleteOlder)
                {
                    _pending.Add(write);
                }

                write.Append?.TrySetException(failure);
            }
        }
    }

    private enum WriteKind
    {
        Insert,
        Acknowledge,
        Delete,
        DeleteOlder,
        Answer,
    }

    private readonly record struct Write(WriteKind Kind, QueueEntry? Entry, long Position)
    {
        public QueueAppend? Append { get; init; }
    }
}
