using SecureChat.Signal.Media;

namespace SecureChat.Client.Files;

/// <summary>A file to send.</summary>
/// <param name="Content">Read once, from where it stands to its end; its length must be known. Stays the caller's.</param>
/// <param name="Name">As the recipient sees it, at most 255 bytes; a path in front of it is taken off.</param>
/// <param name="ContentType">What it is (RFC 6838), such as <c>image/jpeg</c>; the server does not learn it.</param>
public sealed record OutgoingFile(Stream Content, string Name, string ContentType = "application/octet-stream")
{
    /// <summary>The longest file, in bytes (96 MiB).</summary>
    public const long MaxLength = MediaFormat.MaxContentLength;

    /// <summary>A small picture of it, made by the app: at most 8 KiB.</summary>
    public ReadOnlyMemory<byte> Preview { get; init; }

    /// <summary>A text with it.</summary>
    public string Caption { get; init; } = "";

    /// <summary>Can be downloaded once, and opens once per account.</summary>
    public bool ViewOnce { get; init; }

    /// <summary>How long the server keeps it when nobody fetches it: 1 to 120 minutes.</summary>
    public TimeSpan Life { get; init; } = TimeSpan.FromMinutes(120);
}

/// <summary>How far a file has come.</summary>
/// <param name="Done">Bytes, of the encrypted file.</param>
/// <param name="Total">Bytes of the encrypted file: a little more than the content's.</param>
public readonly record struct FileProgress(long Done, long Total);
