using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace SecureChat.Server.Storage;

/// <summary>Writes what <see cref="SqliteMessageQueue"/> decides to its file: one thread, group commit.</summary>
/// <remarks>
/// Mail that connected devices were given waits a moment for their acknowledgements, because most of it then need not be
/// written at all; everything else is written at once, together with what gathered during the commit before.
/// </remarks>
internal sealed class QueueWriter : IDisposable
{
    private readonly QueueFile _file;
    private readonly QueueMemory _memory;
    private readonly Lock _gate;
    private readonly TimeSpan _patience;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _work = new(false, spinCount: 0);

    // In order, each with the timestamp from which on it is written after all.
    private readonly Queue<(QueueWrite Write, long Due)> _handedOver = new();

    // First written with the batch at hand.
    private readonly List<QueueShared> _newShared = [];
    private List<QueueWrite> _pending = [];
    private bool _stopped;

    /// <param name="gate">The queue's; guards the memory and this.</param>
    /// <param name="patience">How long mail that was handed over waits for its acknowledgement before it is written.</param>
    public QueueWriter(QueueFile file, QueueMemory memory, Lock gate, TimeSpan patience)
    {
        (_file, _memory, _gate, _patience) = (file, memory, gate, patience);
        _thread = new Thread(WriteLoop) { Name = "message queue", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Has a write done. The gate is held.</summary>
    /// <param name="handedOver">Connected devices have the mail that it stores or answers.</param>
    public void Add(QueueWrite write, bool handedOver = false)
    {
        if (!handedOver || _patience == TimeSpan.Zero)
        {
            _pending.Add(write);
            _work.Set();
            return;
        }

        if (_handedOver.Count == 0)
        {
            _work.Set(); // The writer learns that there is something to wait for.
        }

        _handedOver.Enqueue((write, Stopwatch.GetTimestamp() + (long)(_patience.TotalSeconds * Stopwatch.Frequency)));
    }

    /// <summary>One mail fewer needs a shared body; with the last one it goes. The gate is held.</summary>
    public void Release(QueueShared? shared)
    {
        if (shared is not null && --shared.Open == 0 && shared.Committing)
        {
            Add(new QueueWrite(QueueWriteKind.DeleteShared) { Position = shared.Id });
        }
    }

    /// <summary>Writes what is left and ends.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopped = true;
            _work.Set();
        }

        _thread.Join();
        _work.Dispose();
    }

    private void WriteLoop()
    {
        var batch = new List<QueueWrite>();
        var wait = Timeout.InfiniteTimeSpan;
        while (true)
        {
            _work.Wait(wait);
            lock (_gate)
            {
                _work.Reset();
                wait = TakeDue();
                if (_pending.Count == 0)
                {
                    if (_stopped)
                    {
                        return;
                    }

                    continue;
                }

                (batch, _pending) = (_pending, batch);
                foreach (var write in batch)
                {
                    if (write.Entry is { Gone: false } entry)
                    {
                        entry.Committing = true;
                        entry.Shared?.Committing = true;
                    }
                }

                if (_stopped)
                {
                    _work.Set();
                }
            }

            Commit(batch);
            if (batch.Exists(write => write.Kind == QueueWriteKind.SaveClock))
            {
                Checkpoint();
            }

            batch.Clear();
        }
    }

    // Moves on what has waited long enough, and returns how long the next one has to wait. The gate is held.
    private TimeSpan TakeDue()
    {
        var now = Stopwatch.GetTimestamp();
        while (_handedOver.TryPeek(out var next))
        {
            if (next.Due > now && !_stopped)
            {
                // Not once for every mail of a stream: what is due soon after is taken with it.
                var rest = Stopwatch.GetElapsedTime(now, next.Due) + TimeSpan.FromMilliseconds(1);
                return rest > _patience / 5 ? rest : _patience / 5;
            }

            _handedOver.Dequeue();
            if (next.Write.Entry is not { Gone: true } && next.Write.Append?.Task.IsCompleted is not true)
            {
                _pending.Add(next.Write);
            }
        }

        return Timeout.InfiniteTimeSpan;
    }

    private void Commit(List<QueueWrite> batch)
    {
        try
        {
            WriteToFile(batch);
        }
        catch (SqliteException failure)
        {
            _file.Rollback();
            _newShared.ForEach(shared => shared.IsWritten = false);
            _newShared.Clear();
            Refuse(batch, failure);
            return;
        }

        _newShared.ForEach(shared => shared.Bytes = null);
        _newShared.Clear();
        var answered = new List<QueueAppend>(batch.Count);
        foreach (var write in batch)
        {
            if (write.Entry is { } entry)
            {
                entry.Body = null;
            }

            if (write.Append is { } append)
            {
                answered.Add(append);
            }
        }

        Answer(answered, append => append.Succeed());
    }

    // Not on this thread: the next batch does not wait for what the callers do.
    private static void Answer(List<QueueAppend> appends, Action<QueueAppend> answer)
    {
        if (appends.Count > 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => appends.ForEach(answer), null);
        }
    }

    private void Checkpoint()
    {
        try
        {
            _file.Checkpoint();
        }
        catch (SqliteException)
        {
            // What is committed is safe in the log; the next sweep tries again.
        }
    }

    private void WriteToFile(List<QueueWrite> batch)
    {
        var begun = false;
        foreach (var write in batch)
        {
            if (write.Kind == QueueWriteKind.Answer || write.Entry is { Gone: true })
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
                case QueueWriteKind.Insert:
                    InsertInFile(write.Entry!);
                    break;
                case QueueWriteKind.Acknowledge:
                    _file.Acknowledge(write.Position);
                    break;
                case QueueWriteKind.Delete:
                    _file.Delete(write.Position);
                    break;
                case QueueWriteKind.DeleteShared:
                    _file.DeleteShared(write.Position);
                    break;
                case QueueWriteKind.DeleteOlder:
                    _file.DeleteOlderThan(write.Position);
                    break;
                case QueueWriteKind.SaveClock:
                    _file.SaveClock(write.Position);
                    break;
            }
        }

        if (begun)
        {
            _file.Commit();
        }
    }

    private void InsertInFile(QueueEntry entry)
    {
        if (entry.Shared is { IsWritten: false } shared)
        {
            _file.InsertShared(shared.Id, shared.Bytes!);
            shared.IsWritten = true;
            _newShared.Add(shared);
        }

        _file.Insert(entry.Position, entry.Known, entry.To, entry.Deadline, entry.Body!, entry.Shared?.Id);
    }

    // A full disk: senders are told, what they sent is forgotten, and removals are tried again with the next batch.
    private void Refuse(List<QueueWrite> batch, SqliteException failure)
    {
        var refused = new List<QueueAppend>();
        lock (_gate)
        {
            foreach (var write in batch)
            {
                if (write.Entry is { Gone: false } entry)
                {
                    _memory.Remove(entry.To, entry.Position);
                    _memory.Unremember(entry.Known);
                    Release(entry.Shared);
                }
                else if (write.Kind is not (QueueWriteKind.Insert or QueueWriteKind.Answer))
                {
                    _pending.Add(write);
                }

                if (write.Append is { } append)
                {
                    refused.Add(append);
                }
            }
        }

        Answer(refused, append => append.TrySetException(failure));
    }
}

/// <summary>What a <see cref="QueueWrite"/> does to the file.</summary>
internal enum QueueWriteKind
{
    Insert,
    Acknowledge,
    Delete,
    DeleteShared,
    DeleteOlder,

    /// <summary>Remembers the time, and empties the log once it is committed.</summary>
    SaveClock,

    /// <summary>Nothing: everything before it is written.</summary>
    Answer,
}

/// <summary>One step of a batch.</summary>
internal readonly record struct QueueWrite(QueueWriteKind Kind)
{
    /// <summary>What to insert.</summary>
    public QueueEntry? Entry { get; init; }

    /// <summary>What to delete, or before what; or the time to remember.</summary>
    public long Position { get; init; }

    /// <summary>Whom to answer.</summary>
    public QueueAppend? Append { get; init; }
}
