using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Usernames, known to the server only as hashes. Spec: docs/protocol/accounts.md#usernames.</summary>
/// <remarks>Key in the hot store: <c>username:hash</c> holds a hash of the account that reserved it, for five minutes.</remarks>
internal sealed class UsernameStore(Database db, IHotStore hot)
{
    /// <summary>Reserves the first hash that nobody has; null: all are taken.</summary>
    public async Task<byte[]?> ReserveAsync(Guid account, IEnumerable<byte[]> hashes, CancellationToken ct)
    {
        foreach (var hash in hashes)
        {
            if (await FindAsync(hash, ct) is { } owner && owner != account)
            {
                continue;
            }

            var mine = Mark(account, hash);
            if (await hot.AddAsync(Key(hash), mine, ReservationLife, ct)
                || (await hot.GetAsync(Key(hash), ct) is { } holder && holder.AsSpan().SequenceEqual(mine)))
            {
                return hash;
            }
        }

        return null;
    }

    /// <summary>Takes a reserved username and gives it a new link; null: the reservation is gone or was never there.</summary>
    public async Task<Guid?> ConfirmAsync(Guid account, byte[] hash, byte[] encrypted, CancellationToken ct)
    {
        if (!await hot.RemoveIfAsync(Key(hash), Mark(account, hash), ct))
        {
            return null;
        }

        // The condition, not an exception, for whoever confirmed the same name while the reservation ran out.
        var link = Ids.New();
        return await db.ExecuteAsync($"""
            UPDATE accounts SET username_hash = {hash}, username_link = {link}, username_encrypted = {encrypted}
            WHERE account = {account}
                AND NOT EXISTS (SELECT 1 FROM accounts WHERE username_hash = {hash} AND account <> {account})
            """, ct) > 0 ? link : null;
    }

    public Task DeleteAsync(Guid account, CancellationToken ct) => db.ExecuteAsync($"""
        UPDATE accounts SET username_hash = NULL, username_link = NULL, username_encrypted = NULL WHERE account = {account}
        """, ct);

    /// <summary>Replaces what the link leads to; null: the account has no username.</summary>
    public async Task<Guid?> PutLinkAsync(Guid account, byte[] encrypted, bool keepLink, CancellationToken ct)
    {
        var links = await db.QueryAsync<Guid>($"""
            UPDATE accounts SET username_encrypted = {encrypted},
                username_link = CASE WHEN {keepLink} = 1 THEN COALESCE(username_link, {Ids.New()}) ELSE {Ids.New()} END
            WHERE account = {account} AND username_hash IS NOT NULL
            RETURNING username_link
            """, ct);
        return links is [var link, ..] ? link : null;
    }

    /// <summary>Ends the link; the username stays.</summary>
    public Task DeleteLinkAsync(Guid account, CancellationToken ct) => db.ExecuteAsync(
        $"UPDATE accounts SET username_link = NULL, username_encrypted = NULL WHERE account = {account}", ct);

    /// <summary>The account with that username, or null.</summary>
    public async Task<Guid?> FindAsync(byte[] hash, CancellationToken ct) =>
        await db.QueryAsync<Guid>($"SELECT account FROM accounts WHERE username_hash = {hash}", ct) is [var found] ? found : null;

    /// <summary>What a link leads to, or null.</summary>
    public Task<byte[]?> OpenLinkAsync(Guid link, CancellationToken ct) =>
        db.FirstOrDefaultAsync<byte[]>($"SELECT username_encrypted FROM accounts WHERE username_link = {link}", ct);

    private static string Key(byte[] hash) => $"{HotKeys.Username}:{Base64Url.EncodeToString(hash)}";

    // Not the account's id itself: nothing of an account that is deleted meanwhile stays behind.
    private static byte[] Mark(Guid account, byte[] hash) => SHA256.HashData([.. account.ToByteArray(bigEndian: true), .. hash]);

    private static readonly TimeSpan ReservationLife = TimeSpan.FromMinutes(5);
}
