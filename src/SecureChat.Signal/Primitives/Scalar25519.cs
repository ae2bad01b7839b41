using System.Buffers.Binary;

namespace SecureChat.Signal.Primitives;

/// <summary>Arithmetic modulo the order of the Ed25519 base point, L = 2^252 + 27742317777372353535851937790883648493.</summary>
/// <remarks>Numbers are little-endian. Loops have fixed lengths and corrections are masks: scalars are secret.</remarks>
internal static class Scalar25519
{
    /// <summary>Size of a reduced scalar, in bytes.</summary>
    public const int Size = 32;

    private const int Limbs = 8;
    private const int WideLimbs = 16;

    /// <summary>L, little-endian.</summary>
    public static ReadOnlySpan<byte> OrderBytes =>
    [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    private static ReadOnlySpan<uint> Order =>
    [
        0x5CF5D3ED, 0x5812631A, 0xA2F79CD6, 0x14DEF9DE, 0, 0, 0, 0x10000000,
    ];

    /// <summary>floor(2^512 / L), for Barrett's reduction.</summary>
    private static ReadOnlySpan<uint> Reciprocal =>
    [
        0x0A2C131B, 0xED9CE5A3, 0x086329A7, 0x2106215D, 0xFFFFFFEB, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0x0000000F,
    ];

    /// <summary>Whether a number of 32 bytes is below L. In variable time.</summary>
    public static bool IsReduced(ReadOnlySpan<byte> scalar)
    {
        for (var i = Limbs - 1; i >= 0; i--)
        {
            var limb = BinaryPrimitives.ReadUInt32LittleEndian(scalar[(4 * i)..]);
            if (limb != Order[i])
            {
                return limb < Order[i];
            }
        }

        return false;
    }

    /// <summary>A number of 64 bytes modulo L.</summary>
    public static void Reduce(ReadOnlySpan<byte> wide, Span<byte> reduced)
    {
        Span<uint> number = stackalloc uint[WideLimbs];
        Read(wide, number);
        ReduceAndWrite(number, reduced);
        number.Clear();
    }

    /// <summary>a * b + c modulo L, each of 32 bytes.</summary>
    public static void MultiplyAdd(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c, Span<byte> result)
    {
        Span<uint> left = stackalloc uint[Limbs];
        Span<uint> right = stackalloc uint[Limbs];
        Span<uint> sum = stackalloc uint[WideLimbs];
        Read(a, left);
        Read(b, right);
        sum.Clear();
        Read(c, sum[..Limbs]);
        Multiply(left, right, sum);
        ReduceAndWrite(sum, result);
        left.Clear();
        right.Clear();
        sum.Clear();
    }

    /// <summary>Handbook of Applied Cryptography, 14.42, with b = 2^32 and k = 8.</summary>
    private static void ReduceAndWrite(ReadOnlySpan<uint> number, Span<byte> reduced)
    {
        Span<uint> product = stackalloc uint[(Limbs + 1) * 2];
        product.Clear();
        Multiply(number[(Limbs - 1)..], Reciprocal, product);

        // The remainder is below 3 L, so nine limbs hold it.
        Span<uint> multiple = stackalloc uint[(Limbs + 1) * 2];
        multiple.Clear();
        Multiply(product[(Limbs + 1)..], Order, multiple);
        Span<uint> remainder = stackalloc uint[Limbs + 1];
        number[..(Limbs + 1)].CopyTo(remainder);
        SubtractMasked(remainder, multiple[..(Limbs + 1)], uint.MaxValue);
        SubtractOrderIfNotLess(remainder);
        SubtractOrderIfNotLess(remainder);
        for (var i = 0; i < Limbs; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(reduced[(4 * i)..], remainder[i]);
        }

        product.Clear();
        multiple.Clear();
        remainder.Clear();
    }

    /// <summary>Adds the product to what the result holds, and leaves out what does not fit in it.</summary>
    private static void Multiply(ReadOnlySpan<uint> a, ReadOnlySpan<uint> b, Span<uint> result)
    {
        for (var i = 0; i < a.Length; i++)
        {
            ulong carry = 0;
            var at = i;
            for (var j = 0; j < b.Length && at < result.Length; j++, at++)
            {
                carry += ((ulong)a[i] * b[j]) + result[at];
                result[at] = unchecked((uint)carry);
                carry >>= 32;
            }

            for (; at < result.Length; at++)
            {
                carry += result[at];
                result[at] = unchecked((uint)carry);
                carry >>= 32;
            }
        }
    }

    private static void SubtractOrderIfNotLess(Span<uint> number)
    {
        Span<uint> order = stackalloc uint[Limbs + 1];
        order.Clear();
        Order.CopyTo(order);
        Span<uint> trial = stackalloc uint[Limbs + 1];
        number.CopyTo(trial);
        var borrow = SubtractMasked(trial, order, uint.MaxValue);
        SubtractMasked(number, order, unchecked(borrow - 1));
        trial.Clear();
    }

    /// <summary>Subtracts the limbs that the mask lets through; gives the last borrow.</summary>
    private static uint SubtractMasked(Span<uint> number, ReadOnlySpan<uint> subtrahend, uint mask)
    {
        var borrow = 0L;
        for (var i = 0; i < number.Length; i++)
        {
            var difference = number[i] - (long)(subtrahend[i] & mask) - borrow;
            number[i] = unchecked((uint)difference);
            borrow = (difference >> 32) & 1;
        }

        return (uint)borrow;
    }

    private static void Read(ReadOnlySpan<byte> bytes, Span<uint> limbs)
    {
        for (var i = 0; i < limbs.Length; i++)
        {
            limbs[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 * i)..]);
        }
    }
}
