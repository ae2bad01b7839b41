using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>How each device is woken: one encrypted row per device, gone with the device.</summary>
/// <remarks>
/// Which devices have a row is remembered for a minute per account, so that mail for a device without one costs nothing. A node that
/// misses the notice of a change learns it when that minute is over.
/// </remarks>
internal sealed class PushSubscriptions : IDisposable
{
    private readonly Database _db;
    private readonly Secrets _secrets;
    private readonly AccountNotices _notices;
    private readonly AccountCache<long[]> _devices;

    public PushSubscriptions(Database db, Secrets secrets, AccountNotices notices, TimeProvider time)
    {
        (_db, _secrets, _notices) = (db, secrets, notices);
        _devices = new(notices, time, TimeSpan.FromMinutes(1), LoadAsync);
    }

    /// <summary>Replaces what the device had; false: the device is gone.</summary>
    public async Task<bool> PutAsync(DeviceAddress device, PushTarget target, CancellationToken ct)
    {
        var row = target.Seal(_secrets.PushKey, device);
        var stored = await _db.ExecuteAsync($"""
            INSERT INTO push_subscriptions (account, device, sealed)
            SELECT account, device, {row} FROM devices WHERE account = {device.Account} AND device = {device.Device}
            ON CONFLICT (account, device) DO UPDATE SET sealed = excluded.sealed
            """, ct);
        await _notices.PublishAsync(device.Account, [], ct);
        return stored > 0;
    }

    public async Task RemoveAsync(DeviceAddress device, CancellationToken ct)
    {
        await _db.ExecuteAsync(
            $"DELETE FROM push_subscriptions WHERE account = {device.Account} AND device = {device.Device}", ct);
        await _notices.PublishAsync(device.Account, [], ct);
    }

    /// <summary>The device's target with the row it came from; null: there is none, or it was sealed under a key that is lost.</summary>
    public async Task<(PushTarget Target, byte[] Row)?> FindAsync(DeviceAddress device, CancellationToken ct)
    {
        var row = await _db.FirstOrDefaultAsync<byte[]>(
            $"SELECT sealed FROM push_subscriptions WHERE account = {device.Account} AND device = {device.Device}", ct);
        return row is not null && PushTarget.Open(row, _secrets.PushKey, device) is { } target ? (target, row) : null;
    }

    /// <summary>Removes a dead target, unless the device has registered another one meanwhile.</summary>
    public async Task RemoveDeadAsync(DeviceAddress device, byte[] row, CancellationToken ct)
    {
        await _db.ExecuteAsync($"""
            DELETE FROM push_subscriptions
            WHERE account = {device.Account} AND device = {device.Device} AND sealed = {row}
            """, ct);
        await _notices.PublishAsync(device.Account, [], ct);
    }

    /// <summary>Whether the device can be woken at all.</summary>
    public async Task<bool> HasAsync(DeviceAddress device, CancellationToken ct) =>
        Array.IndexOf(await _devices.GetAsync(device.Account, ct), device.Device) >= 0;

    public void Dispose() => _devices.Dispose();

    private async Task<long[]> LoadAsync(Guid account) =>
        [.. await _db.QueryAsync<long>($"SELECT device FROM push_subscriptions WHERE account = {account}", CancellationToken.None)];
}
