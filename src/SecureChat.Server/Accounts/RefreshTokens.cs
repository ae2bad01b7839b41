using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Refresh tokens: opaque, 256 bits, hashed at rest, good for one use.</summary>
/// <remarks>
/// <para>Spec: docs/protocol/accounts.md#tokens.</para>
/// <para>
/// A token is a family (16 bytes, one per device's sign-in) and a secret (16 bytes). The next secret follows from the token and the
/// server's key, so two honest refreshes at once get the same next token and neither splits the family: a
/// thief and the owner always end up presenting the same token twice, and the second one ends the family.
/// </para>
/// </remarks>
internal sealed class RefreshTokens(
    Database db, AccountNotices notices, Secrets secrets, IOptions<TokensOptions> options, TimeProvider time,
    ILogger<RefreshTokens> log)
{
    /// <summary>Starts a family for a device, in the transaction that makes the device.</summary>
    public async Task<string> StartAsync(Database.Transaction transaction, DeviceAddress device, CancellationToken ct)
    {
        var token = RandomNumberGenerator.GetBytes(TokenBytes);
        var now = time.GetUtcNow();
        await transaction.ExecuteAsync($"""
            INSERT INTO refresh_tokens (account, device, family_hash, token_hash, rotated_at, expires_at)
            VALUES ({device.Account}, {device.Device}, {FamilyHash(token)}, {SHA256.HashData(token)}, {now},
                {now + options.Value.RefreshLife})
            """, ct);
        return Base64Url.EncodeToString(token);
    }

    /// <summary>Exchanges a token for the next one; null: it is not valid (any more).</summary>
    public async Task<Refreshed?> RotateAsync(string presented, CancellationToken ct)
    {
        if (!TryDecode(presented, out var token))
        {
            return null;
        }

        var (hash, family, next, now) = (SHA256.HashData(token), FamilyHash(token), Next(token), time.GetUtcNow());
        await db.ExecuteAsync($"""
            UPDATE refresh_tokens
            SET token_hash = {SHA256.HashData(next)}, previous_hash = {hash}, rotated_at = {now},
                expires_at = {now + options.Value.RefreshLife}
            WHERE family_hash = {family} AND token_hash = {hash} AND expires_at > {now}
            """, ct);

        var row = await db.FirstOrDefaultAsync<FamilyRow>($"""
            SELECT refresh_tokens.account, refresh_tokens.device, token_hash, previous_hash, rotated_at, expires_at, epoch
            FROM refresh_tokens JOIN devices
                ON devices.account = refresh_tokens.account AND devices.device = refresh_tokens.device
            WHERE family_hash = {family}
            """, ct);
        if (row is null || row.ExpiresAt <= now)
        {
            return null;
        }

        if (row.PreviousHash is { } previous && CryptographicOperations.FixedTimeEquals(previous, hash)
            && now - row.RotatedAt <= options.Value.RefreshGrace)
        {
            await TouchAsync(row, ct);
            return new Refreshed(new(row.Account, row.Device), row.Epoch, Base64Url.EncodeToString(next));
        }

        // Only a holder of an earlier token knows the family: this is a re-use.
        log.RefreshTokenReused();
        await EndAsync(new(row.Account, row.Device), ct);
        return null;
    }

    /// <summary>Ends a device's credentials, everywhere within two seconds. The device itself stays.</summary>
    public async Task EndAsync(DeviceAddress device, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var ended = await db.InTransactionAsync(
            async transaction =>
            {
                var epochs = await transaction.QueryAsync<long>($"""
                    SELECT epoch FROM devices WHERE account = {device.Account} AND device = {device.Device} {db.ForUpdate}
                    """, ct);
                foreach (var epoch in epochs)
                {
                    await transaction.ExecuteAsync(
                        $"INSERT INTO ended_epochs (epoch, ended_at) VALUES ({epoch}, {now})", ct);
                }

                await transaction.ExecuteAsync($"""
                    UPDATE devices SET epoch = {NewEpoch()} WHERE account = {device.Account} AND device = {device.Device}
                    """, ct);
                await transaction.ExecuteAsync($"""
                    DELETE FROM refresh_tokens WHERE account = {device.Account} AND device = {device.Device}
                    """, ct);
                return epochs;
            },
            ct);
        await notices.PublishAsync(device.Account, ended, ct);
    }

    /// <summary>Deletes what can no longer be presented.</summary>
    public Task<int> ReapAsync(CancellationToken ct) =>
        db.ExecuteAsync($"DELETE FROM refresh_tokens WHERE expires_at <= {time.GetUtcNow()}", ct);

    /// <summary>63 random bits: no two devices, nor two sign-ins of one device, share it.</summary>
    public static long NewEpoch()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToInt64(bytes) & long.MaxValue;
    }

    // Last seen is kept as a date only, and written once a day.
    private async Task TouchAsync(FamilyRow row, CancellationToken ct)
    {
        var today = Days.Since1970(time.GetUtcNow());
        await db.ExecuteAsync($"""
            UPDATE devices SET last_seen_day = {today}
            WHERE account = {row.Account} AND device = {row.Device} AND last_seen_day < {today}
            """, ct);
        await db.ExecuteAsync(
            $"UPDATE accounts SET last_seen_day = {today} WHERE account = {row.Account} AND last_seen_day < {today}", ct);
    }

    private byte[] Next(byte[] token) =>
        [.. token.AsSpan(0, FamilyBytes), .. HMACSHA256.HashData(secrets.TokenKey, token).AsSpan(0, FamilyBytes)];

    private static byte[] FamilyHash(byte[] token) => SHA256.HashData(token.AsSpan(0, FamilyBytes));

    private static bool TryDecode(string presented, out byte[] token)
    {
        token = new byte[TokenBytes];
        return presented.Length is 43 && Base64Url.IsValid(presented, out var length) && length is TokenBytes
            && Base64Url.TryDecodeFromChars(presented, token, out _);
    }

    private const int TokenBytes = 32;
    private const int FamilyBytes = 16;

    private sealed class FamilyRow
    {
        public Guid Account { get; init; }

        public int Device { get; init; }

        public byte[]? PreviousHash { get; init; }

        public DateTimeOffset RotatedAt { get; init; }

        public DateTimeOffset ExpiresAt { get; init; }

        public long Epoch { get; init; }
    }
}

/// <summary>A refresh that worked. A class, not a record: nothing prints it.</summary>
internal sealed class Refreshed(DeviceAddress device, long epoch, string next)
{
    public DeviceAddress Device { get; } = device;

    public long Epoch { get; } = epoch;

    public string Next { get; } = next;
}
