using System.Collections.Concurrent;

namespace SecureChat.Server.Storage;

/// <summary>What the database says about accounts, from memory; forgotten when <see cref="AccountNotices"/> tells of a change.</summary>
/// <remarks>
/// A node alone with its database hears of every change, so what it knows may grow old. Between nodes a notice may be lost: there
/// an answer is never older than what the owner of the cache allows.
/// </remarks>
internal sealed class AccountCache<T> : IDisposable
{
    // Bounds the memory, not the truth.
    private static readonly TimeSpan AloneMaxAge = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<Guid, Entry> _entries = new();
    private readonly Func<Guid, Task<T>> _load;
    private readonly AccountNotices _notices;
    private readonly TimeProvider _time;
    private readonly TimeSpan _maxAge;
    private readonly ITimer _sweep;

    /// <param name="maxAge">How old an answer may be when a notice from another node was lost.</param>
    /// <param name="load">Reads one account's value; also for accounts that do not exist.</param>
    public AccountCache(AccountNotices notices, TimeProvider time, TimeSpan maxAge, Func<Guid, Task<T>> load)
    {
        (_notices, _time, _load) = (notices, time, load);
        _maxAge = notices.HearsEveryChange ? AloneMaxAge : maxAge;
        _sweep = time.CreateTimer(_ => Sweep(), null, _maxAge * 2, _maxAge * 2);
        notices.AccountChanged += Forget;
    }

    public ValueTask<T> GetAsync(Guid account, CancellationToken ct)
    {
        if (!_entries.TryGetValue(account, out var entry) || _time.GetElapsedTime(entry.LoadedAt) > _maxAge)
        {
            // Shared by all who ask meanwhile, so no one caller's cancellation may end it. It is in the table, and its age
            // counts, from before the query: what changes during it is seen at the next load.
            entry = new Entry(_time.GetTimestamp(), () => _load(account));
            _entries[account] = entry;
        }

        return entry.TryGet(out var known) ? new ValueTask<T>(known) : WaitAsync(account, entry, ct);
    }

    public void Dispose()
    {
        _sweep.Dispose();
        _notices.AccountChanged -= Forget;
    }

    private async ValueTask<T> WaitAsync(Guid account, Entry entry, CancellationToken ct)
    {
        try
        {
            return await entry.LoadAsync().WaitAsync(ct);
        }
        catch (Exception) when (!ct.IsCancellationRequested)
        {
            _entries.TryRemove(KeyValuePair.Create(account, entry));
            throw;
        }
    }

    private void Forget(Guid account) => _entries.TryRemove(account, out _);

    // Keeps memory at what was asked for lately.
    private void Sweep()
    {
        foreach (var old in _entries)
        {
            if (_time.GetElapsedTime(old.Value.LoadedAt) > _maxAge)
            {
                _entries.TryRemove(old);
            }
        }
    }

    // Once it has the value it lets go of how that was loaded, which is several times as large.
    private sealed class Entry(long loadedAt, Func<Task<T>> load)
    {
        private Lazy<Task<T>>? _loading = new(load);
        private T _value = default!;

        public long LoadedAt { get; } = loadedAt;

        public bool TryGet(out T value)
        {
            var isKnown = Volatile.Read(ref _loading) is null;
            value = _value;
            return isKnown;
        }

        public async Task<T> LoadAsync()
        {
            if (Volatile.Read(ref _loading) is not { } loading)
            {
                return _value;
            }

            _value = await loading.Value;
            Volatile.Write(ref _loading, null);
            return _value;
        }
    }
}
