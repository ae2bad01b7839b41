using System.Security.Cryptography;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Senders;

/// <summary>Who may send to whom. Spec: docs/protocol/sealed-sender.md#who-may-send.</summary>
/// <remarks>
/// Rights and blocked accounts are kept as hashes under the server's identifier key, with the owner's id hashed in: a dump gives
/// neither a right to send nor a contact. Answers come from memory and are never older than a second, on any node.
/// </remarks>
internal sealed class SendPolicies : IDisposable
{
    /// <summary>Bytes of an access key or a delivery token.</summary>
    public const int RightBytes = 16;

    /// <summary>Delivery tokens, and blocked accounts, of one account.</summary>
    public const int MaxEntries = 1000;

    private readonly Database _db;
    private readonly Secrets _secrets;
    private readonly AccountNotices _notices;
    private readonly AccountCache<PolicyRow> _policies;

    public SendPolicies(Database db, Secrets secrets, AccountNotices notices, TimeProvider time)
    {
        (_db, _secrets, _notices) = (db, secrets, notices);
        _policies = new(notices, time, TimeSpan.FromSeconds(0.8), LoadAsync);
    }

    /// <summary>Whether a sender without a name may send to the account with this right.</summary>
    /// <remarks>The same work is done for an account that does not exist.</remarks>
    /// <param name="right">An access key, a delivery token, or nothing.</param>
    public async ValueTask<bool> AdmitsSealedAsync(Guid account, ReadOnlyMemory<byte> right, CancellationToken ct)
    {
        var policy = await _policies.GetAsync(account, ct);
        var hash = Hash(Purpose.Right, account, right.Span);
        var hasKey = CryptographicOperations.FixedTimeEquals(hash, policy.AccessKeyHash ?? new byte[HashBytes]);
        var hasToken = Contains(policy.Tokens, hash);
        return policy.Anyone != 0 | (right.Length == RightBytes & (hasKey & policy.AccessKeyHash is not null | hasToken));
    }

    /// <summary>Whether the account has blocked this sender.</summary>
    public async ValueTask<bool> BlocksAsync(Guid account, Guid sender, CancellationToken ct)
    {
        var policy = await _policies.GetAsync(account, ct);
        return policy.Blocked.Length > 0 && Contains(policy.Blocked, Hash(Purpose.Blocked, account, sender.ToByteArray(bigEndian: true)));
    }

    /// <param name="accessKey">Null: none.</param>
    public Task SetAsync(Guid account, byte[]? accessKey, bool anyone, CancellationToken ct)
    {
        var hash = accessKey is null ? null : Hash(Purpose.Right, account, accessKey);
        return ChangeAsync(account, row => row with { AccessKeyHash = hash, Anyone = anyone ? 1 : 0 }, ct);
    }

    /// <summary>False: more than <see cref="MaxEntries"/>, and nothing was changed.</summary>
    public Task<bool> ChangeTokensAsync(
        Guid account, IReadOnlyList<byte[]> add, IReadOnlyList<byte[]> remove, CancellationToken ct) =>
        ChangeAsync(
            account,
            row => row with
            {
                Tokens = Changed(
                    row.Tokens,
                    [.. add.Select(token => Hash(Purpose.Right, account, token))],
                    [.. remove.Select(token => Hash(Purpose.Right, account, token))]),
            },
            ct);

    /// <inheritdoc cref="ChangeTokensAsync"/>
    public Task<bool> BlockAsync(Guid account, Guid sender, bool blocked, CancellationToken ct)
    {
        byte[][] hash = [Hash(Purpose.Blocked, account, sender.ToByteArray(bigEndian: true))];
        return ChangeAsync(
            account, row => row with { Blocked = blocked ? Changed(row.Blocked, hash, []) : Changed(row.Blocked, [], hash) }, ct);
    }

    public void Dispose() => _policies.Dispose();

    private async Task<PolicyRow> LoadAsync(Guid account) =>
        await _db.FirstOrDefaultAsync<PolicyRow>($"""
            SELECT access_key_hash, anyone, tokens, blocked FROM send_policies WHERE account = {account}
            """, CancellationToken.None) ?? PolicyRow.None;

    private async Task<bool> ChangeAsync(Guid account, Func<PolicyRow, PolicyRow> change, CancellationToken ct)
    {
        var changed = await _db.InTransactionAsync(
            async transaction =>
            {
                await transaction.ExecuteAsync($"""
                    INSERT INTO send_policies (account, anyone, tokens, blocked) VALUES ({account}, 0, {Nothing}, {Nothing})
                    ON CONFLICT (account) DO NOTHING
                    """, ct);
                var rows = await transaction.QueryAsync<PolicyRow>($"""
                    SELECT access_key_hash, anyone, tokens, blocked FROM send_policies WHERE account = {account} {_db.ForUpdate}
                    """, ct);
                var row = change(rows[0]);
                if (row.Tokens.Length > MaxEntries * HashBytes || row.Blocked.Length > MaxEntries * HashBytes)
                {
                    return false;
                }

                await transaction.ExecuteAsync($"""
                    UPDATE send_policies SET access_key_hash = {row.AccessKeyHash}, anyone = {row.Anyone},
                        tokens = {row.Tokens}, blocked = {row.Blocked}
                    WHERE account = {account}
                    """, ct);
                return true;
            },
            ct);
        await _notices.PublishAsync(account, [], ct);
        return changed;
    }

    private byte[] Hash(Purpose purpose, Guid account, ReadOnlySpan<byte> what)
    {
        Span<byte> text = stackalloc byte[1 + 16 + RightBytes];
        text[0] = (byte)purpose;
        account.TryWriteBytes(text[1..], bigEndian: true, out _);

        // What has another length is not good; it is still hashed, so that it takes as long.
        what[..Math.Min(what.Length, RightBytes)].CopyTo(text[17..]);
        return HMACSHA256.HashData(_secrets.IdentifierKey, text)[..HashBytes];
    }

    // Looks at every entry, whichever it is.
    private static bool Contains(byte[] hashes, byte[] hash)
    {
        var found = false;
        for (var at = 0; at < hashes.Length; at += HashBytes)
        {
            found |= CryptographicOperations.FixedTimeEquals(hashes.AsSpan(at, HashBytes), hash);
        }

        return found;
    }

    private static byte[] Changed(byte[] hashes, byte[][] add, byte[][] remove) =>
    [
        .. hashes.Chunk(HashBytes).Where(hash => !Array.Exists(remove, hash.SequenceEqual))
            .Concat(add).DistinctBy(Convert.ToHexString).SelectMany(hash => hash),
    ];

    private const int HashBytes = 16;
    private static readonly byte[] Nothing = [];

    private enum Purpose : byte
    {
        Right = 0xA0,
        Blocked = 0xA1,
    }

    private sealed record PolicyRow
    {
        public static PolicyRow None { get; } = new();

        public byte[]? AccessKeyHash { get; init; }

        public long Anyone { get; init; }

        public byte[] Tokens { get; init; } = [];

        public byte[] Blocked { get; init; } = [];
    }
}
