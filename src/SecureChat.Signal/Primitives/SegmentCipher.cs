using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Primitives;

/// <summary>AES-256-GCM (NIST SP 800-38D) under one key, many times: with a nonce that never comes twice, which the caller sees to.</summary>
/// <remarks>The platform's AES, which is fast and runs in constant time, where there is one; a managed one in the browser.</remarks>
internal sealed class SegmentCipher : IDisposable
{
    /// <summary>Size of a key, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Size of a nonce, in bytes.</summary>
    public const int NonceSize = 12;

    /// <summary>Size of the tag at the end of a ciphertext, in bytes.</summary>
    public const int TagSize = 16;

    private readonly AesGcm? _platform;
    private readonly byte[]? _key;

    /// <param name="managed">Takes the implementation of the browser.</param>
    public SegmentCipher(ReadOnlySpan<byte> key, bool managed = false)
    {
        if (managed || OperatingSystem.IsBrowser())
        {
            _key = key.ToArray();
        }
        else
        {
            _platform = new AesGcm(key, TagSize);
        }
    }

    /// <param name="ciphertext">As long as the plaintext and a tag.</param>
    public void Encrypt(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext)
    {
        if (_platform is not null && !OperatingSystem.IsBrowser())
        {
            _platform.Encrypt(nonce, plaintext, ciphertext[..plaintext.Length], ciphertext[plaintext.Length..]);
            return;
        }

        Run(encrypt: true, nonce, plaintext, ciphertext);
    }

    /// <summary>False, and nothing of use in <paramref name="plaintext"/>: the ciphertext is not authentic.</summary>
    /// <param name="plaintext">As long as the ciphertext without its tag.</param>
    public bool Decrypt(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertext, Span<byte> plaintext)
    {
        try
        {
            if (_platform is not null && !OperatingSystem.IsBrowser())
            {
                _platform.Decrypt(nonce, ciphertext[..plaintext.Length], ciphertext[plaintext.Length..], plaintext);
            }
            else
            {
                Run(encrypt: false, nonce, ciphertext, plaintext);
            }

            return true;
        }
        catch (Exception e) when (e is AuthenticationTagMismatchException or InvalidCipherTextException)
        {
            CryptographicOperations.ZeroMemory(plaintext);
            return false;
        }
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_key);
        if (!OperatingSystem.IsBrowser())
        {
            _platform?.Dispose();
        }
    }

    private void Run(bool encrypt, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var cipher = new GcmBlockCipher(AesUtilities.CreateEngine());
        cipher.Init(encrypt, new AeadParameters(new KeyParameter(_key), TagSize * 8, nonce.ToArray()));
        var buffer = new byte[cipher.GetOutputSize(input.Length)];
        var size = cipher.ProcessBytes(input, buffer);
        size += cipher.DoFinal(buffer.AsSpan(size));
        buffer.AsSpan(0, size).CopyTo(output);
        CryptographicOperations.ZeroMemory(buffer);
    }
}
