using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Server.Storage;

/// <summary>What the hot store keeps for whoever shows a secret: under the secret's hash, and readable with the secret alone.</summary>
/// <remarks>So a code that nobody has used names no account, also after its account is gone.</remarks>
internal static class SecretKeyed
{
    private const int TagBytes = 16;

    // The key is made for one value only, so the nonce need not differ.
    private static readonly byte[] Nonce = new byte[12];

    /// <param name="prefix">As in <c>link:</c>.</param>
    public static string Key(string prefix, string secret) =>
        prefix + Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(secret)).AsSpan(0, 16));

    /// <param name="secret">Random, and used for this value alone.</param>
    public static byte[] Seal(string secret, ReadOnlySpan<byte> value)
    {
        var result = new byte[value.Length + TagBytes];
        using var cipher = Cipher(secret);
        cipher.Encrypt(Nonce, value, result.AsSpan(0, value.Length), result.AsSpan(value.Length));
        return result;
    }

    /// <summary>Null: it was not sealed under this secret.</summary>
    public static byte[]? Open(string secret, ReadOnlySpan<byte> value)
    {
        if (value.Length < TagBytes)
        {
            return null;
        }

        var result = new byte[value.Length - TagBytes];
        using var cipher = Cipher(secret);
        try
        {
            cipher.Decrypt(Nonce, value[..^TagBytes], value[^TagBytes..], result);
            return result;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static AesGcm Cipher(string secret) =>
        new(HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret), 32, info: "secureChat hot value"u8.ToArray()), TagBytes);
}
