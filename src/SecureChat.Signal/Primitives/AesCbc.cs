using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Paddings;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Primitives;

/// <summary>AES-256-CBC with PKCS#7 padding (NIST SP 800-38A). Never to be decrypted before a MAC has been checked.</summary>
/// <remarks>The platform's AES, which is fast and runs in constant time, where there is one; a managed one in the browser.</remarks>
internal static class AesCbc
{
    /// <summary>Size of a key, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Size of an initialisation vector, in bytes.</summary>
    public const int IvSize = 16;

    public static byte[] Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> plaintext)
    {
        if (OperatingSystem.IsBrowser())
        {
            return Managed(encrypt: true, key, iv, plaintext);
        }

        using var aes = Aes.Create();
        aes.SetKey(key);
        return aes.EncryptCbc(plaintext, iv);
    }

    /// <summary>The plaintext, or null when the length or the padding is wrong.</summary>
    public static byte[]? Decrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> ciphertext)
    {
        try
        {
            if (OperatingSystem.IsBrowser())
            {
                return Managed(encrypt: false, key, iv, ciphertext);
            }

            using var aes = Aes.Create();
            aes.SetKey(key);
            return aes.DecryptCbc(ciphertext, iv);
        }
        catch (Exception e) when (e is CryptographicException or CryptoException)
        {
            return null;
        }
    }

    /// <summary>The implementation of the browser.</summary>
    internal static byte[] Managed(bool encrypt, ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> input)
    {
        var cipher = new PaddedBufferedBlockCipher(new CbcBlockCipher(AesUtilities.CreateEngine()), new Pkcs7Padding());
        cipher.Init(encrypt, new ParametersWithIV(new KeyParameter(key), iv));
        var output = new byte[cipher.GetOutputSize(input.Length)];
        var size = cipher.ProcessBytes(input, output);
        size += cipher.DoFinal(output.AsSpan(size));
        return output[..size];
    }
}
