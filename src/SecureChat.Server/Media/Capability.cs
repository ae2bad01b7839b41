using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace SecureChat.Server.Media;

/// <summary>24 random bytes that are a right: to upload a file, to download it, or to go on with a download. In URLs and headers base64url.</summary>
/// <remarks>
/// The server keeps only hashes of them. Who may upload can compute who may download, never the other way round, so one hash finds both.
/// A class, not a record: nothing prints it.
/// </remarks>
internal sealed class Capability
{
    private const int Size = 24;
    private const int TextLength = 32;

    private readonly byte[] _bytes;

    private Capability(byte[] bytes) => _bytes = bytes;

    /// <summary>Under which the server knows it: SHA-256.</summary>
    public byte[] Hash => SHA256.HashData(_bytes);

    /// <summary>As it travels.</summary>
    public string Text => Base64Url.EncodeToString(_bytes);

    public static Capability New() => new(RandomNumberGenerator.GetBytes(Size));

    /// <summary>False: not 32 characters of base64url.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Capability? capability)
    {
        var bytes = new byte[Size];
        capability = text is { Length: TextLength } && Base64Url.TryDecodeFromChars(text, bytes, out var written) && written is Size
            ? new Capability(bytes)
            : null;
        return capability is not null;
    }

    /// <summary>The right to download what this one uploads.</summary>
    public Capability ToDownload() => new(SHA256.HashData([.. "secureChat media id"u8, .. _bytes])[..Size]);
}
