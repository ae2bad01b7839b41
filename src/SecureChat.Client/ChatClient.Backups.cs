using SecureChat.Client.Backups;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client;

/// <summary>Backups that only their recovery key opens. Spec: docs/protocol/backups.md.</summary>
public sealed partial class ChatClient
{
    /// <summary>Bytes of a file between two reports.</summary>
    private const int FilePart = 256 * 1024;

    private static ReadOnlySpan<byte> BackupMagic => "secureChat backup 1\n"u8;

    /// <summary>
    /// Writes contacts and conversations, encrypted. Keys, sessions, messages that destroy themselves and those that open once are not in it.
    /// </summary>
    /// <param name="to">Gets the file; not closed. After an exception what it got must be thrown away.</param>
    /// <exception cref="BackupException">It would be too large.</exception>
    public async Task<BackupMade> BackUpAsync(RecoveryKey key, Stream to, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(to);
        var body = await CollectBackupAsync(ct);

        // A file has no store that could roll it back: it is versioned by its time alone.
        var (manifest, sealedBody) = BackupFormat.Seal(key, version: 0, _device.Now, body);
        await to.WriteAsync(BackupMagic.ToArray(), ct);
        await to.WriteAsync(manifest, ct);
        for (var done = 0; done < sealedBody.Length;)
        {
            var part = Math.Min(FilePart, sealedBody.Length - done);
            await to.WriteAsync(sealedBody.AsMemory(done, part), ct);
            done += part;
            progress?.Report(new BackupProgress(done, sealedBody.Length));
        }

        await to.FlushAsync(ct);
        return new BackupMade(0, _device.Now, Head(body));
    }

    /// <summary>The same, to the server, in the place of the version before. The server does not learn whose it is.</summary>
    /// <param name="startAnew">
    /// Goes on when the server has lost the backup that this device knows of: whoever reads it learns that there is none, which may be an attack.
    /// </param>
    /// <exception cref="BackupException">The server rolled back or lost what it had, another device was faster, or it would be too large.</exception>
    /// <exception cref="ServerException">The server refused: <c>too_large</c>, <c>quota_used_up</c>, …</exception>
    /// <exception cref="HttpRequestException">The server could not be reached for too long: the version before stands.</exception>
    public async Task<BackupMade> BackUpToServerAsync(RecoveryKey key, bool startAnew, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        using var signing = key.NewSigningKey();
        var requests = new SignedRequests(_api, signing, _device.Options.Time);
        var server = new ServerBackup(_device, key, requests);
        var stored = await server.FindAsync(ct);
        var known = startAnew && stored is null ? 0 : await KnownVersionAsync(requests.PublicKey, ct);
        if ((stored?.Version ?? 0) < known)
        {
            throw new BackupException(stored is null ? BackupFault.Gone : BackupFault.RolledBack);
        }

        var version = (stored?.Version ?? 0) + 1;
        var body = await CollectBackupAsync(ct);
        var (manifest, sealedBody) = BackupFormat.Seal(key, (ulong)version, _device.Now, body);
        await server.PutAsync(version, manifest, sealedBody, progress, ct);
        await RememberVersionAsync(requests.PublicKey, version, ct);
        return new BackupMade(version, _device.Now, Head(body));
    }

    /// <summary>
    /// Takes contacts and conversations back that are not here, all of them or none; best before the first connection. Sessions begin anew: contacts are told
    /// of the new identity with the next connection.
    /// </summary>
    /// <exception cref="BackupException">Another key, or damaged.</exception>
    public async Task<BackupMade> RestoreAsync(RecoveryKey key, Stream from, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(from);
        var start = new byte[BackupMagic.Length + BackupFormat.ManifestSize];
        if (await from.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, ct) < start.Length || !start.AsSpan().StartsWith(BackupMagic))
        {
            throw new BackupException(BackupFault.Damaged);
        }

        var manifest = BackupFormat.OpenManifest(key, start[BackupMagic.Length..]);
        var body = new byte[BackupFormat.BodySize(manifest)];
        for (var done = 0; done < body.Length;)
        {
            var part = body.AsMemory(done, Math.Min(FilePart, body.Length - done));
            if (await from.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, ct) < part.Length)
            {
                throw new BackupException(BackupFault.Damaged);
            }

            done += part.Length;
            progress?.Report(new BackupProgress(done, body.Length));
        }

        return await RestoreAsync(manifest, BackupFormat.OpenBody(key, manifest, body), ct);
    }

    /// <summary>The same, from the server.</summary>
    /// <param name="atLeast">The newest version that the person knows of, such as one noted with the recovery key; an older one is refused.</param>
    /// <exception cref="BackupException">There is none, it is older than what is known, another key's, or damaged.</exception>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server could not be reached for too long.</exception>
    public async Task<BackupMade> RestoreFromServerAsync(
        RecoveryKey key, long atLeast, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        using var signing = key.NewSigningKey();
        var requests = new SignedRequests(_api, signing, _device.Options.Time);
        var server = new ServerBackup(_device, key, requests);
        var stored = await server.FindAsync(ct) ?? throw new BackupException(BackupFault.Gone);
        var manifest = server.Open(stored);
        if (stored.Version < Math.Max(atLeast, await KnownVersionAsync(requests.PublicKey, ct)))
        {
            throw new BackupException(BackupFault.RolledBack);
        }

        var body = BackupFormat.OpenBody(key, manifest, await server.FetchAsync(stored, manifest, progress, ct));
        var restored = await RestoreAsync(manifest, body, ct);
        await RememberVersionAsync(requests.PublicKey, stored.Version, ct);
        return restored;
    }

    /// <summary>Deletes the backup on the server.</summary>
    /// <exception cref="BackupException">There is none.</exception>
    public async Task DeleteBackupAsync(RecoveryKey key, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(key);
        using var signing = key.NewSigningKey();
        var requests = new SignedRequests(_api, signing, _device.Options.Time);
        var server = new ServerBackup(_device, key, requests);
        var stored = await server.FindAsync(ct) ?? throw new BackupException(BackupFault.Gone);
        await server.DeleteAsync(stored.Version, ct);
        await _device.Turns.RunAsync(
            rows =>
            {
                rows.Remove(Tables.Backups, Convert.ToHexStringLower(requests.PublicKey));
                return Task.CompletedTask;
            },
            ct);
    }

    private static BackupHead Head(byte[] body) => BackupContents.Read(body).Head;

    private Task<byte[]> CollectBackupAsync(CancellationToken ct) =>
        _device.Turns.RunAsync(rows => BackupContents.CollectAsync(rows, Account, ct), ct);

    private async Task<BackupMade> RestoreAsync(BackupManifest manifest, byte[] body, CancellationToken ct)
    {
        var (head, items) = BackupContents.Read(body);
        await _device.Turns.RunAsync(
            async rows =>
            {
                await BackupContents.RestoreAsync(rows, Account, head, items, ct);
                await _beacons.ReturnAsync(rows, ct);
            },
            ct);
        _housekeeping.Wake();
        return new BackupMade((long)manifest.Version, manifest.Made.ToTime(), head);
    }

    private Task<long> KnownVersionAsync(byte[] publicKey, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => (long)((await rows.ReadAsync(Tables.Backups, Convert.ToHexStringLower(publicKey), ct))?.Version ?? 0), ct);

    private Task RememberVersionAsync(byte[] publicKey, long version, CancellationToken ct) => _device.Turns.RunAsync(
        rows =>
        {
            rows.Put(Tables.Backups, Convert.ToHexStringLower(publicKey), new BackupRecord { Version = (ulong)version });
            return Task.CompletedTask;
        },
        ct);
}

/// <summary>What a backup is and holds.</summary>
public sealed record BackupMade
{
    internal BackupMade(long version, DateTimeOffset madeAt, BackupHead head) =>
        (Version, MadeAt, Contacts, Messages) = (version, madeAt, (long)head.Contacts, (long)head.Messages);

    /// <summary>Counts up on the server; 0 for a file. Noting it beside the recovery key lets a new device refuse an older one.</summary>
    public long Version { get; }

    /// <summary>By the clock of the device that made it.</summary>
    public DateTimeOffset MadeAt { get; }

    public long Contacts { get; }

    public long Messages { get; }
}

/// <summary>How far a backup has come.</summary>
/// <param name="Done">Encrypted bytes.</param>
/// <param name="Total">Of so many.</param>
public readonly record struct BackupProgress(long Done, long Total);
