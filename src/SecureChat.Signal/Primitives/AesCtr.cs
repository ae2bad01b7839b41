using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace SecureChat.Signal.Primitives;

/// <summary>AES-256 in counter mode (NIST SP 800-38A) from an all-zero block: for keys that encrypt once.</summary>
internal static class AesCtr
{
    /// <summary>Encrypts, or decrypts, which is the same.</summary>
    public static byte[] Apply(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
    {
        var cipher = new SicBlockCipher(AesUtilities.CreateEngine());
        var zero = new byte[cipher.GetBlockSize()];
        cipher.Init(true, new ParametersWithIV(new KeyParameter(key), zero));
        var output = new byte[input.Length];
        Span<byte> padded = stackalloc byte[zero.Length];
        Span<byte> last = stackalloc byte[zero.Length];
        var whole = input.Length - (input.Length & 15);
        for (var at = 0; at < whole; at += zero.Length)
        {
            cipher.ProcessBlock(input[at..], output.AsSpan(at));
        }

        if (whole < input.Length)
        {
            input[whole..].CopyTo(padded);
            cipher.ProcessBlock(padded, last);
            last[..(input.Length - whole)].CopyTo(output.AsSpan(whole));
        }

        return output;
    }
}
