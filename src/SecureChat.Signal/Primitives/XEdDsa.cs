using System.Security.Cryptography;
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

    /// <summary>Up to here what is hashed is put together first.</summary>
    private const int OneShotSize = 512;

    /// <summary>The Edwards form of the public key of a clamped X25519 private key: 32 bytes, not secret.</summary>
    public static byte[] EdwardsKey(ReadOnlySpan<byte> privateKey)
    {
        var encoded = new byte[EdwardsPoint.EncodedSize];
        EdwardsBase.Multiply(privateKey).Encode(encoded);
        return encoded;
    }

    /// <summary>Signs with a clamped X25519 private key.</summary>
    /// <param name="edwardsKey">The private key's multiple of the base point, encoded: <see cref="EdwardsKey"/>.</param>
    public static byte[] Sign(
        ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> edwardsKey, ReadOnlySpan<byte> message, RandomSource random)
    {
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
        EdwardsBase.Multiply(nonce).Encode(r);
        Span<byte> challenge = stackalloc byte[Scalar25519.Size];
        HashToScalar(r, edwardsKey, message, [], challenge);
        Scalar25519.MultiplyAdd(challenge, privateKey, nonce, signature.AsSpan(EdwardsPoint.EncodedSize));
        signature[^1] |= (byte)(edwardsKey[^1] & 0x80);
        CryptographicOperations.ZeroMemory(chance);
        CryptographicOperations.ZeroMemory(nonce);
        return signature;
    }

    /// <summary>Checks a signature under a 32-byte X25519 public key.</summary>
    /// <remarks>Stricter than it needs to be in one respect: a second, non-canonical form of a signature is refused.</remarks>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SignatureSize)
        {
            return false;
        }

        var r = signature[..EdwardsPoint.EncodedSize];
        Span<byte> s = stackalloc byte[Scalar25519.Size];
        signature[EdwardsPoint.EncodedSize..].CopyTo(s);
        s[^1] &= 0x7F;
        Span<byte> edwards = stackalloc byte[EdwardsPoint.EncodedSize];
        if (!Scalar25519.IsReduced(s)
            || !EdwardsVerification.TryConvert(publicKey, signature[^1] >> 7, edwards, out var point)
            || point.IsOfLowOrder())
        {
            return false;
        }

        // Without 128-bit products the library is many times quicker.
        if (OperatingSystem.IsBrowser())
        {
            return Ed25519.Verify([.. r, .. s], 0, edwards.ToArray(), 0, message.ToArray(), 0, message.Length);
        }

        Span<byte> challenge = stackalloc byte[Scalar25519.Size];
        HashToScalar(r, edwards, message, [], challenge);
        Span<byte> expected = stackalloc byte[EdwardsPoint.EncodedSize];
        EdwardsVerification.Combine(s, challenge, point).Encode(expected);
        return expected.SequenceEqual(r);
    }

    /// <summary>
    /// Whether a public key is written in its one canonical way and lies in the prime-order group, so that no part of a
    /// secret agreed with it can be forced.
    /// </summary>
    public static bool IsCanonical(ReadOnlySpan<byte> publicKey)
    {
        Span<byte> edwards = stackalloc byte[EdwardsPoint.EncodedSize];
        Span<byte> canonical = stackalloc byte[FieldElement.Size];
        FieldElement.Decode(publicKey).Encode(canonical);
        return canonical.SequenceEqual(publicKey)
            && EdwardsVerification.TryConvert(publicKey, 0, edwards, out var point)
            && (OperatingSystem.IsBrowser()
                ? Ed25519.ValidatePublicKeyFull(edwards.ToArray(), 0)
                : EdwardsVerification.IsOfPrimeOrder(point));
    }

    private static void HashToScalar(
        ReadOnlySpan<byte> first,
        ReadOnlySpan<byte> second,
        ReadOnlySpan<byte> message,
        ReadOnlySpan<byte> last,
        Span<byte> scalar)
    {
        Span<byte> hash = stackalloc byte[HashSize];
        var size = (long)first.Length + second.Length + message.Length + last.Length;
        if (size <= OneShotSize)
        {
            // Keys and certificates are this short, and an object for a hash costs more than the hash.
            Span<byte> buffer = stackalloc byte[OneShotSize];
            var input = buffer[..(int)size];
            first.CopyTo(input);
            second.CopyTo(input[first.Length..]);
            message.CopyTo(input[(first.Length + second.Length)..]);
            last.CopyTo(input[^last.Length..]);
            SHA512.HashData(input, hash);
            CryptographicOperations.ZeroMemory(input);
        }
        else
        {
            using var sha512 = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
            sha512.AppendData(first);
            sha512.AppendData(second);
            sha512.AppendData(message);
            sha512.AppendData(last);
            sha512.GetHashAndReset(hash);
        }

        Scalar25519.Reduce(hash, scalar);
        CryptographicOperations.ZeroMemory(hash);
    }
}
