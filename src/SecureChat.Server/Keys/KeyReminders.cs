using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Keys;

/// <summary>Tells devices when their one-time keys run low and when their signed prekey is old. Spec: docs/protocol/keys.md#reminders.</summary>
/// <remarks>Hot-store keys: <c>keys-low:hash</c> and <c>keys-old:hash</c>, so that a device is told once in a while, not at every fetch.</remarks>
internal sealed class KeyReminders(KeyStore keys, Mailbox mailbox, IHotStore hot, Database db, TimeProvider time)
{
    private const int LowStock = 20;
    private static readonly TimeSpan LowPause = TimeSpan.FromHours(1);
    private static readonly TimeSpan OldPause = TimeSpan.FromHours(20);
    private static readonly TimeSpan OldAge = TimeSpan.FromDays(30);

    /// <summary>One-time keys of the device were handed out.</summary>
    public async Task TakenAsync(DeviceAddress device, CancellationToken ct)
    {
        var (curve, kyber) = await keys.CountAsync(device, ct);
        if ((curve >= LowStock && kyber >= LowStock) || !await IsDueAsync(HotKeys.KeysLow, device, LowPause, ct))
        {
            return;
        }

        await mailbox.PostEventAsync(
            device.Account,
            [device.Device],
            new Event { KeysLow = new KeysLow { EcCount = (uint)curve, KyberCount = (uint)kyber } },
            ct);
    }

    /// <summary>The device has published: the next time its keys run low it is told at once.</summary>
    public Task RestockedAsync(DeviceAddress device, CancellationToken ct) => hot.RemoveAsync(Name(HotKeys.KeysLow, device), ct);

    /// <summary>Reminds devices that were seen lately of a signed prekey older than 30 days; returns how many.</summary>
    public async Task<int> RemindOldAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var old = await db.QueryAsync<OldKey>($"""
            SELECT k.account, k.device, k.signed_at FROM device_keys k
            JOIN devices d ON d.account = k.account AND d.device = k.device
            WHERE k.signed_at < {now - OldAge} AND d.last_seen_day >= {Days.Since1970(now) - 1}
            """, ct);
        var reminded = 0;
        foreach (var key in old)
        {
            if (!await IsDueAsync(HotKeys.KeysOld, new DeviceAddress(key.Account, key.Device), OldPause, ct))
            {
                continue;
            }

            await mailbox.PostEventAsync(
                key.Account,
                [key.Device],
                new Event { SignedPrekeyOld = new SignedPreKeyOld { AgeDays = (uint)(now - key.SignedAt).Days } },
                ct);
            reminded++;
        }

        return reminded;
    }

    private Task<bool> IsDueAsync(string what, DeviceAddress device, TimeSpan pause, CancellationToken ct) =>
        hot.AddAsync(Name(what, device), new byte[] { 1 }, pause, ct);

    private static string Name(string what, DeviceAddress device)
    {
        byte[] address = [.. device.Account.ToByteArray(bigEndian: true), (byte)device.Device];
        return $"{what}:{Base64Url.EncodeToString(SHA256.HashData(address).AsSpan(0, 16))}";
    }

    private sealed record OldKey
    {
        public Guid Account { get; init; }

        public int Device { get; init; }

        public DateTimeOffset SignedAt { get; init; }
    }
}
