using SecureChat.Protocol;

namespace SecureChat.Server.Messages;

/// <summary>Envelopes sent to a device and not acknowledged, in order of position. Not thread-safe.</summary>
/// <remarks>
/// One that is never acknowledged does not hold up the rest: it takes one place, is sent again a few times, and then waits in
/// the queue for the next connection.
/// </remarks>
internal struct UnackedWindow
{
    /// <summary>How long an acknowledgement may take before the envelope is sent again.</summary>
    public static readonly TimeSpan AckTimeout = TimeSpan.FromSeconds(30);

    private const int MaxBytes = 1 << 20;
    private const int MaxResends = 3;
    private const int MaxLate = 16;

    private List<Entry>? _entries;
    private int _bytes;

    public readonly bool HasRoom => Room > 0 && _bytes < MaxBytes;

    public readonly int Room => Limits.UnackedWindow - (_entries?.Count ?? 0);

    public readonly bool Contains(long position) => Find(position) >= 0;

    public void Add(long position, int size, long now)
    {
        (_entries ??= new List<Entry>(1)).Add(new Entry(position, now, size, 0));
        _bytes += size;
    }

    public bool Remove(long position, out long sentAt)
    {
        var index = Find(position);
        if (index < 0)
        {
            sentAt = 0;
            return false;
        }

        sentAt = _entries![index].SentAt;
        _bytes -= _entries[index].Size;
        _entries.RemoveAt(index);
        if (_entries.Count == 0 && _entries.Capacity > KeptCapacity)
        {
            _entries = null;
        }

        return true;
    }

    /// <summary>Positions whose time has run out, counted as sent again now; those sent often enough leave.</summary>
    public List<long>? TakeLate(TimeProvider time)
    {
        List<long>? late = null;
        var now = time.GetTimestamp();
        for (var i = 0; i < (_entries?.Count ?? 0) && (late?.Count ?? 0) < MaxLate; i++)
        {
            var entry = _entries![i];
            if (time.GetElapsedTime(entry.SentAt, now) < AckTimeout)
            {
                continue;
            }

            if (entry.Resends == MaxResends)
            {
                Remove(entry.Position, out _);
                i--;
                continue;
            }

            (late ??= []).Add(entry.Position);
            _entries[i] = entry with { SentAt = now, Resends = entry.Resends + 1 };
        }

        return late;
    }

    private readonly int Find(long position)
    {
        var (low, high) = (0, (_entries?.Count ?? 0) - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var found = _entries![middle].Position;
            if (found == position)
            {
                return middle;
            }

            (low, high) = found < position ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    private const int KeptCapacity = 8;

    private readonly record struct Entry(long Position, long SentAt, int Size, int Resends);
}
