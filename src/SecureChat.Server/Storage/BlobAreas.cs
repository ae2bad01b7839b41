namespace SecureChat.Server.Storage;

/// <summary>What every name in the blob store begins with.</summary>
internal static class BlobAreas
{
    public const string Media = "media";
    public const string Backups = "backups";
}
