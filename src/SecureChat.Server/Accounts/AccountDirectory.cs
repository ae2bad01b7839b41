using System.Collections.Concurrent;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Which devices an account has, from memory. An answer is never older than two seconds, on any node.</summary>
internal sealed class AccountDirectory : IDisposable
{
    private readonly ConcurrentDictionary<Guid, Entry> _entries = new();
    private readonly Database _db;
    private readonly AccountNotices _notices;
    private readonly TimeProvider _time;
    private readonly ITimer _sweep;

    public AccountDirectory(Database db, AccountNotices notices, TimeProvider time)
    {
        (_db, _notices, _time) = (db, notices, time);
        _sweep = time.CreateTimer(_ => Sweep(), null, MaxAge * 2, MaxAge * 2);
        _notices.DevicesChanged += Forget;
    }

    /// <summary>The account's devices in order of id; empty for an account that does not exist.</summary>
    public async ValueTask<IReadOnlyList<DirectoryDevice>> DevicesAsync(Guid account, CancellationToken ct)
    {
        if (!_entries.TryGetValue(account, out var entry) || _time.GetElapsedTime(entry.LoadedAt) > MaxAge)
        {
            // Shared by all who ask meanwhile, so no one caller's cancellation may end it. The age counts from before
            // the query: what changes during it is seen at the next load.
            entry = new Entry(_time.GetTimestamp(), new(() => LoadAsync(account)));
            _entries[account] = entry;
        }

        try
        {
            return await entry.Devices.Value.WaitAsync(ct);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _entries.TryRemove(KeyValuePair.Create(account, entry));
            throw;
        }
    }

    /// <summary>Whether the device exists and its credentials with <paramref name="epoch"/> have not ended.</summary>
    public async ValueTask<bool> IsCurrentAsync(Guid account, int device, long epoch, CancellationToken ct)
    {
        foreach (var known in await DevicesAsync(account, ct))
        {
            if (known.Device == device)
            {
                return known.Epoch == epoch;
            }
        }

        return false;
    }

    public void Dispose()
    {
        _sweep.Dispose();
        _notices.DevicesChanged -= Forget;
    }

    private void Forget(Guid account) => _entries.TryRemove(account, out _);

    private async Task<IReadOnlyList<DirectoryDevice>> LoadAsync(Guid account) =>
        await _db.QueryAsync<DirectoryDevice>($"""
            SELECT device, registration_id, epoch FROM devices WHERE account = {account} ORDER BY device
            """, CancellationToken.None);

    // Keeps memory at what was asked for lately.
    private void Sweep()
    {
        foreach (var old in _entries)
        {
            if (_time.GetElapsedTime(old.Value.LoadedAt) > MaxAge)
            {
                _entries.TryRemove(old);
            }
        }
    }

    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1.5);

    private sealed record Entry(long LoadedAt, Lazy<Task<IReadOnlyList<DirectoryDevice>>> Devices);
}

/// <summary>One device as the relay and the token check need it.</summary>
internal sealed record DirectoryDevice
{
    public int Device { get; init; }

    public int RegistrationId { get; init; }

    /// <summary>Random; changes when the device's credentials end.</summary>
    public long Epoch { get; init; }
}
