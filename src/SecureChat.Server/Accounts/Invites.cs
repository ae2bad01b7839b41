using System.Security.Cryptography;
using System.Text;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Invites: counted, revocable, kept only as a hash.</summary>
internal sealed class Invites(Database db, TimeProvider time)
{
    /// <summary>Makes an invite and returns its code, which is shown this once.</summary>
    public async Task<string> CreateAsync(int uses, TimeSpan life, CancellationToken ct)
    {
        var code = RandomNumberGenerator.GetString(Alphabet, 20);
        var now = time.GetUtcNow();
        await db.ExecuteAsync($"""
            INSERT INTO invites (invite, code_hash, uses, used, created_at, expires_at)
            VALUES ({RandomNumberGenerator.GetString(Alphabet, 6)}, {Hash(code)}, {uses}, 0, {now}, {now + life})
            """, ct);
        return string.Join('-', code.Chunk(5).Select(part => new string(part)));
    }

    public Task<List<Invite>> ListAsync(CancellationToken ct) =>
        db.QueryAsync<Invite>($"SELECT invite AS name, uses, used, created_at, expires_at FROM invites ORDER BY created_at", ct);

    public async Task<bool> RevokeAsync(string name, CancellationToken ct) =>
        await db.ExecuteAsync($"DELETE FROM invites WHERE invite = {name}", ct) > 0;

    /// <summary>Whether the code could be used now, so that a mistyped one costs nobody a one-time code.</summary>
    public async Task<bool> IsUsableAsync(string code, CancellationToken ct) =>
        await db.FirstOrDefaultAsync<long>($"""
            SELECT COUNT(*) FROM invites WHERE code_hash = {Hash(code)} AND used < uses AND expires_at > {time.GetUtcNow()}
            """, ct) > 0;

    /// <summary>Takes one use, in the transaction that makes the account; false: wrong, used up or expired.</summary>
    /// <remarks>One statement checks and counts, so that parallel sign-ups cannot share a use.</remarks>
    public async Task<bool> UseAsync(Database.Transaction transaction, string code, CancellationToken ct) =>
        await transaction.ExecuteAsync($"""
            UPDATE invites SET used = used + 1
            WHERE code_hash = {Hash(code)} AND used < uses AND expires_at > {time.GetUtcNow()}
            """, ct) > 0;

    /// <summary>Deletes invites that can no longer be used.</summary>
    public Task<int> ReapAsync(CancellationToken ct) =>
        db.ExecuteAsync($"DELETE FROM invites WHERE used >= uses OR expires_at <= {time.GetUtcNow()}", ct);

    // 100 random bits need no slow hash. People retype codes: case and separators do not matter.
    private static byte[] Hash(string code) => SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Concat(code.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant()));

    // 32 characters without the look-alikes 0/O and 1/I.
    private const string Alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
}

/// <summary>An invite as its operator sees it.</summary>
internal sealed class Invite
{
    public string Name { get; init; } = "";

    public int Uses { get; init; }

    public int Used { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset ExpiresAt { get; init; }
}
