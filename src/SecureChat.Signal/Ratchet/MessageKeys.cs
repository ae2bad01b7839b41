using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Ratchet;

/// <summary>
/// The keys of one message. They need both ratchets: the Double Ratchet gives the seed, the post-quantum one the salt, so
/// that whoever breaks one of them reads nothing. docs/protocol/sessions.md#message-keys.
/// </summary>
internal sealed class MessageKeys : IDisposable
{
    private readonly byte[] _keys;

    private MessageKeys(byte[] keys) => _keys = keys;

    public ReadOnlySpan<byte> Mac => _keys.AsSpan(AesCbc.KeySize, MacKeySize);

    private ReadOnlySpan<byte> Cipher => _keys.AsSpan(0, AesCbc.KeySize);

    private ReadOnlySpan<byte> Iv => _keys.AsSpan(AesCbc.KeySize + MacKeySize, AesCbc.IvSize);

    /// <summary>Derives the keys, and erases what they were derived from.</summary>
    public static MessageKeys Derive(byte[] seed, byte[] postQuantumKey)
    {
        var keys = Hkdf.Derive(postQuantumKey, seed, "WhisperMessageKeys"u8, AesCbc.KeySize + MacKeySize + AesCbc.IvSize);
        CryptographicOperations.ZeroMemory(seed);
        CryptographicOperations.ZeroMemory(postQuantumKey);
        return new MessageKeys(keys);
    }

    public byte[] Encrypt(ReadOnlySpan<byte> plaintext) => AesCbc.Encrypt(Cipher, Iv, plaintext);

    /// <summary>The plaintext, or null when the padding is wrong. To be called once the MAC has been checked.</summary>
    public byte[]? Decrypt(ReadOnlySpan<byte> ciphertext) => AesCbc.Decrypt(Cipher, Iv, ciphertext);

    public void Dispose() => CryptographicOperations.ZeroMemory(_keys);

    private const int MacKeySize = 32;
}
