using Microsoft.Extensions.Options;
using Npgsql;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Groups;

/// <summary>Encrypted group states, one version of each: what is replaced is gone. Spec: docs/protocol/groups.md.</summary>
internal sealed class GroupStore(Database db, IOptions<GroupsOptions> options, TimeProvider time)
{
    private long Today => Days.Since1970(time.GetUtcNow());

    /// <param name="after">A version that the reader has already: the state is left out unless it is newer.</param>
    public async Task<GroupState?> FindAsync(byte[] id, long after, CancellationToken ct)
    {
        var row = await db.FirstOrDefaultAsync<StateRow>($"""
            SELECT version, CASE WHEN version > {after} THEN state ELSE NULL END AS state, used_day,
                (SELECT COUNT(*) FROM join_requests WHERE group_id = group_states.id) AS requests
            FROM group_states WHERE id = {id}
            """, ct);
        if (row is null)
        {
            return null;
        }

        if (row.UsedDay != Today)
        {
            await db.ExecuteAsync($"UPDATE group_states SET used_day = {Today} WHERE id = {id}", ct);
        }

        return new GroupState(row.Version, row.State ?? [], (int)row.Requests);
    }

    /// <summary>The group that a key may change, or would make; null: only its admins may.</summary>
    /// <remarks>Asked before the change and not with it: whoever becomes admin meanwhile makes a version, and the change meets that.</remarks>
    public async Task<byte[]?> WritableByAsync(byte[] key, CancellationToken ct)
    {
        var row = await db.FirstOrDefaultAsync<WriterRow>($"""
            SELECT id, admin FROM group_states WHERE id = {key} OR admin = {key}
            ORDER BY CASE WHEN id = {key} THEN 0 ELSE 1 END LIMIT 1
            """, ct);
        return row is null ? key : row.Admin is null || row.Admin.AsSpan().SequenceEqual(key) ? row.Id : null;
    }

    /// <summary>Replaces version by version.</summary>
    /// <returns>Null: done. Else the version that is stored, 0 for none, and nothing was changed.</returns>
    public async Task<long?> PutAsync(byte[] id, PutGroup group, CancellationToken ct)
    {
        var newId = group.NewKey is null ? id : SignedRequests.IdOf(group.NewKey);
        try
        {
            return await ReplaceAsync(id, newId, group, ct);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation)
        {
            throw new KeyTakenException();
        }
    }

    private Task<long?> ReplaceAsync(byte[] id, byte[] newId, PutGroup group, CancellationToken ct)
    {
        var link = group.Link is null ? null : SignedRequests.IdOf(group.Link.Key);
        var admin = group.AdminKey is null ? null : SignedRequests.IdOf(group.AdminKey);
        return db.InTransactionAsync(
            async transaction =>
            {
                var stored = await transaction.FirstOrDefaultAsync<long>(
                    $"SELECT version FROM group_states WHERE id = {id} {db.ForUpdate}", ct);
                if (stored != group.Version - 1)
                {
                    return stored;
                }

                var taken = await transaction.FirstOrDefaultAsync<long>($"""
                    SELECT COUNT(*) FROM group_states WHERE id <> {id} AND (id = {newId} OR admin = {admin} OR link = {link} )
                    """, ct);
                if (taken > 0)
                {
                    throw new KeyTakenException();
                }

                // The old row goes first: a link may move with the group. Two who begin one group at once meet in the insert.
                var isMoved = !newId.AsSpan().SequenceEqual(id);
                var written = stored is 0 || isMoved
                    ? await InsertAsync(transaction, isMoved && stored > 0 ? id : [], newId, group, ct)
                    : await transaction.ExecuteAsync($"""
                        UPDATE group_states SET version = {group.Version}, state = {group.State}, admin = {admin}, link = {link},
                            preview = {group.Link?.Preview}, used_day = {Today}
                        WHERE id = {id}
                        """, ct);
                return written is 1 ? (long?)null : throw new KeyTakenException();
            },
            ct);
    }

    /// <summary>Deletes a group at the version that the caller knows; returns as <see cref="PutAsync"/>.</summary>
    public async Task<long?> DeleteAsync(byte[] id, long version, CancellationToken ct) =>
        await db.ExecuteAsync($"DELETE FROM group_states WHERE id = {id} AND version = {version}", ct) is 1
            ? null
            : await db.FirstOrDefaultAsync<long>($"SELECT version FROM group_states WHERE id = {id}", ct);

    public Task<byte[]?> PreviewAsync(byte[] link, CancellationToken ct) =>
        db.FirstOrDefaultAsync<byte[]>($"SELECT preview FROM group_states WHERE link = {link}", ct);

    /// <summary>Keeps a request to join for the members.</summary>
    public Task<ProtocolError?> AskAsync(byte[] link, byte[] request, CancellationToken ct) => db.InTransactionAsync(
        async transaction =>
        {
            // Locked, so that many who ask at once do not pass the cap together.
            if (await transaction.FirstOrDefaultAsync<byte[]>(
                $"SELECT id FROM group_states WHERE link = {link} {db.ForUpdate}", ct) is not { } group)
            {
                return ProtocolError.NotFound;
            }

            var waiting = await transaction.FirstOrDefaultAsync<long>(
                $"SELECT COUNT(*) FROM join_requests WHERE group_id = {group}", ct);
            if (waiting >= Limits.MaxJoinRequests)
            {
                return ProtocolError.QueueFull;
            }

            await transaction.ExecuteAsync($"""
                INSERT INTO join_requests (id, group_id, request, asked_day) VALUES ({Ids.New()}, {group}, {request}, {Today})
                """, ct);
            return null;
        },
        ct);

    /// <summary>Null: there is no such group.</summary>
    public async Task<List<JoinRequest>?> RequestsAsync(byte[] group, CancellationToken ct)
    {
        var rows = await db.QueryAsync<RequestRow>(
            $"SELECT id, request FROM join_requests WHERE group_id = {group} ORDER BY asked_day, id", ct);
        return rows.Count > 0 || await db.FirstOrDefaultAsync<long>($"SELECT version FROM group_states WHERE id = {group}", ct) > 0
            ? rows.ConvertAll(row => new JoinRequest(row.Id, row.Request))
            : null;
    }

    public async Task<bool> RemoveRequestAsync(byte[] group, Guid id, CancellationToken ct) =>
        await db.ExecuteAsync($"DELETE FROM join_requests WHERE group_id = {group} AND id = {id}", ct) > 0;

    public async Task<int> ReapAsync(CancellationToken ct) =>
        await db.ExecuteAsync($"DELETE FROM group_states WHERE used_day < {Today - options.Value.IdleDays}", ct)
        + await db.ExecuteAsync($"DELETE FROM join_requests WHERE asked_day < {Today - options.Value.JoinRequestDays}", ct);

    private async Task<int> InsertAsync(
        Database.Transaction transaction, byte[] oldId, byte[] id, PutGroup group, CancellationToken ct)
    {
        var link = group.Link is null ? null : SignedRequests.IdOf(group.Link.Key);
        var admin = group.AdminKey is null ? null : SignedRequests.IdOf(group.AdminKey);
        await transaction.ExecuteAsync($"DELETE FROM group_states WHERE id = {oldId}", ct);
        return await transaction.ExecuteAsync($"""
            INSERT INTO group_states (id, admin, version, state, link, preview, used_day)
            VALUES ({id}, {admin}, {group.Version}, {group.State}, {link}, {group.Link?.Preview}, {Today})
            ON CONFLICT DO NOTHING
            """, ct);
    }

    private sealed record WriterRow
    {
        public byte[] Id { get; init; } = [];

        public byte[]? Admin { get; init; }
    }

    private sealed record StateRow
    {
        public long Version { get; init; }

        public byte[]? State { get; init; }

        public long UsedDay { get; init; }

        public long Requests { get; init; }
    }

    private sealed record RequestRow
    {
        public Guid Id { get; init; }

        public byte[] Request { get; init; } = [];
    }
}

/// <summary>The key is another group's or link's already; the transaction is undone.</summary>
internal sealed class KeyTakenException : Exception;
