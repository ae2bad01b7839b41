using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Backups;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Backups;

/// <summary>Encrypted backups, one version of each. Spec: docs/protocol/backups.md.</summary>
/// <remarks>
/// A chunk's row is there before its blob and goes after it: whatever happens to the process, the sweep finds every blob that
/// belongs to no backup.
/// </remarks>
internal sealed class BackupStore(Database db, IBlobStore blobs, IOptions<BackupsOptions> options, TimeProvider time)
{
    private const string Area = BlobAreas.Backups + "/";

    // Rows of one backup that belong to no version, or to one that was replaced.
    private static readonly Sql Superseded =
        $"NOT EXISTS (SELECT 1 FROM backups WHERE backups.id = backup_chunks.backup AND backups.upload = backup_chunks.upload)";

    private long Today => Days.Since1970(time.GetUtcNow());

    public async Task<BackupState?> FindAsync(byte[] id, CancellationToken ct)
    {
        var row = await db.FirstOrDefaultAsync<BackupRow>($"""
            SELECT version, chunks, manifest, used_day,
                (SELECT COALESCE(SUM(bytes), 0) FROM backup_chunks
                 WHERE backup = backups.id AND backup_chunks.upload = backups.upload) AS bytes
            FROM backups WHERE id = {id} AND version > 0
            """, ct);
        if (row is null)
        {
            return null;
        }

        if (row.UsedDay != Today)
        {
            await db.ExecuteAsync($"UPDATE backups SET used_day = {Today} WHERE id = {id}", ct);
        }

        return new BackupState(row.Version, (int)row.Chunks, row.Bytes, row.Manifest);
    }

    /// <summary>Keeps a chunk for a version to come. The same number again replaces it.</summary>
    public async Task<ProtocolError?> PutChunkAsync(byte[] id, Guid upload, int number, byte[] chunk, CancellationToken ct)
    {
        var blob = Ids.New();
        if (await ReserveAsync(id, upload, number, blob, chunk.Length, ct) is { } refusal)
        {
            return refusal;
        }

        await using (var append = await blobs.AppendAsync(NameOf(blob), 0, whole: true, ct))
        {
            await append.WriteAsync([chunk], ct);
            await append.KeepAsync(ct);
        }

        await db.ExecuteAsync($"UPDATE backup_chunks SET is_stored = 1 WHERE blob = {blob}", ct);
        await RemoveAsync($"backup = {id} AND upload = {upload} AND number = {number} AND blob <> {blob}", ct);
        return null;
    }

    /// <summary>Makes the upload the backup.</summary>
    /// <returns>What is stored instead, 0 for nothing, or null: done; and whether chunks are missing.</returns>
    public async Task<(long? Stored, bool IsIncomplete)> PutAsync(byte[] id, PutBackup backup, CancellationToken ct)
    {
        var (stored, isIncomplete) = await db.InTransactionAsync<(long?, bool)>(
            async transaction =>
            {
                var version = await transaction.FirstOrDefaultAsync<long>(
                    $"SELECT version FROM backups WHERE id = {id} {db.ForUpdate}", ct);
                if (version != backup.Version - 1)
                {
                    return (version, false);
                }

                var whole = await transaction.FirstOrDefaultAsync<long>($"""
                    SELECT COUNT(DISTINCT number) FROM backup_chunks
                    WHERE backup = {id} AND upload = {backup.Upload} AND is_stored = 1 AND number < {backup.Chunks}
                    """, ct);
                if (whole != backup.Chunks)
                {
                    return (null, true);
                }

                await transaction.ExecuteAsync($"""
                    UPDATE backups SET version = {backup.Version}, upload = {backup.Upload}, chunks = {backup.Chunks},
                        manifest = {backup.Manifest}, used_day = {Today}
                    WHERE id = {id}
                    """, ct);
                return (null, false);
            },
            ct);
        if (stored is null && !isIncomplete)
        {
            await RemoveAsync($"backup = {id} AND (upload <> {backup.Upload} OR number >= {backup.Chunks} )", ct);
        }

        return (stored, isIncomplete);
    }

    /// <summary>The bytes of a chunk of this version; null: there is none.</summary>
    public async Task<(Stream Content, long Length)?> ReadChunkAsync(byte[] id, long version, int number, CancellationToken ct)
    {
        var row = await db.FirstOrDefaultAsync<ChunkRow>($"""
            SELECT blob, bytes FROM backup_chunks
            WHERE backup = {id} AND number = {number} AND is_stored = 1
                AND upload = (SELECT upload FROM backups WHERE id = {id} AND version = {version} )
            """, ct);
        return row is not null && await blobs.ReadAsync(NameOf(row.Blob), 0, row.Bytes, ct) is { } content ? (content, row.Bytes) : null;
    }

    /// <summary>Deletes the backup at this version.</summary>
    /// <returns>What is stored instead, 0 for nothing; null: done.</returns>
    public async Task<long?> DeleteAsync(byte[] id, long version, CancellationToken ct)
    {
        if (await db.ExecuteAsync($"DELETE FROM backups WHERE id = {id} AND version = {version}", ct) is 0)
        {
            return await db.FirstOrDefaultAsync<long>($"SELECT version FROM backups WHERE id = {id}", ct);
        }

        await RemoveAsync($"backup = {id}", ct);
        return null;
    }

    /// <summary>Deletes what is idle, uploads that nobody finished in a day, and what a crash left.</summary>
    public async Task<int> ReapAsync(CancellationToken ct)
    {
        var idle = await db.ExecuteAsync($"""
            DELETE FROM backups WHERE used_day < CASE WHEN version = 0 THEN {Today - 1} ELSE {Today - options.Value.IdleDays} END
            """, ct);
        return idle + await RemoveAsync($"stored_day < {Today} AND {Superseded}", ct);
    }

    private static string NameOf(Guid blob) => Area + blob.ToString("N");

    private Task<ProtocolError?> ReserveAsync(byte[] id, Guid upload, int number, Guid blob, int bytes, CancellationToken ct) =>
        db.InTransactionAsync(
            async transaction =>
            {
                // The row is there from the first chunk on: locked, it keeps parallel chunks from passing the quota together.
                await transaction.ExecuteAsync($"""
                    INSERT INTO backups (id, version, chunks, manifest, used_day) VALUES ({id}, 0, 0, {Array.Empty<byte>()}, {Today})
                    ON CONFLICT (id) DO NOTHING
                    """, ct);
                var current = await transaction.FirstOrDefaultAsync<byte[]>(
                    $"SELECT upload FROM backups WHERE id = {id} {db.ForUpdate}", ct);
                if (current is not null && new Guid(current, bigEndian: true) == upload)
                {
                    return ProtocolError.Forbidden;
                }

                var staged = await transaction.FirstOrDefaultAsync<long>($"""
                    SELECT COALESCE(SUM(bytes), 0) FROM backup_chunks WHERE backup = {id} AND (upload <> {upload} OR number <> {number} ) AND {Superseded}
                    """, ct);
                if (staged + bytes > (long)options.Value.MaxMiB << 20)
                {
                    return ProtocolError.TooLarge;
                }

                await transaction.ExecuteAsync($"""
                    INSERT INTO backup_chunks (blob, backup, upload, number, bytes, is_stored, stored_day)
                    VALUES ({blob}, {id}, {upload}, {number}, {bytes}, 0, {Today})
                    """, ct);
                return null;
            },
            ct);

    private async Task<int> RemoveAsync(Sql which, CancellationToken ct)
    {
        var names = await db.QueryAsync<byte[]>($"SELECT blob FROM backup_chunks WHERE {which}", ct);
        foreach (var name in names)
        {
            var blob = new Guid(name, bigEndian: true);
            await blobs.RemoveAsync(NameOf(blob), ct);
            await db.ExecuteAsync($"DELETE FROM backup_chunks WHERE blob = {blob}", ct);
        }

        return names.Count;
    }

    private sealed record BackupRow
    {
        public long Version { get; init; }

        public long Chunks { get; init; }

        public byte[] Manifest { get; init; } = [];

        public long UsedDay { get; init; }

        public long Bytes { get; init; }
    }

    private sealed record ChunkRow
    {
        public Guid Blob { get; init; }

        public long Bytes { get; init; }
    }
}
