namespace SecureChat.Protocol.Backups;

/// <summary><c>PUT /v1/backups</c>: makes uploaded chunks the backup, in place of the one before.</summary>
/// <param name="Version">One more than the stored version; 1 for the first.</param>
/// <param name="Upload">The id under which the chunks were put: random, made by the client.</param>
/// <param name="Chunks">How many there are, numbered from 0.</param>
/// <param name="Manifest">Ciphertext, at most <see cref="Limits.MaxBackupManifestBytes"/>.</param>
public sealed record PutBackup(long Version, Guid Upload, int Chunks, byte[] Manifest);

/// <summary><c>GET /v1/backups</c>.</summary>
/// <param name="Version">To be compared with what the client has seen: it never goes back.</param>
/// <param name="Chunks">How many there are to get.</param>
/// <param name="Bytes">Size of all chunks together.</param>
/// <param name="Manifest">As it was put.</param>
public sealed record BackupState(long Version, int Chunks, long Bytes, byte[] Manifest);
