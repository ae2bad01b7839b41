using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Accounts;

/// <summary>What every public key is checked for before it is stored.</summary>
internal static class SignedKeys
{
    /// <summary>33 bytes that are a canonical X25519 key.</summary>
    public static bool IsX25519(byte[]? key) => PublicKey.TryParse(key, out _);

    /// <summary>An X25519 key with an id and a signature, not verified yet.</summary>
    public static bool IsPreKey(SignedKey key) => HasForm(key) && IsX25519(key.Key);

    /// <summary>A Kyber1024 key with an id and a signature, not verified yet.</summary>
    public static bool IsKyberKey(SignedKey key) =>
        HasForm(key) && KyberPublicKey.TryParse(key.Key, out _);

    /// <summary>Whether the identity key signed the key's serialised form, type byte included.</summary>
    public static bool IsSigned(SignedKey key, ReadOnlySpan<byte> identityKey) =>
        PublicKey.TryParse(identityKey, out var identity) && identity.Verify(key.Key, key.Signature);

    private static bool HasForm(SignedKey key) => key.KeyId >= 0 && key.Signature.Length is Limits.SignatureBytes;
}
