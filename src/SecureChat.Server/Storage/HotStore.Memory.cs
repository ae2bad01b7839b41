using System.Collections.Concurrent;

namespace SecureChat.Server.Storage;

/// <summary>The hot store of one machine: process memory. It dies with the process, as everything in it may.</summary>
/// <remarks>Entries are checked against their life when they are read; the sweep frees what nobody reads again.</remarks>
internal sealed class MemoryHotStore(TimeProvider time) : IHotStore
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Lock _renaming = new();
    private readonly ConcurrentDictionary<string, Subscription[]> _subscriptions = new(StringComparer.Ordinal);

    public string Name => "process memory";

    public bool IsShared => false;

    /// <summary>Entries held, dead ones that no sweep has met included.</summary>
    internal int Count => _entries.Count;

    /// <summary>Of entries and of channels that somebody listens to.</summary>
    internal IEnumerable<string> Names => _entries.Keys.Concat(_subscriptions.Keys);

    internal IEnumerable<byte[]> Values => _entries.Values.Select(entry => entry.Value);

    public Task PingAsync(CancellationToken ct) => Task.CompletedTask;

    public Task SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct)
    {
        _entries[key] = new Entry(value.ToArray(), Deadline(life));
        return Task.CompletedTask;
    }

    public Task<bool> AddAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct)
    {
        var mine = new Entry(value.ToArray(), Deadline(life));
        var kept = _entries.AddOrUpdate(key, mine, (_, old) => IsAlive(old) ? old : mine);
        return Task.FromResult(ReferenceEquals(kept, mine));
    }

    public Task<byte[]?> GetAsync(string key, CancellationToken ct) =>
        Task.FromResult(_entries.TryGetValue(key, out var entry) && IsAlive(entry) ? entry.Value : null);

    public Task<byte[]?> TakeAsync(string key, CancellationToken ct) =>
        Task.FromResult(_entries.TryRemove(key, out var entry) && IsAlive(entry) ? entry.Value : null);

    public Task<bool> RemoveAsync(string key, CancellationToken ct) =>
        Task.FromResult(_entries.TryRemove(key, out var entry) && IsAlive(entry));

    public Task<bool> RemoveIfAsync(string key, ReadOnlyMemory<byte> expected, CancellationToken ct) =>
        Task.FromResult(
            _entries.TryGetValue(key, out var entry) && IsAlive(entry) && entry.Value.AsSpan().SequenceEqual(expected.Span)
            && _entries.TryRemove(KeyValuePair.Create(key, entry)));

    public Task<long> CountAsync(string key, TimeSpan life, CancellationToken ct)
    {
        var entry = _entries.AddOrUpdate(
            key,
            _ => new Entry([], Deadline(life)) { Number = 1 },
            (_, old) => IsAlive(old)
                ? new Entry([], old.Deadline) { Number = old.Number + 1 }
                : new Entry([], Deadline(life)) { Number = 1 });
        return Task.FromResult((long)entry.Number);
    }

    public Task<TokensTaken> TakeTokensAsync(
        string key, IReadOnlyList<string> before, TokenBucket bucket, double amount, CancellationToken ct)
    {
        Rename(key, before);
        var wait = TimeSpan.Zero;
        var entry = _entries.AddOrUpdate(
            key,
            _ => Draw(null, bucket, amount, out wait),
            (_, old) => Draw(IsAlive(old) ? old : null, bucket, amount, out wait));
        return Task.FromResult(new TokensTaken(wait, entry.Number));
    }

    public Task RenameAsync(string key, IReadOnlyList<string> before, CancellationToken ct)
    {
        Rename(key, before);
        return Task.CompletedTask;
    }

    public Task<double> AddDecayingAsync(string key, double amount, TimeSpan halfLife, CancellationToken ct)
    {
        var entry = _entries.AddOrUpdate(key, _ => Next(null), (_, old) => Next(IsAlive(old) ? old : null));
        return Task.FromResult(entry.Number);

        Entry Next(Entry? old)
        {
            var now = time.GetUtcNow();
            var level = Math.Max(0, amount + (old is null ? 0 : old.Number * double.Exp2(-Math.Max(0, (now - old.Touched) / halfLife))));
            return new Entry([], now + DecayLife(level, halfLife)) { Number = level, Touched = now };
        }
    }

    public Task<double> AddDistinctAsync(string key, IReadOnlyCollection<ulong> values, TimeSpan life, CancellationToken ct)
    {
        var entry = _entries.AddOrUpdate(key, _ => Fresh(), (_, old) => IsAlive(old) ? old : Fresh());
        lock (entry)
        {
            return Task.FromResult(DistinctSketch.Add(entry.Value, values));
        }

        Entry Fresh() => new(new byte[DistinctSketch.Size], Deadline(life));
    }

    /// <summary>Until a counter is worth a hundredth.</summary>
    internal static TimeSpan DecayLife(double level, TimeSpan halfLife) => halfLife * Math.Max(0, Math.Log2(Math.Max(1, level * 100)));

    public Task<int> ExpireAsync(CancellationToken ct)
    {
        var removed = 0;
        foreach (var pair in _entries)
        {
            if (!IsAlive(pair.Value) && _entries.TryRemove(pair))
            {
                removed++;
            }
        }

        return Task.FromResult(removed);
    }

    public Task PublishAsync(string channel, ReadOnlyMemory<byte> notice, CancellationToken ct)
    {
        foreach (var subscription in _subscriptions.GetValueOrDefault(channel, []))
        {
            subscription.Handler(notice);
        }

        return Task.CompletedTask;
    }

    public Task<IAsyncDisposable> SubscribeAsync(
        string channel, Action<ReadOnlyMemory<byte>> handler, CancellationToken ct)
    {
        var subscription = new Subscription(this, channel, handler);
        _subscriptions.AddOrUpdate(channel, [subscription], (_, others) => [.. others, subscription]);
        return Task.FromResult<IAsyncDisposable>(subscription);
    }

    private Entry Draw(Entry? old, TokenBucket bucket, double amount, out TimeSpan wait)
    {
        // Number holds the tokens, Touched when they were counted: the fraction of a token that has refilled is never lost.
        var now = time.GetUtcNow();
        var refilled = old is null ? bucket.Size : old.Number + Math.Max(0, (now - old.Touched) / bucket.Refill);
        var tokens = Math.Min(bucket.Size, refilled);
        var granted = tokens >= amount;
        wait = granted ? TimeSpan.Zero : (amount - tokens) * bucket.Refill;
        var left = granted ? tokens - amount : tokens;
        return new Entry([], now + ((bucket.Size - left) * bucket.Refill)) { Number = left, Touched = now };
    }

    private void Rename(string key, IReadOnlyList<string> before)
    {
        // One at a time: between an old name's end and the new one's beginning nobody else may find neither.
        if (before.Count is 0 || (_entries.TryGetValue(key, out var there) && IsAlive(there)))
        {
            return;
        }

        lock (_renaming)
        {
            if (_entries.TryGetValue(key, out there) && IsAlive(there))
            {
                return;
            }

            foreach (var name in before)
            {
                if (_entries.TryGetValue(name, out var found) && IsAlive(found))
                {
                    _entries[key] = found;
                    _entries.TryRemove(name, out _);
                    return;
                }
            }
        }
    }

    private bool IsAlive(Entry entry) => entry.Deadline > time.GetUtcNow();

    private DateTimeOffset Deadline(TimeSpan life) => time.GetUtcNow() + life;

    private sealed class Entry(byte[] value, DateTimeOffset deadline)
    {
        public byte[] Value { get; } = value;

        public DateTimeOffset Deadline { get; } = deadline;

        public double Number { get; init; }

        public DateTimeOffset Touched { get; init; }
    }

    private sealed class Subscription(MemoryHotStore store, string channel, Action<ReadOnlyMemory<byte>> handler)
        : IAsyncDisposable
    {
        public Action<ReadOnlyMemory<byte>> Handler { get; } = handler;

        public ValueTask DisposeAsync()
        {
            store._subscriptions.AddOrUpdate(channel, [], (_, all) => [.. all.Where(one => one != this)]);
            return ValueTask.CompletedTask;
        }
    }
}
