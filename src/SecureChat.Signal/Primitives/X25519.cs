using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace SecureChat.Signal.Primitives;

/// <summary>X25519 (RFC 7748) in constant time.</summary>
/// <remarks>
/// A browser has no 128-bit products: the library's agreement, in 32-bit limbs, is many times quicker there.
/// </remarks>
internal static class X25519
{
    /// <summary>Size of a scalar, of a point and of a secret, in bytes.</summary>
    public const int Size = 32;

    /// <summary>(A + 2) / 4 of the curve.</summary>
    internal const uint A24 = 121_666;

    /// <summary>Sets the bits that every private key has (RFC 7748, 5).</summary>
    public static void Clamp(Span<byte> scalar)
    {
        scalar[0] &= 0xF8;
        scalar[31] = (byte)((scalar[31] & 0x7F) | 0x40);
    }

    /// <summary>Whether those bits are set.</summary>
    public static bool IsClamped(ReadOnlySpan<byte> scalar) => ((scalar[0] & 0x07) | ((scalar[31] & 0xC0) ^ 0x40)) == 0;

    /// <summary>The public key of a clamped scalar.</summary>
    public static void PublicKey(ReadOnlySpan<byte> scalar, Span<byte> publicKey) =>
        EdwardsBase.Multiply(scalar).EncodeMontgomery(publicKey);

    /// <summary>The secret of a clamped scalar and a point; false if it is all zeros, as a point of low order makes it.</summary>
    public static bool Agree(ReadOnlySpan<byte> scalar, ReadOnlySpan<byte> point, Span<byte> secret)
    {
        if (OperatingSystem.IsBrowser())
        {
            return Org.BouncyCastle.Math.EC.Rfc7748.X25519.CalculateAgreement(scalar, point, secret);
        }

        var x1 = FieldElement.Decode(point);
        FieldElement x, z;
        if (Avx2.IsSupported)
        {
            MontgomeryLanes.Ladder(scalar, x1, out x, out z);
        }
        else
        {
            Ladder(scalar, x1, out x, out z);
        }

        FieldElement.Invert(z, out z);
        FieldElement.Multiply(x, z, out x);
        x.Encode(secret);
        Span<byte> zero = stackalloc byte[Size];
        zero.Clear();
        return !CryptographicOperations.FixedTimeEquals(secret, zero);
    }

    /// <summary>The multiple of the point with the coordinate x1 by a clamped scalar, as x2 / z2; without vectors.</summary>
    public static void Ladder(ReadOnlySpan<byte> scalar, in FieldElement x1, out FieldElement x2, out FieldElement z2)
    {
        (x2, z2) = (FieldElement.One, FieldElement.Zero);
        var (x3, z3) = (x1, FieldElement.One);
        var exchanged = 0UL;
        for (var bit = 254; bit >= 0; bit--)
        {
            var mask = unchecked(0UL - (ulong)((scalar[bit >> 3] >> (bit & 7)) & 1));
            FieldElement.ExchangeIf(mask ^ exchanged, ref x2, ref x3);
            FieldElement.ExchangeIf(mask ^ exchanged, ref z2, ref z3);
            exchanged = mask;
            Step(in x1, ref x2, ref z2, ref x3, ref z3);
        }

        // The lowest bits of a clamped scalar are zero, so that nothing is left to be exchanged.
    }

    /// <summary>Doubles (x2, z2), and adds it to (x3, z3), whose difference is x1: RFC 7748, 5.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Step(
        in FieldElement x1, ref FieldElement x2, ref FieldElement z2, ref FieldElement x3, ref FieldElement z3)
    {
        FieldElement.Add(x2, z2, out var a);
        FieldElement.Subtract(x2, z2, out var b);
        FieldElement.Add(x3, z3, out var c);
        FieldElement.Subtract(x3, z3, out var d);
        FieldElement.Multiply(d, a, out d);
        FieldElement.Multiply(c, b, out c);
        FieldElement.Square(a, out a);
        FieldElement.Square(b, out b);
        FieldElement.Add(d, c, out x3);
        FieldElement.Square(x3, out x3);
        FieldElement.Subtract(d, c, out z3);
        FieldElement.Square(z3, out z3);
        FieldElement.Multiply(x1, z3, out z3);
        FieldElement.Multiply(a, b, out x2);
        FieldElement.Subtract(a, b, out a);
        FieldElement.Multiply(a, A24, out z2);
        FieldElement.Add(z2, b, out z2);
        FieldElement.Multiply(a, z2, out z2);
    }
}
