using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Protocol;

namespace SecureChat.Server.Media;

/// <summary>The headers of the resumable upload protocol tus 1.0.0, read strictly.</summary>
internal static class TusHeaders
{
    public const string Version = "1.0.0";
    public const string Extensions = "creation,expiration,termination,checksum";
    public const string ChecksumAlgorithms = "sha1,sha256";
    public const string ContentType = "application/offset+octet-stream";

    private const int MaxDownloads = Limits.MaxMediaDownloads;
    private const int MaxMetadataLength = 200;

    /// <summary>Every answer names the version; a request of another one is told which there is.</summary>
    public static TBuilder SpeaksTus<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter(async (invocation, next) =>
        {
            var (request, response) = (invocation.HttpContext.Request, invocation.HttpContext.Response);
            response.Headers["Tus-Resumable"] = Version;
            if (request.Headers["Tus-Resumable"] == Version)
            {
                return await next(invocation);
            }

            response.Headers["Tus-Version"] = Version;
            return Problem.From(ProtocolError.TusVersion);
        });

    /// <summary>A plain decimal number that is not negative.</summary>
    public static bool TryNumber(HttpRequest request, string name, out long number)
    {
        number = 0;
        return request.Headers[name] is [{ } text]
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary><c>Upload-Metadata</c>: <c>life</c> in minutes and <c>downloads</c>, both optional; null for anything else.</summary>
    /// <remarks>Other keys are refused, not ignored: a file's name or type must not reach the server by accident.</remarks>
    public static UploadTerms? ReadTerms(HttpRequest request)
    {
        var terms = new UploadTerms(Limits.MaxMediaMinutes, 1);
        if (request.Headers["Upload-Metadata"] is not [{ Length: > 0 and <= MaxMetadataLength } text])
        {
            return request.Headers["Upload-Metadata"].Count is 0 ? terms : null;
        }

        var keys = new HashSet<string>();
        foreach (var pair in text.Split(','))
        {
            if (pair.Trim(' ').Split(' ') is not [var key, var value] || !keys.Add(key) || ReadNumber(value) is not { } number)
            {
                return null;
            }

            switch (key)
            {
                case "life" when number is >= 1 and <= Limits.MaxMediaMinutes:
                    terms = terms with { LifeMinutes = number };
                    break;
                case "downloads" when number is >= 1 and <= MaxDownloads:
                    terms = terms with { Downloads = number };
                    break;
                default:
                    return null;
            }
        }

        return terms;
    }

    public static string Write(MediaRow row) =>
        $"life {Base64(row.LifeMinutes)},downloads {Base64(row.Downloads)}";

    /// <summary><c>Upload-Checksum</c>: false if it is there and cannot be read.</summary>
    public static bool TryChecksum(HttpRequest request, out Checksum? checksum)
    {
        checksum = null;
        var header = request.Headers["Upload-Checksum"];
        return header.Count is 0 || (header is [{ Length: < 100 } text] && (checksum = Checksum.Read(text)) is not null);
    }

    private static string Base64(long number) =>
        Convert.ToBase64String(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    private static int? ReadNumber(string base64)
    {
        Span<byte> bytes = stackalloc byte[MaxMetadataLength];
        return Convert.TryFromBase64String(base64, bytes, out var written)
            && int.TryParse(bytes[..written], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
    }
}

/// <summary>A checksum that came with a part, and the hash of what has come of the part so far.</summary>
internal sealed class Checksum : IDisposable
{
    private readonly byte[] _expected;

    private Checksum(IncrementalHash hash, byte[] expected) => (Hash, _expected) = (hash, expected);

    public IncrementalHash Hash { get; }

    /// <summary>Null: not <c>algorithm base64</c>, or an algorithm that is not served.</summary>
    public static Checksum? Read(string header)
    {
        if (header.Split(' ') is not [var name, var base64])
        {
            return null;
        }

        HashAlgorithmName? algorithm = name switch
        {
            "sha1" => HashAlgorithmName.SHA1,
            "sha256" => HashAlgorithmName.SHA256,
            _ => null,
        };
        var expected = new byte[SHA256.HashSizeInBytes];
        return algorithm is { } known && Convert.TryFromBase64String(base64, expected, out var size)
            && size == (known == HashAlgorithmName.SHA1 ? SHA1.HashSizeInBytes : SHA256.HashSizeInBytes)
            ? new Checksum(IncrementalHash.CreateHash(known), expected[..size])
            : null;
    }

    public bool Matches() => CryptographicOperations.FixedTimeEquals(Hash.GetHashAndReset(), _expected);

    public void Dispose() => Hash.Dispose();
}
