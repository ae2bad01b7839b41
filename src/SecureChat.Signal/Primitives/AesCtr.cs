using System.Buffers.Binary;
using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Primitives;

/// <summary>AES-256 in counter mode (NIST SP 800-38A) from an all-zero block: for keys that encrypt once.</summary>
/// <remarks>The platform's AES, where there is one; a managed one in the browser.</remarks>
internal static class AesCtr
{
    private const int BlockSize = 16;

    /// <summary>Encrypts, or decrypts, which is the same.</summary>
    public static byte[] Apply(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
    {
        var stream = new byte[(input.Length + BlockSize - 1) / BlockSize * BlockSize];
        for (var at = 0; at < stream.Length; at += BlockSize)
        {
            BinaryPrimitives.WriteInt32BigEndian(stream.AsSpan(at + BlockSize - sizeof(int)), at / BlockSize);
        }

        EncryptBlocks(key, stream);
        var output = new byte[input.Length];
        for (var i = 0; i < output.Length; i++)
        {
            output[i] = (byte)(input[i] ^ stream[i]);
        }

        CryptographicOperations.ZeroMemory(stream);
        return output;
    }

    /// <summary>Encrypts each block for itself, in place.</summary>
    private static void EncryptBlocks(ReadOnlySpan<byte> key, Span<byte> blocks)
    {
        if (OperatingSystem.IsBrowser())
        {
            Managed(key, blocks);
            return;
        }

        using var aes = Aes.Create();
        aes.SetKey(key);
#pragma warning disable CA5358 // The blocks are counters: this is what counter mode is made of.
        aes.EncryptEcb(blocks, blocks, PaddingMode.None);
#pragma warning restore CA5358
    }

    /// <summary>The implementation of the browser.</summary>
    internal static void Managed(ReadOnlySpan<byte> key, Span<byte> blocks)
    {
        var engine = AesUtilities.CreateEngine();
        engine.Init(true, new KeyParameter(key));
        for (var at = 0; at < blocks.Length; at += BlockSize)
        {
            engine.ProcessBlock(blocks[at..], blocks[at..]);
        }
    }
}
