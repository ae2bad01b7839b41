using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>One file as the directory knows it.</summary>
internal sealed record MediaRow
{
    public required byte[] Blob { get; init; }

    public required long Length { get; init; }

    public required long State { get; init; }

    public required long Downloads { get; init; }

    public required long Claimed { get; init; }

    public required long LifeMinutes { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public byte[]? ChargedTo { get; init; }

    public bool IsComplete => State is MediaState.Complete;

    /// <summary>In the blob store.</summary>
    public string Name => BlobAreas.Media + "/" + Convert.ToHexStringLower(Blob);
}

/// <summary>What a file can be.</summary>
internal static class MediaState
{
    public const long Uploading = 0;
    public const long Complete = 1;

    /// <summary>Without content; kept for a while, so that who asks is told that it is gone and not that it never was.</summary>
    public const long Gone = 2;
}
