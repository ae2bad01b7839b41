using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Protocol;

/// <summary>
/// Requests that a key signs instead of an account: whoever holds the key may, and the server does not learn who that is.
/// Spec: docs/protocol/signed-requests.md.
/// </summary>
/// <param name="Key">Serialised X25519 public key: 33 bytes.</param>
/// <param name="Time">Unix seconds.</param>
/// <param name="Signature">XEdDSA signature over <see cref="Message"/>: 64 bytes.</param>
public sealed record RequestSignature(byte[] Key, long Time, byte[] Signature)
{
    /// <summary>The header that carries it.</summary>
    public const string Header = "Request-Signature";

    /// <summary>How far <see cref="Time"/> may be from the server's clock.</summary>
    public static TimeSpan Window { get; } = TimeSpan.FromMinutes(5);

    /// <summary>The bytes that are signed.</summary>
    /// <param name="target">Path and query as they are sent.</param>
    public static byte[] Message(string method, string target, long time, ReadOnlySpan<byte> body)
    {
        var head = string.Create(CultureInfo.InvariantCulture, $"secureChat request v1\n{method}\n{target}\n{time}\n");
        return [.. Encoding.UTF8.GetBytes(head), .. SHA256.HashData(body)];
    }

    /// <summary>The header's value: key, time and signature between dots, bytes as base64url.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Base64Url.EncodeToString(Key)}.{Time}.{Base64Url.EncodeToString(Signature)}");

    /// <summary>Reads the header's value; null: it is none.</summary>
    public static RequestSignature? Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var parts = value.Length > 200 ? [] : value.Split('.');
        return parts is [var key, var time, var signature]
            && long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && Decode(key, Limits.PublicKeyBytes) is { } keyBytes
            && Decode(signature, Limits.SignatureBytes) is { } signatureBytes
                ? new RequestSignature(keyBytes, seconds, signatureBytes)
                : null;
    }

    private static byte[]? Decode(string text, int length)
    {
        var bytes = new byte[length];
        return Base64Url.TryDecodeFromChars(text, bytes, out var written) && written == length ? bytes : null;
    }
}
