using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Which devices an account has, from memory. An answer is never older than two seconds, on any node.</summary>
internal sealed class AccountDirectory(Database db, AccountNotices notices, TimeProvider time) : IDisposable
{
    private readonly AccountCache<IReadOnlyList<DirectoryDevice>> _devices = new(
        notices,
        time,
        TimeSpan.FromSeconds(1.5),
        async account => await db.QueryAsync<DirectoryDevice>($"""
            SELECT device, registration_id, epoch FROM devices WHERE account = {account} ORDER BY device
            """, CancellationToken.None));

    /// <summary>The account's devices in order of id; empty for an account that does not exist.</summary>
    public ValueTask<IReadOnlyList<DirectoryDevice>> DevicesAsync(Guid account, CancellationToken ct) => _devices.GetAsync(account, ct);

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

    public void Dispose() => _devices.Dispose();
}

/// <summary>One device as the relay and the token check need it.</summary>
internal sealed record DirectoryDevice
{
    public int Device { get; init; }

    public int RegistrationId { get; init; }

    /// <summary>Random; changes when the device's credentials end.</summary>
    public long Epoch { get; init; }
}
