using System.Runtime.InteropServices;
using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>What <see cref="SqliteMessageQueue"/> knows without asking the disk: who waits for what, and which mail came already.</summary>
/// <remarks>Not thread-safe: the queue's gate guards it. Times are Unix milliseconds of a clock that never runs back.</remarks>
internal sealed class QueueMemory
{
    private const long GenerationLength = 10 * 60 * 1000;

    private readonly Dictionary<DeviceAddress, DeviceQueue> _queues = [];

    // Idempotency keys by time of acceptance, ten minutes a set: forgetting is dropping a whole set.
    private readonly List<Generation> _generations = [];
    private long _last;

    /// <summary>Envelopes waiting over all queues.</summary>
    public long Waiting { get; private set; }

    /// <summary>The highest position given out or restored.</summary>
    public long LastPosition => _last;

    public bool RemembersAnything => _generations.Count > 0;

    /// <summary>Puts back a row that was in the file at start.</summary>
    public void Restore(QueueFile.Row row, QueueShared? shared)
    {
        _last = Math.Max(_last, row.Position);
        Current(row.Position / 1000).Add(row.Known);
        if (row.To is { } to)
        {
            Enqueue(new QueueEntry(to, row.Known, row.Position, row.Deadline, row.Size) { Shared = shared, Committing = true });
        }
    }

    /// <summary>Whether every mail that is new finds room in its queue.</summary>
    public bool Fits(IReadOnlyList<Mail> mail, QueueCaps caps, long now)
    {
        for (var i = 0; i < mail.Count; i++)
        {
            // In this order, because asking what came already costs more.
            if (!HasRoom(mail, i, caps, now) && !IsKnown(mail[i].Once))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>False when the mail was remembered before.</summary>
    public bool Remember(UInt128 known, long now)
    {
        var current = Current(now);
        return !IsKnownAmong(_generations.Count - 1, known) && current.Add(known);
    }

    /// <summary>Takes a memory back: the mail did not reach the disk.</summary>
    public void Unremember(UInt128 known)
    {
        foreach (var generation in _generations)
        {
            generation.Known.Remove(known);
        }
    }

    public QueueEntry Add(Mail mail, long now, long deadline, QueueAppend append)
    {
        _last = Math.Max(now * 1000, _last + 1);
        var entry = new QueueEntry(mail.To, mail.Once, _last, deadline, mail.Size)
        {
            Shared = mail.Shared?.Row,
            Append = append,
            Body = ArrayOf(mail.Envelope),
        };
        if (entry.Shared is { Id: 0 } shared)
        {
            shared.Id = entry.Position;
        }

        Enqueue(entry);
        return entry;
    }

    /// <summary>The oldest unexpired entries behind a position.</summary>
    public List<QueueEntry> Page(DeviceAddress device, long after, int count, long now) =>
        _queues.TryGetValue(device, out var queue) ? queue.Page(after, count, now) : [];

    public QueueEntry? Remove(DeviceAddress device, long position)
    {
        if (!_queues.TryGetValue(device, out var queue) || queue.Remove(position) is not { } entry)
        {
            return null;
        }

        Waiting--;
        if (queue.IsEmpty)
        {
            _queues.Remove(device);
        }

        return entry;
    }

    public IReadOnlyList<QueueEntry> RemoveAll(DeviceAddress device)
    {
        if (!_queues.Remove(device, out var queue))
        {
            return [];
        }

        var entries = queue.Page(0, int.MaxValue, 0);
        Waiting -= entries.Count;
        return entries;
    }

    public List<QueueEntry> RemoveExpired(long now)
    {
        var expired = _queues.Values.SelectMany(queue => queue.Expired(now)).ToList();
        foreach (var entry in expired)
        {
            Remove(entry.To, entry.Position);
        }

        return expired;
    }

    /// <summary>Drops what was accepted before <paramref name="time"/>; returns from when on everything is still remembered.</summary>
    public long ForgetBefore(long time)
    {
        _generations.RemoveAll(generation => generation.Start + GenerationLength <= time);
        return time - (time % GenerationLength);
    }

    private static byte[] ArrayOf(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var segment)
            && segment.Offset == 0 && segment.Count == segment.Array!.Length
            ? segment.Array
            : memory.ToArray();

    // Whether a mail and those before it for the same device find room in its queue.
    private bool HasRoom(IReadOnlyList<Mail> mail, int last, QueueCaps caps, long now)
    {
        var (count, bytes) = (1, (long)mail[last].Size);
        for (var i = 0; i < last; i++)
        {
            if (mail[i].To == mail[last].To)
            {
                count++;
                bytes += mail[i].Size;
            }
        }

        return _queues.TryGetValue(mail[last].To, out var queue)
            ? queue.HasRoom(count, bytes, caps, now)
            : count <= caps.Envelopes && bytes <= caps.Bytes;
    }

    private bool IsKnown(UInt128 known) => IsKnownAmong(_generations.Count, known);

    private bool IsKnownAmong(int oldest, UInt128 known)
    {
        // The newest first: a repeat usually follows close behind.
        for (var i = oldest - 1; i >= 0; i--)
        {
            if (_generations[i].Known.Contains(known))
            {
                return true;
            }
        }

        return false;
    }

    private HashSet<UInt128> Current(long now)
    {
        var start = now - (now % GenerationLength);
        if (_generations is [.., var last] && last.Start == start)
        {
            return last.Known;
        }

        _generations.Add(new Generation(start, []));
        return _generations[^1].Known;
    }

    private void Enqueue(QueueEntry entry)
    {
        if (!_queues.TryGetValue(entry.To, out var queue))
        {
            _queues[entry.To] = queue = new DeviceQueue();
        }

        queue.Add(entry);
        Waiting++;
    }

    private readonly record struct Generation(long Start, HashSet<UInt128> Known);

    private sealed class DeviceQueue
    {
        private readonly List<QueueEntry> _entries = [];
        private long _bytes;
        private long _earliest = long.MaxValue;

        public bool IsEmpty => _entries.Count == 0;

        public void Add(QueueEntry entry)
        {
            _entries.Add(entry);
            _bytes += entry.Size;
            _earliest = Math.Min(_earliest, entry.Deadline);
        }

        public bool HasRoom(int count, long bytes, QueueCaps caps, long now)
        {
            if (_entries.Count + count <= caps.Envelopes && _bytes + bytes <= caps.Bytes)
            {
                return true;
            }

            // Full at first sight: what has expired and was not swept yet does not count.
            var live = _entries.Where(entry => entry.Deadline > now).ToList();
            return live.Count + count <= caps.Envelopes && live.Sum(entry => (long)entry.Size) + bytes <= caps.Bytes;
        }

        public List<QueueEntry> Page(long after, int count, long now)
        {
            var page = new List<QueueEntry>(Math.Min(count, _entries.Count));
            for (var i = IndexBehind(after); i < _entries.Count && page.Count < count; i++)
            {
                if (_entries[i].Deadline > now)
                {
                    page.Add(_entries[i]);
                }
            }

            return page;
        }

        public QueueEntry? Remove(long position)
        {
            var index = IndexBehind(position - 1);
            if (index >= _entries.Count || _entries[index].Position != position)
            {
                return null;
            }

            var entry = _entries[index];
            _entries.RemoveAt(index);
            _bytes -= entry.Size;
            return entry;
        }

        public List<QueueEntry> Expired(long now)
        {
            if (_earliest > now)
            {
                return [];
            }

            _earliest = _entries.Where(entry => entry.Deadline > now).Select(entry => entry.Deadline).DefaultIfEmpty(long.MaxValue).Min();
            return _entries.FindAll(entry => entry.Deadline <= now);
        }

        private int IndexBehind(long position)
        {
            var (low, high) = (0, _entries.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = _entries[middle].Position <= position ? (middle + 1, high) : (low, middle);
            }

            return low;
        }
    }
}

/// <summary>One envelope waiting for a device.</summary>
internal sealed class QueueEntry(DeviceAddress to, UInt128 known, long position, long deadline, int size)
{
    public DeviceAddress To { get; } = to;

    public UInt128 Known { get; } = known;

    public long Position { get; } = position;

    public long Deadline { get; } = deadline;

    /// <summary>Of the whole envelope.</summary>
    public int Size { get; } = size;

    /// <summary>The envelope's end, if others have the same.</summary>
    public QueueShared? Shared { get; init; }

    /// <summary>The envelope, or its beginning if the end is shared, until its commit; afterwards the file has it.</summary>
    public byte[]? Body { get; set; }

    /// <summary>The call that waits for it, until its commit.</summary>
    public QueueAppend? Append { get; init; }

    /// <summary>The writer has taken it: from here on its removal must be written too.</summary>
    public bool Committing { get; set; }

    /// <summary>Removed before the writer took it: it is never written.</summary>
    public bool Gone { get; set; }
}

/// <summary>One append call: answered by its commit, or earlier by the acknowledgement of all it brought.</summary>
/// <remarks>The caller goes on where it is completed, which is never under the queue's gate.</remarks>
internal sealed class QueueAppend(long[] positions) : TaskCompletionSource<long[]?>
{
    private int _open;

    public void Expect() => _open++;

    /// <summary>One of its mails was acknowledged before it was written; true when it was the last. Callers hold the queue's gate.</summary>
    public bool OneGone() => --_open == 0;

    public void Succeed() => TrySetResult(positions);
}
