using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Ratchet;

/// <summary>The key derivations of the Double Ratchet. docs/protocol/sessions.md#chains.</summary>
internal static class RatchetKdf
{
    /// <summary>Every root, chain key and seed, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>A step of the root: what two ratchet keys agreed on gives the next root and a chain.</summary>
    /// <remarks>Erases the secret that was agreed on.</remarks>
    public static (byte[] Root, byte[] Chain) Root(ReadOnlySpan<byte> root, byte[] agreed)
    {
        var both = Hkdf.Derive(root, agreed, "WhisperRatchet"u8, 2 * KeySize);
        var next = (both[..KeySize], both[KeySize..]);
        CryptographicOperations.ZeroMemory(both);
        CryptographicOperations.ZeroMemory(agreed);
        return next;
    }

    /// <summary>What the keys of the chain's next message are made of.</summary>
    public static byte[] Seed(ReadOnlySpan<byte> chainKey) => HMACSHA256.HashData(chainKey, [0x01]);

    /// <summary>Steps a chain key forward, in place: what it was cannot be found again.</summary>
    public static void Advance(Span<byte> chainKey)
    {
        Span<byte> next = stackalloc byte[KeySize];
        HMACSHA256.HashData(chainKey, [0x02], next);
        next.CopyTo(chainKey);
        CryptographicOperations.ZeroMemory(next);
    }
}
