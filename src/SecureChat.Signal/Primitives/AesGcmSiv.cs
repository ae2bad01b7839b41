using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Primitives;

/// <summary>AES-256-GCM-SIV (RFC 8452): authenticated, and no more than repetition shows when a nonce comes twice.</summary>
internal static class AesGcmSiv
{
    /// <summary>Size of a key, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Size of a nonce, in bytes.</summary>
    public const int NonceSize = 12;

    /// <summary>Size of the tag at the end of a ciphertext, in bytes.</summary>
    public const int TagSize = 16;

    public static byte[] Encrypt(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated) =>
        Run(encrypt: true, key, nonce, plaintext, associated);

    /// <summary>The plaintext, or null when the ciphertext is not authentic.</summary>
    public static byte[]? Decrypt(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> associated)
    {
        if (ciphertext.Length < TagSize)
        {
            return null;
        }

        try
        {
            return Run(encrypt: false, key, nonce, ciphertext, associated);
        }
        catch (InvalidCipherTextException)
        {
            return null;
        }
    }

    private static byte[] Run(
        bool encrypt,
        ReadOnlySpan<byte> key,
        ReadOnlySpan<byte> nonce,
        ReadOnlySpan<byte> input,
        ReadOnlySpan<byte> associated)
    {
        var cipher = new GcmSivBlockCipher();
        cipher.Init(encrypt, new AeadParameters(
            new KeyParameter(key), TagSize * 8, nonce.ToArray(), associated.ToArray()));
        var output = new byte[cipher.GetOutputSize(input.Length)];
        var size = cipher.ProcessBytes(input, output);
        size += cipher.DoFinal(output.AsSpan(size));
        return output[..size];
    }
}
