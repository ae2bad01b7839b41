using System.Security.Cryptography;
using Org.BouncyCastle.Math.EC.Rfc7748;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// XEdDSA signatures with X25519 keys, in the form that Signal's clients use: the sign of the Edwards key travels in the
/// signature's highest bit. docs/protocol/signatures.md.
/// </summary>
internal static class XEdDsa
{
    /// <summary>Size of a signature, in bytes.</summary>
    public const int SignatureSize = 64;

    private const int HashSize = 64;

    /// <summary>Signs with a clamped X25519 private key.</summary>
    public static byte[] Sign(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> message, RandomSource random)
    {
        Span<byte> publicKey = stackalloc byte[EdwardsPoint.EncodedSize];
        EdwardsBase.MultiplyEncoded(privateKey, publicKey);

        // FE and 31 bytes FF are no encoding of a point, which keeps this hash apart from the one below.
        Span<byte> domain = stackalloc byte[32];
        domain.Fill(0xFF);
        domain[0] = 0xFE;
        Span<byte> chance = stackalloc byte[64];
        random.Fill(chance);
        Span<byte> nonce = stackalloc byte[Scalar25519.Size];
        HashToScalar(domain, privateKey, message, chance, nonce);

        var signature = new byte[SignatureSize];
        var r = signature.AsSpan(0, EdwardsPoint.EncodedSize);
        EdwardsBase.MultiplyEncoded(nonce, r);
        Span<byte> challenge = stackalloc byte[Scalar25519.Size];
        HashToScalar(r, publicKey, message, [], challenge);
        Scalar25519.MultiplyAdd(challenge, privateKey, nonce, signature.AsSpan(EdwardsPoint.EncodedSize));
        signature[^1] |= (byte)(publicKey[^1] & 0x80);
        CryptographicOperations.ZeroMemory(chance);
        CryptographicOperations.ZeroMemory(nonce);
        return signature;
    }

    /// <summary>Checks a signature under a 32-byte X25519 public key.</summary>
    /// <remarks>Stricter than it needs to be in one respect: a second, non-canonical form of a signature is refused.</remarks>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        Span<byte> edwards = stackalloc byte[EdwardsPoint.EncodedSize];
        if (signature.Length != SignatureSize || !TryConvert(publicKey, edwards))
        {
            return false;
        }

        edwards[^1] |= (byte)(signature[^1] & 0x80);
        Span<byte> plain = stackalloc byte[SignatureSize];
        signature.CopyTo(plain);
        plain[^1] &= 0x7F;
        return Ed25519.Verify(plain.ToArray(), 0, edwards.ToArray(), 0, message.ToArray(), 0, message.Length);
    }

    /// <summary>
    /// Whether a public key is written in its one canonical way and lies in the prime-order group, so that no part of a
    /// secret agreed with it can be forced.
    /// </summary>
    public static bool IsCanonical(ReadOnlySpan<byte> publicKey)
    {
        Span<byte> edwards = stackalloc byte[EdwardsPoint.EncodedSize];
        Span<byte> canonical = stackalloc byte[EdwardsPoint.EncodedSize];
        var element = X25519Field.Create();
        X25519Field.Decode255(publicKey, element);
        X25519Field.Normalize(element);
        X25519Field.Encode(element, canonical);
        return canonical.SequenceEqual(publicKey)
            && TryConvert(publicKey, edwards)
            && Ed25519.ValidatePublicKeyFull(edwards.ToArray(), 0);
    }

    /// <summary>The Edwards y of a Montgomery u: (u - 1) / (u + 1), with sign 0. There is none for u = -1.</summary>
    private static bool TryConvert(ReadOnlySpan<byte> publicKey, Span<byte> edwards)
    {
        var u = X25519Field.Create();
        var numerator = X25519Field.Create();
        var denominator = X25519Field.Create();
        var one = X25519Field.Create();
        X25519Field.Decode255(publicKey, u);
        X25519Field.One(one);
        X25519Field.Sub(u, one, numerator);
        X25519Field.Add(u, one, denominator);
        X25519Field.Normalize(denominator);
        if (X25519Field.IsZeroVar(denominator))
        {
            return false;
        }

        X25519Field.InvVar(denominator, denominator);
        X25519Field.Mul(numerator, denominator, u);
        X25519Field.Normalize(u);
        X25519Field.Encode(u, edwards);
        return true;
    }

    private static void HashToScalar(
        ReadOnlySpan<byte> first,
        ReadOnlySpan<byte> second,
        ReadOnlySpan<byte> message,
        ReadOnlySpan<byte> last,
        Span<byte> scalar)
    {
        using var sha512 = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        sha512.AppendData(first);
        sha512.AppendData(second);
        sha512.AppendData(message);
        sha512.AppendData(last);
        Span<byte> hash = stackalloc byte[HashSize];
        sha512.GetHashAndReset(hash);
        Scalar25519.Reduce(hash, scalar);
        CryptographicOperations.ZeroMemory(hash);
    }
}
