using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Keeps somebody who got hold of a number or mailbox from taking over its account.</summary>
/// <remarks>
/// Spec: docs/protocol/accounts.md#registration-lock. The token is derived from a PIN, so it is kept as a salted Argon2id hash
/// and tries are counted in the directory, where neither a restart nor a fresh challenge resets them.
/// </remarks>
internal sealed class RegistrationLock(Database db, IOptions<AccountsOptions> options, TimeProvider time) : IDisposable
{
    // Each hash takes 19 MiB and a core: few at a time, whoever asks.
    private readonly SemaphoreSlim _hashing = new(2, 2);

    /// <summary>Whether the account has a lock, and was seen lately enough for it to hold.</summary>
    public bool IsEnforced(AccountRow account) =>
        account.LockHash is not null
        && Days.Since1970(time.GetUtcNow()) <= account.LastSeenDay + options.Value.RegistrationLockDays;

    /// <summary>Counts and checks one try. Nothing but the count changes.</summary>
    /// <returns>Zero if the token is right, else how long to wait before the next try makes sense.</returns>
    public async Task<TimeSpan> TryAsync(AccountRow account, byte[] token, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (account.LockRetryAt is { } retryAt && retryAt > now)
        {
            return retryAt - now;
        }

        // The condition on the count lets one of several parallel tries through; each costs one of the ten.
        var failures = account.LockFailures + 1;
        var wait = Backoff(failures);
        var counted = await db.ExecuteAsync($"""
            UPDATE accounts SET lock_failures = {failures}, lock_retry_at = {now + wait}
            WHERE account = {account.Account} AND lock_failures = {account.LockFailures}
            """, ct);
        if (counted is 0)
        {
            return TimeSpan.FromSeconds(1);
        }

        return CryptographicOperations.FixedTimeEquals(await HashAsync(token, account.LockSalt!, ct), account.LockHash)
            ? TimeSpan.Zero
            : Max(wait, TimeSpan.FromSeconds(1));
    }

    /// <param name="token">32 bytes; null removes the lock.</param>
    public async Task SetAsync(Guid account, byte[]? token, CancellationToken ct)
    {
        var salt = token is null ? null : RandomNumberGenerator.GetBytes(16);
        var hash = token is null ? null : await HashAsync(token, salt!, ct);
        await db.ExecuteAsync($"""
            UPDATE accounts SET lock_salt = {salt}, lock_hash = {hash}, lock_failures = 0, lock_retry_at = NULL
            WHERE account = {account}
            """, ct);
    }

    public void Dispose() => _hashing.Dispose();

    // Ten tries at once; then an hour, two, four … a day between tries.
    private static TimeSpan Backoff(long failures) => failures < FreeTries
        ? TimeSpan.Zero
        : TimeSpan.FromHours(Math.Min(24, Math.Pow(2, Math.Min(failures - FreeTries, 5))));

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private async Task<byte[]> HashAsync(byte[] token, byte[] salt, CancellationToken ct)
    {
        await _hashing.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Argon2id(token, salt), ct);
        }
        finally
        {
            _hashing.Release();
        }
    }

    // RFC 9106 with 19 MiB and two passes.
    private static byte[] Argon2id(byte[] token, byte[] salt)
    {
        var generator = new Argon2BytesGenerator();
        generator.Init(new Argon2Parameters.Builder(Argon2Parameters.Argon2id)
            .WithVersion(Argon2Parameters.Version13)
            .WithMemoryAsKB(19 * 1024).WithIterations(2).WithParallelism(1)
            .WithSalt(salt).Build());
        var hash = new byte[Limits.RegistrationLockBytes];
        generator.GenerateBytes(token, hash);
        return hash;
    }

    private const int FreeTries = 10;
}
