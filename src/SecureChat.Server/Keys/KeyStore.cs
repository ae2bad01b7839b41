using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Keys;

/// <summary>The public keys of every device: a signed prekey, a last-resort Kyber prekey, and a stock of one-time keys of each kind.</summary>
internal sealed class KeyStore(Database db, TimeProvider time)
{
    /// <summary>The identity key that an account's signatures are checked with; null: no such account.</summary>
    public Task<byte[]?> IdentityKeyAsync(Guid account, CancellationToken ct) =>
        db.FirstOrDefaultAsync<byte[]>($"SELECT identity_key FROM accounts WHERE account = {account}", ct);

    /// <summary>Replaces what <paramref name="keys"/> holds; false: the account has another identity key by now, nothing was changed.</summary>
    /// <param name="identityKey">The key under which the signatures were checked.</param>
    public Task<bool> PublishAsync(DeviceAddress device, PublishKeys keys, byte[] identityKey, CancellationToken ct) =>
        db.InTransactionAsync(
            async transaction =>
            {
                // Locked until the commit, so that registering again cannot slip in between and inherit old keys.
                var current = await transaction.FirstOrDefaultAsync<byte[]>(
                    $"SELECT identity_key FROM accounts WHERE account = {device.Account} {db.ForUpdate}", ct);
                if (current is null || !current.AsSpan().SequenceEqual(identityKey))
                {
                    return false;
                }

                await ReplaceSignedAsync(transaction, device, keys, ct);
                if (keys.OneTimeKeys is { } curve)
                {
                    await ReplaceAsync(transaction, device, Curve, curve.Select(key => (key.KeyId, key.Key, (byte[]?)null)), ct);
                }

                if (keys.KyberOneTimeKeys is { } kyber)
                {
                    await ReplaceAsync(transaction, device, Kyber, kyber.Select(key => (key.KeyId, key.Key, (byte[]?)key.Signature)), ct);
                }

                return true;
            },
            ct);

    /// <summary>The devices' keys that are always there, in order of id; empty: no such account or device.</summary>
    public Task<List<DeviceKeysRow>> DevicesAsync(Guid account, int? device, CancellationToken ct) =>
        db.QueryAsync<DeviceKeysRow>($"""
            SELECT d.device, d.registration_id, k.signed_id, k.signed_key, k.signed_signature, k.signed_at,
                k.last_resort_id, k.last_resort_key, k.last_resort_signature, k.last_resort_at, a.identity_key, a.device_list
            FROM devices d
            JOIN device_keys k ON k.account = d.account AND k.device = d.device
            JOIN accounts a ON a.account = d.account
            WHERE d.account = {account} AND d.device BETWEEN {device ?? 1} AND {device ?? Limits.MaxDeviceId}
            ORDER BY d.device
            """, ct);

    /// <summary>Takes the oldest one-time X25519 key; null: none is left.</summary>
    public async Task<OneTimeKey?> TakeOneTimeKeyAsync(DeviceAddress device, CancellationToken ct) =>
        await TakeAsync(device, Curve, ct) is { } row ? new OneTimeKey(row.KeyId, row.PublicKey) : null;

    /// <summary>Takes the oldest one-time Kyber key; null: none is left.</summary>
    public async Task<SignedKey?> TakeKyberKeyAsync(DeviceAddress device, CancellationToken ct) =>
        await TakeAsync(device, Kyber, ct) is { } row ? new SignedKey(row.KeyId, row.PublicKey, row.Signature!) : null;

    /// <summary>How many one-time keys are left of each kind.</summary>
    public async Task<(int Curve, int Kyber)> CountAsync(DeviceAddress device, CancellationToken ct)
    {
        var rows = await db.QueryAsync<KindCount>($"""
            SELECT kind, COUNT(*) AS count FROM one_time_keys
            WHERE account = {device.Account} AND device = {device.Device} GROUP BY kind
            """, ct);
        return (Of(Curve), Of(Kyber));

        int Of(int kind) => rows.Find(row => row.Kind == kind)?.Count ?? 0;
    }

    /// <summary>Throws away every one-time key; returns how many there were. Devices bring new ones when they are next told or look.</summary>
    public Task<int> ForgetOneTimeKeysAsync(CancellationToken ct) => db.ExecuteAsync($"DELETE FROM one_time_keys", ct);

    // The statement that reads the row deletes it, so two who ask at once never receive the same key.
    private Task<OneTimeKeyRow?> TakeAsync(DeviceAddress device, int kind, CancellationToken ct) =>
        db.FirstOrDefaultAsync<OneTimeKeyRow>($"""
            DELETE FROM one_time_keys
            WHERE (account, device, kind, key_id) IN (
                SELECT account, device, kind, key_id FROM one_time_keys
                WHERE account = {device.Account} AND device = {device.Device} AND kind = {kind}
                ORDER BY key_id LIMIT 1 {db.SkipLocked})
            RETURNING key_id, public_key, signature
            """, ct);

    private async Task ReplaceSignedAsync(
        Database.Transaction transaction, DeviceAddress device, PublishKeys keys, CancellationToken ct)
    {
        if (keys.SignedPreKey is { } signed)
        {
            await transaction.ExecuteAsync($"""
                UPDATE device_keys SET signed_id = {signed.KeyId}, signed_key = {signed.Key},
                    signed_signature = {signed.Signature}, signed_at = {time.GetUtcNow()}
                WHERE account = {device.Account} AND device = {device.Device}
                """, ct);
        }

        if (keys.LastResortKey is { } lastResort)
        {
            await transaction.ExecuteAsync($"""
                UPDATE device_keys SET last_resort_id = {lastResort.KeyId}, last_resort_key = {lastResort.Key},
                    last_resort_signature = {lastResort.Signature}, last_resort_at = {time.GetUtcNow()}
                WHERE account = {device.Account} AND device = {device.Device}
                """, ct);
        }
    }

    private static async Task ReplaceAsync(
        Database.Transaction transaction,
        DeviceAddress device,
        int kind,
        IEnumerable<(int Id, byte[] Key, byte[]? Signature)> keys,
        CancellationToken ct)
    {
        await transaction.ExecuteAsync($"""
            DELETE FROM one_time_keys
            WHERE account = {device.Account} AND device = {device.Device} AND kind = {kind}
            """, ct);
        foreach (var (id, key, signature) in keys)
        {
            await transaction.ExecuteAsync($"""
                INSERT INTO one_time_keys (account, device, kind, key_id, public_key, signature)
                VALUES ({device.Account}, {device.Device}, {kind}, {id}, {key}, {signature})
                """, ct);
        }
    }

    private const int Curve = 1;
    private const int Kyber = 2;

    private sealed record KindCount
    {
        public int Kind { get; init; }

        public int Count { get; init; }
    }

    private sealed record OneTimeKeyRow
    {
        public int KeyId { get; init; }

        public byte[] PublicKey { get; init; } = [];

        public byte[]? Signature { get; init; }
    }
}

/// <summary>The keys of one device that do not run out, with its account's identity key.</summary>
internal sealed record DeviceKeysRow
{
    public int Device { get; init; }

    public int RegistrationId { get; init; }

    public int SignedId { get; init; }

    public byte[] SignedKey { get; init; } = [];

    public byte[] SignedSignature { get; init; } = [];

    public DateTimeOffset SignedAt { get; init; }

    public int LastResortId { get; init; }

    public byte[] LastResortKey { get; init; } = [];

    public byte[] LastResortSignature { get; init; } = [];

    public DateTimeOffset LastResortAt { get; init; }

    public byte[] IdentityKey { get; init; } = [];

    public byte[]? DeviceList { get; init; }
}
