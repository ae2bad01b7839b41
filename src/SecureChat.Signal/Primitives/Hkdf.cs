using System.Security.Cryptography;

namespace SecureChat.Signal.Primitives;

/// <summary>HKDF with SHA-256 (RFC 5869).</summary>
internal static class Hkdf
{
    /// <summary>Derives so many bytes. Without a salt the RFC takes 32 zeros.</summary>
    public static byte[] Derive(
        ReadOnlySpan<byte> salt, ReadOnlySpan<byte> keyMaterial, ReadOnlySpan<byte> info, int size)
    {
        var output = new byte[size];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, keyMaterial, output, salt, info);
        return output;
    }
}
