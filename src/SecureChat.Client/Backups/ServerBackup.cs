using System.Globalization;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Files;
using SecureChat.Protocol;
using SecureChat.Protocol.Backups;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Backups;

/// <summary>The server's store for backups, which does not learn whose they are. Spec: docs/protocol/backups.md#storing.</summary>
internal sealed class ServerBackup(Device device, RecoveryKey key, SignedRequests requests)
{
    private const string Path = "/v1/backups";

    /// <summary>What is there; null: nothing.</summary>
    public async Task<BackupState?> FindAsync(CancellationToken ct)
    {
        try
        {
            return await TryingAsync(() => requests.GetAsync<BackupState>(Path, ct), ct);
        }
        catch (ServerException refused) when (refused.Code == "not_found")
        {
            return null;
        }
    }

    /// <summary>Puts a version in the place of the one before it.</summary>
    /// <exception cref="BackupException">Another device was faster.</exception>
    public async Task PutAsync(long version, byte[] manifest, byte[] body, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        var upload = LocalStore.Ids.New();
        var chunks = body.Chunk(Limits.MaxBackupChunkBytes).ToArray();
        for (var number = 0; number < chunks.Length; number++)
        {
            var target = string.Create(CultureInfo.InvariantCulture, $"{Path}/chunks/{upload}/{number}");
            await TryingAsync(() => DoneAsync(requests.PutBytesAsync(target, chunks[number], ct)), ct);
            progress?.Report(new BackupProgress(Math.Min((number + 1L) * Limits.MaxBackupChunkBytes, body.Length), body.Length));
        }

        try
        {
            await TryingAsync(
                () => DoneAsync(requests.PutAsync(Path, new PutBackup(version, upload, chunks.Length, manifest), ct)), ct);
        }
        catch (ServerException refused) when (refused.Code == "version_conflict")
        {
            // The answer to an earlier try may have been lost.
            if ((await FindAsync(ct))?.Manifest.AsSpan().SequenceEqual(manifest) != true)
            {
                throw new BackupException(BackupFault.Superseded, refused);
            }
        }
    }

    /// <summary>Fetches the body of a version.</summary>
    public async Task<byte[]> FetchAsync(BackupState state, BackupManifest manifest, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        var body = new byte[BackupFormat.BodySize(manifest)];
        var filled = 0;
        for (var number = 0; number < state.Chunks && filled < body.Length; number++)
        {
            var target = string.Create(CultureInfo.InvariantCulture, $"{Path}/chunks/{number}?version={state.Version}");
            var chunk = await TryingAsync(() => requests.GetBytesAsync(target, ct), ct);
            if (chunk.Length > body.Length - filled)
            {
                throw new BackupException(BackupFault.Damaged);
            }

            chunk.CopyTo(body, filled);
            filled += chunk.Length;
            progress?.Report(new BackupProgress(filled, body.Length));
        }

        return filled == body.Length ? body : throw new BackupException(BackupFault.Damaged);
    }

    public Task DeleteAsync(long version, CancellationToken ct) =>
        requests.DeleteAsync(string.Create(CultureInfo.InvariantCulture, $"{Path}?version={version}"), ct);

    /// <exception cref="BackupException">It was made with another key, or is not the version that the server says.</exception>
    public BackupManifest Open(BackupState state)
    {
        var manifest = BackupFormat.OpenManifest(key, state.Manifest);
        return manifest.Version == (ulong)state.Version ? manifest : throw new BackupException(BackupFault.RolledBack);
    }

    private static async Task<bool> DoneAsync(Task task)
    {
        await task;
        return true;
    }

    private async Task<T> TryingAsync<T>(Func<Task<T>> attempt, CancellationToken ct)
    {
        var patience = new Patience(device.Options.Time);
        while (true)
        {
            try
            {
                return await attempt();
            }
            catch (Exception e) when (e is not ServerException { Code: "version_conflict" } && patience.Allows(e, ct))
            {
                await patience.WaitAsync(e, ct);
            }
        }
    }
}
