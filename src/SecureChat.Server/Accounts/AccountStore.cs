using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Accounts and their devices: they appear with all their keys and tokens in one transaction, or not at all.</summary>
internal sealed class AccountStore(
    Database db, IMessageQueue queue, IWakeUp wakeUps, AccountNotices notices, RefreshTokens refreshTokens, AccessTokens accessTokens,
    Invites invites, TimeProvider time, ILogger<AccountStore> log)
{
    // After this no node knows the account from memory any more, and whatever it was doing with it is done.
    private static readonly TimeSpan KnownElsewhere = TimeSpan.FromSeconds(5);

    /// <summary>The account that an identifier belongs to.</summary>
    public Task<AccountRow?> FindByIdentifierAsync(byte[] identifierHash, CancellationToken ct) =>
        db.FirstOrDefaultAsync<AccountRow>($"SELECT * FROM accounts WHERE identifier_hash = {identifierHash}", ct);

    public Task<AccountRow?> FindAsync(Guid account, CancellationToken ct) =>
        db.FirstOrDefaultAsync<AccountRow>($"SELECT * FROM accounts WHERE account = {account}", ct);

    /// <summary>Makes an account with its primary device; null: somebody registered the identifier meanwhile, or the invite is not good.</summary>
    /// <param name="identifierHash">Null: found by nobody, and gone when its device is lost.</param>
    /// <param name="invite">Null: none is needed.</param>
    public async Task<Session?> CreateAsync(
        byte[] identityKey, VerifiedDevice device, byte[]? identifierHash, string? invite, CancellationToken ct)
    {
        var address = new DeviceAddress(Ids.New(), 1);
        var today = Days.Since1970(time.GetUtcNow());
        return await db.InTransactionAsync(
            async transaction =>
            {
                if (invite is not null && !await invites.UseAsync(transaction, invite, ct))
                {
                    return null;
                }

                var created = await transaction.ExecuteAsync($"""
                    INSERT INTO accounts
                        (account, identity_key, identifier_hash, discoverable, lock_failures, created_day, last_seen_day)
                    VALUES ({address.Account}, {identityKey}, {identifierHash}, 0, 0, {today}, {today})
                    ON CONFLICT (identifier_hash) DO NOTHING
                    """, ct);

                // An exception, so that the invite's use is given back.
                return created is 1
                    ? await InsertDeviceAsync(transaction, address, device, ct)
                    : throw new IdentifierTakenException();
            },
            ct);
    }

    /// <summary>Gives an existing account a new primary device and identity key, and removes all other devices.</summary>
    /// <remarks>Spec: docs/protocol/accounts.md#registering-again. Null: the account is gone.</remarks>
    /// <param name="keepLock">Whether the registration lock was opened with its token; a lock that merely lapsed is removed.</param>
    public async Task<Session?> TakeOverAsync(
        Guid account, byte[] identityKey, VerifiedDevice device, bool keepLock, CancellationToken ct)
    {
        var ended = new List<EndedDevice>();
        var session = await db.InTransactionAsync(
            async transaction =>
            {
                var updated = await transaction.ExecuteAsync($"""
                    UPDATE accounts SET identity_key = {identityKey}, last_seen_day = {Days.Since1970(time.GetUtcNow())},
                        lock_salt = CASE WHEN {keepLock} = 1 THEN lock_salt ELSE NULL END,
                        lock_hash = CASE WHEN {keepLock} = 1 THEN lock_hash ELSE NULL END,
                        lock_failures = 0, lock_retry_at = NULL, device_list = NULL
                    WHERE account = {account}
                    """, ct);
                if (updated is 0)
                {
                    return null;
                }

                ended.AddRange(await EndDevicesAsync(transaction, account, 1, Limits.MaxDeviceId, ct));
                return await InsertDeviceAsync(transaction, new(account, 1), device, ct);
            },
            ct);
        await AnnounceAsync(account, ended, ct);
        return session;
    }

    /// <summary>Deletes an account: every row goes with it, its queues and its wake-ups.</summary>
    /// <remarks>A message that was checked just before may be stored just behind it. Its id is never used again, so all of it goes once more.</remarks>
    public async Task DeleteAsync(Guid account, CancellationToken ct)
    {
        var ended = await db.InTransactionAsync(
            async transaction =>
            {
                var devices = await EndDevicesAsync(transaction, account, 1, Limits.MaxDeviceId, ct);
                await transaction.ExecuteAsync($"DELETE FROM accounts WHERE account = {account}", ct);
                return devices;
            },
            ct);
        await AnnounceAsync(account, ended, ct);
        _ = ClearAgainAsync(account, ended);
    }

    public Task SetDiscoverableAsync(Guid account, bool enabled, CancellationToken ct) =>
        db.ExecuteAsync($"UPDATE accounts SET discoverable = {enabled} WHERE account = {account}", ct);

    /// <summary>Inserts a device with its keys and its first tokens.</summary>
    public async Task<Session> InsertDeviceAsync(
        Database.Transaction transaction, DeviceAddress address, VerifiedDevice verified, CancellationToken ct)
    {
        var (device, now, epoch) = (verified.Device, time.GetUtcNow(), RefreshTokens.NewEpoch());
        var today = Days.Since1970(now);
        await transaction.ExecuteAsync($"""
            INSERT INTO devices (account, device, epoch, registration_id, name, capabilities, created_day, last_seen_day)
            VALUES ({address.Account}, {address.Device}, {epoch}, {device.RegistrationId}, {device.Name},
                {verified.Capabilities}, {today}, {today})
            """, ct);
        await transaction.ExecuteAsync($"""
            INSERT INTO device_keys (account, device, signed_id, signed_key, signed_signature, signed_at,
                last_resort_id, last_resort_key, last_resort_signature, last_resort_at)
            VALUES ({address.Account}, {address.Device},
                {device.SignedPreKey.KeyId}, {device.SignedPreKey.Key}, {device.SignedPreKey.Signature}, {now},
                {device.LastResortKey.KeyId}, {device.LastResortKey.Key}, {device.LastResortKey.Signature}, {now})
            """, ct);
        var refreshToken = await refreshTokens.StartAsync(transaction, address, ct);
        return new Session(
            address.Account, address.Device, accessTokens.Issue(address, epoch), accessTokens.LifeSeconds, refreshToken);
    }

    /// <summary>Deletes a range of an account's devices with all they own; to be followed by <see cref="AnnounceAsync"/>.</summary>
    public async Task<List<EndedDevice>> EndDevicesAsync(
        Database.Transaction transaction, Guid account, int first, int last, CancellationToken ct)
    {
        var ended = await transaction.QueryAsync<EndedDevice>($"""
            SELECT device, epoch FROM devices WHERE account = {account} AND device >= {first} AND device <= {last} {db.ForUpdate}
            """, ct);
        foreach (var device in ended)
        {
            await transaction.ExecuteAsync(
                $"INSERT INTO ended_epochs (epoch, ended_at) VALUES ({device.Epoch}, {time.GetUtcNow()})", ct);
        }

        await transaction.ExecuteAsync(
            $"DELETE FROM devices WHERE account = {account} AND device >= {first} AND device <= {last}", ct);
        return ended;
    }

    /// <summary>Ends sockets and tokens of removed devices on every node, and deletes their queues.</summary>
    public async Task AnnounceAsync(Guid account, IReadOnlyList<EndedDevice> ended, CancellationToken ct)
    {
        await notices.PublishAsync(account, [.. ended.Select(device => device.Epoch)], ct);
        await ClearAsync(account, ended, ct);
    }

    private async Task ClearAsync(Guid account, IReadOnlyList<EndedDevice> ended, CancellationToken ct)
    {
        foreach (var device in ended)
        {
            var address = new DeviceAddress(account, device.Device);
            await queue.ClearAsync(address, ct);
            await wakeUps.ForgetAsync(address, ct);
        }
    }

    // A server that stops before leaves what expires by itself.
    private async Task ClearAgainAsync(Guid account, IReadOnlyList<EndedDevice> ended)
    {
        try
        {
            await Task.Delay(KnownElsewhere, time, CancellationToken.None);
            await ClearAsync(account, ended, CancellationToken.None);
        }
        catch (Exception e)
        {
            log.NotClearedAgain(e.GetType().Name);
        }
    }
}

/// <summary>One row of <c>accounts</c>. A class, not a record: nothing prints it.</summary>
internal sealed class AccountRow
{
    public Guid Account { get; init; }

    public byte[] IdentityKey { get; init; } = [];

    public byte[]? IdentifierHash { get; init; }

    public long Discoverable { get; init; }

    public byte[]? UsernameHash { get; init; }

    public byte[]? UsernameLink { get; init; }

    public byte[]? LockSalt { get; init; }

    public byte[]? LockHash { get; init; }

    public long LockFailures { get; init; }

    public DateTimeOffset? LockRetryAt { get; init; }

    public long LastSeenDay { get; init; }
}

/// <summary>A device whose credentials were just ended.</summary>
internal sealed record EndedDevice
{
    public int Device { get; init; }

    public long Epoch { get; init; }
}

/// <summary>Two challenges for one new identifier were answered at once; the other one made the account.</summary>
internal sealed class IdentifierTakenException : Exception;
