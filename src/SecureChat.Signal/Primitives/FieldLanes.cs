using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SecureChat.Signal.Primitives;

/// <summary>Four numbers modulo p = 2^255 - 19 side by side, in ten limbs of 26 and 25 bits in turn; needs AVX2.</summary>
/// <remarks>
/// Bounds: a product has limbs below 2^26 + 2^17 and 2^25 + 2^17, and a factor may have limbs below 2^27.7 and 2^26.7: nineteen times
/// one of them has 32 bits, and the sum of ten products 64. Results may go to where a factor was.
/// </remarks>
internal partial struct FieldLanes
{
    /// <summary>How many numbers there are.</summary>
    public const int Count = 4;

    // What 2p has in the lowest, the even and the odd limbs, and one more: with it the inverted bits make a difference.
    private const ulong Lowest = (1UL << 27) - 37;
    private const ulong Even = (1UL << 27) - 1;
    private const ulong Odd = (1UL << 26) - 1;

    private Vector256<ulong> _0;
    private Vector256<ulong> _1;
    private Vector256<ulong> _2;
    private Vector256<ulong> _3;
    private Vector256<ulong> _4;
    private Vector256<ulong> _5;
    private Vector256<ulong> _6;
    private Vector256<ulong> _7;
    private Vector256<ulong> _8;
    private Vector256<ulong> _9;

    private static Vector256<ulong> Mask26 => Vector256.Create((1UL << 26) - 1);

    private static Vector256<ulong> Mask25 => Vector256.Create((1UL << 25) - 1);

    /// <summary>Four numbers into the lanes.</summary>
    public static FieldLanes Pack(in FieldElement a, in FieldElement b, in FieldElement c, in FieldElement d)
    {
        Span<byte> bytes = stackalloc byte[Count * FieldElement.Size];
        a.Encode(bytes);
        b.Encode(bytes[FieldElement.Size..]);
        c.Encode(bytes[(2 * FieldElement.Size)..]);
        d.Encode(bytes[(3 * FieldElement.Size)..]);
        FieldLanes packed;
        packed._0 = Limbs(bytes, 0, 26);
        packed._1 = Limbs(bytes, 26, 25);
        packed._2 = Limbs(bytes, 51, 26);
        packed._3 = Limbs(bytes, 77, 25);
        packed._4 = Limbs(bytes, 102, 26);
        packed._5 = Limbs(bytes, 128, 25);
        packed._6 = Limbs(bytes, 153, 26);
        packed._7 = Limbs(bytes, 179, 25);
        packed._8 = Limbs(bytes, 204, 26);
        packed._9 = Limbs(bytes, 230, 25);
        return packed;
    }

    /// <summary>The number in a lane.</summary>
    public readonly FieldElement Unpack(int lane)
    {
        // Limbs in pairs are those of a field element, but for a carry.
        Span<ulong> limbs = [_0[lane] + (_1[lane] << 26), _2[lane] + (_3[lane] << 26), _4[lane] + (_5[lane] << 26),
            _6[lane] + (_7[lane] << 26), _8[lane] + (_9[lane] << 26)];
        return FieldElement.FromLimbs(limbs);
    }

    /// <summary>The products of what is in the same lane.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(in FieldLanes a, in FieldLanes b, out FieldLanes product)
    {
        var (f0, f1, f2, f3, f4) = (a._0.AsUInt32(), a._1.AsUInt32(), a._2.AsUInt32(),
            a._3.AsUInt32(), a._4.AsUInt32());
        var (f5, f6, f7, f8, f9) = (a._5.AsUInt32(), a._6.AsUInt32(), a._7.AsUInt32(),
            a._8.AsUInt32(), a._9.AsUInt32());
        var (g0, g1, g2, g3, g4) = (b._0.AsUInt32(), b._1.AsUInt32(), b._2.AsUInt32(),
            b._3.AsUInt32(), b._4.AsUInt32());
        var (g5, g6, g7, g8, g9) = (b._5.AsUInt32(), b._6.AsUInt32(), b._7.AsUInt32(),
            b._8.AsUInt32(), b._9.AsUInt32());
        var nineteen = Vector256.Create(19UL).AsUInt32();
        var (d1, d3, d5, d7, d9) = (f1 + f1, f3 + f3, f5 + f5, f7 + f7, f9 + f9);
        var t1 = Avx2.Multiply(g1, nineteen).AsUInt32();
        var t2 = Avx2.Multiply(g2, nineteen).AsUInt32();
        var t3 = Avx2.Multiply(g3, nineteen).AsUInt32();
        var t4 = Avx2.Multiply(g4, nineteen).AsUInt32();
        var t5 = Avx2.Multiply(g5, nineteen).AsUInt32();
        var t6 = Avx2.Multiply(g6, nineteen).AsUInt32();
        var t7 = Avx2.Multiply(g7, nineteen).AsUInt32();
        var t8 = Avx2.Multiply(g8, nineteen).AsUInt32();
        var t9 = Avx2.Multiply(g9, nineteen).AsUInt32();
        var h0 = Avx2.Multiply(f0, g0) + Avx2.Multiply(d1, t9) + Avx2.Multiply(f2, t8)
            + Avx2.Multiply(d3, t7) + Avx2.Multiply(f4, t6) + Avx2.Multiply(d5, t5)
            + Avx2.Multiply(f6, t4) + Avx2.Multiply(d7, t3) + Avx2.Multiply(f8, t2) + Avx2.Multiply(d9, t1);
        var h1 = Avx2.Multiply(f0, g1) + Avx2.Multiply(f1, g0) + Avx2.Multiply(f2, t9)
            + Avx2.Multiply(f3, t8) + Avx2.Multiply(f4, t7) + Avx2.Multiply(f5, t6)
            + Avx2.Multiply(f6, t5) + Avx2.Multiply(f7, t4) + Avx2.Multiply(f8, t3) + Avx2.Multiply(f9, t2);
        var h2 = Avx2.Multiply(f0, g2) + Avx2.Multiply(d1, g1) + Avx2.Multiply(f2, g0)
            + Avx2.Multiply(d3, t9) + Avx2.Multiply(f4, t8) + Avx2.Multiply(d5, t7)
            + Avx2.Multiply(f6, t6) + Avx2.Multiply(d7, t5) + Avx2.Multiply(f8, t4) + Avx2.Multiply(d9, t3);
        var h3 = Avx2.Multiply(f0, g3) + Avx2.Multiply(f1, g2) + Avx2.Multiply(f2, g1)
            + Avx2.Multiply(f3, g0) + Avx2.Multiply(f4, t9) + Avx2.Multiply(f5, t8)
            + Avx2.Multiply(f6, t7) + Avx2.Multiply(f7, t6) + Avx2.Multiply(f8, t5) + Avx2.Multiply(f9, t4);
        var h4 = Avx2.Multiply(f0, g4) + Avx2.Multiply(d1, g3) + Avx2.Multiply(f2, g2)
            + Avx2.Multiply(d3, g1) + Avx2.Multiply(f4, g0) + Avx2.Multiply(d5, t9)
            + Avx2.Multiply(f6, t8) + Avx2.Multiply(d7, t7) + Avx2.Multiply(f8, t6) + Avx2.Multiply(d9, t5);
        var h5 = Avx2.Multiply(f0, g5) + Avx2.Multiply(f1, g4) + Avx2.Multiply(f2, g3)
            + Avx2.Multiply(f3, g2) + Avx2.Multiply(f4, g1) + Avx2.Multiply(f5, g0)
            + Avx2.Multiply(f6, t9) + Avx2.Multiply(f7, t8) + Avx2.Multiply(f8, t7) + Avx2.Multiply(f9, t6);
        var h6 = Avx2.Multiply(f0, g6) + Avx2.Multiply(d1, g5) + Avx2.Multiply(f2, g4)
            + Avx2.Multiply(d3, g3) + Avx2.Multiply(f4, g2) + Avx2.Multiply(d5, g1)
            + Avx2.Multiply(f6, g0) + Avx2.Multiply(d7, t9) + Avx2.Multiply(f8, t8) + Avx2.Multiply(d9, t7);
        var h7 = Avx2.Multiply(f0, g7) + Avx2.Multiply(f1, g6) + Avx2.Multiply(f2, g5)
            + Avx2.Multiply(f3, g4) + Avx2.Multiply(f4, g3) + Avx2.Multiply(f5, g2)
            + Avx2.Multiply(f6, g1) + Avx2.Multiply(f7, g0) + Avx2.Multiply(f8, t9) + Avx2.Multiply(f9, t8);
        var h8 = Avx2.Multiply(f0, g8) + Avx2.Multiply(d1, g7) + Avx2.Multiply(f2, g6)
            + Avx2.Multiply(d3, g5) + Avx2.Multiply(f4, g4) + Avx2.Multiply(d5, g3)
            + Avx2.Multiply(f6, g2) + Avx2.Multiply(d7, g1) + Avx2.Multiply(f8, g0) + Avx2.Multiply(d9, t9);
        var h9 = Avx2.Multiply(f0, g9) + Avx2.Multiply(f1, g8) + Avx2.Multiply(f2, g7)
            + Avx2.Multiply(f3, g6) + Avx2.Multiply(f4, g5) + Avx2.Multiply(f5, g4)
            + Avx2.Multiply(f6, g3) + Avx2.Multiply(f7, g2) + Avx2.Multiply(f8, g1) + Avx2.Multiply(f9, g0);
        Reduce(h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, out product);
    }

    /// <summary>The squares of what is in the lanes.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Square(in FieldLanes a, out FieldLanes square)
    {
        var (f0, f1, f2, f3, f4) = (a._0.AsUInt32(), a._1.AsUInt32(), a._2.AsUInt32(),
            a._3.AsUInt32(), a._4.AsUInt32());
        var (f5, f6, f7, f8, f9) = (a._5.AsUInt32(), a._6.AsUInt32(), a._7.AsUInt32(),
            a._8.AsUInt32(), a._9.AsUInt32());
        var nineteen = Vector256.Create(19UL).AsUInt32();
        var d0 = f0 + f0;
        var d1 = f1 + f1;
        var d2 = f2 + f2;
        var d3 = f3 + f3;
        var d4 = f4 + f4;
        var d5 = f5 + f5;
        var d6 = f6 + f6;
        var d7 = f7 + f7;
        var d8 = f8 + f8;
        var n5 = Avx2.Multiply(f5, nineteen).AsUInt32();
        var n6 = Avx2.Multiply(f6, nineteen).AsUInt32();
        var n7 = Avx2.Multiply(f7, nineteen).AsUInt32();
        var n8 = Avx2.Multiply(f8, nineteen).AsUInt32();
        var n9 = Avx2.Multiply(f9, nineteen).AsUInt32();
        var m5 = n5 + n5;
        var m7 = n7 + n7;
        var m9 = n9 + n9;
        var h0 = Avx2.Multiply(f0, f0) + Avx2.Multiply(d1, m9) + Avx2.Multiply(d2, n8)
            + Avx2.Multiply(d3, m7) + Avx2.Multiply(d4, n6) + Avx2.Multiply(f5, m5);
        var h1 = Avx2.Multiply(d0, f1) + Avx2.Multiply(d2, n9) + Avx2.Multiply(d3, n8)
            + Avx2.Multiply(d4, n7) + Avx2.Multiply(d5, n6);
        var h2 = Avx2.Multiply(d0, f2) + Avx2.Multiply(f1, d1) + Avx2.Multiply(d3, m9)
            + Avx2.Multiply(d4, n8) + Avx2.Multiply(d5, m7) + Avx2.Multiply(f6, n6);
        var h3 = Avx2.Multiply(d0, f3) + Avx2.Multiply(d1, f2) + Avx2.Multiply(d4, n9)
            + Avx2.Multiply(d5, n8) + Avx2.Multiply(d6, n7);
        var h4 = Avx2.Multiply(d0, f4) + Avx2.Multiply(d1, d3) + Avx2.Multiply(f2, f2)
            + Avx2.Multiply(d5, m9) + Avx2.Multiply(d6, n8) + Avx2.Multiply(f7, m7);
        var h5 = Avx2.Multiply(d0, f5) + Avx2.Multiply(d1, f4) + Avx2.Multiply(d2, f3)
            + Avx2.Multiply(d6, n9) + Avx2.Multiply(d7, n8);
        var h6 = Avx2.Multiply(d0, f6) + Avx2.Multiply(d1, d5) + Avx2.Multiply(d2, f4)
            + Avx2.Multiply(f3, d3) + Avx2.Multiply(d7, m9) + Avx2.Multiply(f8, n8);
        var h7 = Avx2.Multiply(d0, f7) + Avx2.Multiply(d1, f6) + Avx2.Multiply(d2, f5)
            + Avx2.Multiply(d3, f4) + Avx2.Multiply(d8, n9);
        var h8 = Avx2.Multiply(d0, f8) + Avx2.Multiply(d1, d7) + Avx2.Multiply(d2, f6)
            + Avx2.Multiply(d3, d5) + Avx2.Multiply(f4, f4) + Avx2.Multiply(f9, m9);
        var h9 = Avx2.Multiply(d0, f9) + Avx2.Multiply(d1, f8) + Avx2.Multiply(d2, f7)
            + Avx2.Multiply(d3, f6) + Avx2.Multiply(d4, f5);
        Reduce(h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, out square);
    }

    /// <summary>From X, Y, Z and T of a point: X, Y, Z and X + Y, whose squares its double is made of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void ToBeSquared(out FieldLanes factors)
    {
        factors._0 = ToBeSquared(_0);
        factors._1 = ToBeSquared(_1);
        factors._2 = ToBeSquared(_2);
        factors._3 = ToBeSquared(_3);
        factors._4 = ToBeSquared(_4);
        factors._5 = ToBeSquared(_5);
        factors._6 = ToBeSquared(_6);
        factors._7 = ToBeSquared(_7);
        factors._8 = ToBeSquared(_8);
        factors._9 = ToBeSquared(_9);
    }

    /// <summary>From those squares A, B, C and S: A + B - S, A - B, A - B + 2C and A + B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OfSquares(out FieldLanes sums) => Carry(
        OfSquares(_0, Lowest),
        OfSquares(_1, Odd),
        OfSquares(_2, Even),
        OfSquares(_3, Odd),
        OfSquares(_4, Even),
        OfSquares(_5, Odd),
        OfSquares(_6, Even),
        OfSquares(_7, Odd),
        OfSquares(_8, Even),
        OfSquares(_9, Odd),
        out sums);

    /// <summary>From X, Y, Z and T of a point: Y - X, Y + X, Z and T, which a prepared point's are multiplied with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void ToBeAdded(out FieldLanes factors)
    {
        factors._0 = ToBeAdded(_0, Lowest);
        factors._1 = ToBeAdded(_1, Odd);
        factors._2 = ToBeAdded(_2, Even);
        factors._3 = ToBeAdded(_3, Odd);
        factors._4 = ToBeAdded(_4, Even);
        factors._5 = ToBeAdded(_5, Odd);
        factors._6 = ToBeAdded(_6, Even);
        factors._7 = ToBeAdded(_7, Odd);
        factors._8 = ToBeAdded(_8, Even);
        factors._9 = ToBeAdded(_9, Odd);
    }

    /// <summary>From those products a, b, d and c: b - a, d + c, d - c and b + a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OfProducts(out FieldLanes sums) => Carry(
        OfProducts(_0, Lowest),
        OfProducts(_1, Odd),
        OfProducts(_2, Even),
        OfProducts(_3, Odd),
        OfProducts(_4, Even),
        OfProducts(_5, Odd),
        OfProducts(_6, Even),
        OfProducts(_7, Odd),
        OfProducts(_8, Even),
        OfProducts(_9, Odd),
        out sums);

    /// <summary>From e, g, f and h: X = e f, Y = g h, Z = f g and T = e h.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Cross(out FieldLanes point)
    {
        FieldLanes left, right;
        left._0 = Avx2.Permute4x64(_0, 0x24);
        left._1 = Avx2.Permute4x64(_1, 0x24);
        left._2 = Avx2.Permute4x64(_2, 0x24);
        left._3 = Avx2.Permute4x64(_3, 0x24);
        left._4 = Avx2.Permute4x64(_4, 0x24);
        left._5 = Avx2.Permute4x64(_5, 0x24);
        left._6 = Avx2.Permute4x64(_6, 0x24);
        left._7 = Avx2.Permute4x64(_7, 0x24);
        left._8 = Avx2.Permute4x64(_8, 0x24);
        left._9 = Avx2.Permute4x64(_9, 0x24);
        right._0 = Avx2.Permute4x64(_0, 0xDE);
        right._1 = Avx2.Permute4x64(_1, 0xDE);
        right._2 = Avx2.Permute4x64(_2, 0xDE);
        right._3 = Avx2.Permute4x64(_3, 0xDE);
        right._4 = Avx2.Permute4x64(_4, 0xDE);
        right._5 = Avx2.Permute4x64(_5, 0xDE);
        right._6 = Avx2.Permute4x64(_6, 0xDE);
        right._7 = Avx2.Permute4x64(_7, 0xDE);
        right._8 = Avx2.Permute4x64(_8, 0xDE);
        right._9 = Avx2.Permute4x64(_9, 0xDE);
        Multiply(left, right, out point);
    }

    /// <summary>From a prepared point: its negative, with the first two exchanged and the last one negated.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Negate(out FieldLanes negative)
    {
        negative._0 = Negate(_0, Lowest);
        negative._1 = Negate(_1, Odd);
        negative._2 = Negate(_2, Even);
        negative._3 = Negate(_3, Odd);
        negative._4 = Negate(_4, Even);
        negative._5 = Negate(_5, Odd);
        negative._6 = Negate(_6, Even);
        negative._7 = Negate(_7, Odd);
        negative._8 = Negate(_8, Even);
        negative._9 = Negate(_9, Odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> ToBeSquared(Vector256<ulong> limb) =>
        Avx2.Permute4x64(limb, 0x24) + (Avx2.Permute4x64(limb, 0x55) & Vector256.Create(0, 0, 0, ulong.MaxValue));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> OfSquares(Vector256<ulong> limb, ulong bias) =>
        Avx2.Permute4x64(limb, 0x00)
            + (Avx2.Permute4x64(limb, 0x55) ^ Vector256.Create(0, ulong.MaxValue, ulong.MaxValue, 0))
            + (Avx2.ShiftLeftLogicalVariable(Avx2.Permute4x64(limb, 0x23), Vector256.Create(0UL, 64, 1, 64))
                ^ Vector256.Create(ulong.MaxValue, 0, 0, 0))
            + Vector256.Create(bias, bias, bias, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> ToBeAdded(Vector256<ulong> limb, ulong bias) =>
        Avx2.Permute4x64(limb, 0xE5)
            + ((Avx2.Permute4x64(limb, 0x00) & Vector256.Create(ulong.MaxValue, ulong.MaxValue, 0, 0))
                ^ Vector256.Create(ulong.MaxValue, 0, 0, 0))
            + Vector256.Create(bias, 0, 0, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> OfProducts(Vector256<ulong> limb, ulong bias) =>
        Avx2.Permute4x64(limb, 0x69)
            + (Avx2.Permute4x64(limb, 0x3C) ^ Vector256.Create(ulong.MaxValue, 0, ulong.MaxValue, 0))
            + Vector256.Create(bias, 0, bias, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Negate(Vector256<ulong> limb, ulong bias) =>
        (Avx2.Permute4x64(limb, 0xE1) ^ Vector256.Create(0, 0, 0, ulong.MaxValue)) + Vector256.Create(0, 0, 0, bias);

    /// <summary>From sums of products to the bounds of a product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Reduce(
        Vector256<ulong> h0, Vector256<ulong> h1, Vector256<ulong> h2, Vector256<ulong> h3, Vector256<ulong> h4,
        Vector256<ulong> h5, Vector256<ulong> h6, Vector256<ulong> h7, Vector256<ulong> h8, Vector256<ulong> h9, out FieldLanes reduced)
    {
        var r0 = (h0 & Mask26) + Times19(h9 >> 25);
        var r1 = (h1 & Mask25) + (h0 >> 26);
        var r2 = (h2 & Mask26) + (h1 >> 25);
        var r3 = (h3 & Mask25) + (h2 >> 26);
        var r4 = (h4 & Mask26) + (h3 >> 25);
        var r5 = (h5 & Mask25) + (h4 >> 26);
        var r6 = (h6 & Mask26) + (h5 >> 25);
        var r7 = (h7 & Mask25) + (h6 >> 26);
        var r8 = (h8 & Mask26) + (h7 >> 25);
        var r9 = (h9 & Mask25) + (h8 >> 26);
        Carry(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, out reduced);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Carry(
        Vector256<ulong> r0, Vector256<ulong> r1, Vector256<ulong> r2, Vector256<ulong> r3, Vector256<ulong> r4,
        Vector256<ulong> r5, Vector256<ulong> r6, Vector256<ulong> r7, Vector256<ulong> r8, Vector256<ulong> r9, out FieldLanes carried)
    {
        carried._0 = (r0 & Mask26) + Times19(r9 >> 25);
        carried._1 = (r1 & Mask25) + (r0 >> 26);
        carried._2 = (r2 & Mask26) + (r1 >> 25);
        carried._3 = (r3 & Mask25) + (r2 >> 26);
        carried._4 = (r4 & Mask26) + (r3 >> 25);
        carried._5 = (r5 & Mask25) + (r4 >> 26);
        carried._6 = (r6 & Mask26) + (r5 >> 25);
        carried._7 = (r7 & Mask25) + (r6 >> 26);
        carried._8 = (r8 & Mask26) + (r7 >> 25);
        carried._9 = (r9 & Mask25) + (r8 >> 26);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Times19(Vector256<ulong> carry) => (carry << 4) + (carry << 1) + carry;

    private static Vector256<ulong> Limbs(ReadOnlySpan<byte> bytes, int bit, int size) => Vector256.Create(
        Limb(bytes, bit, size),
        Limb(bytes[FieldElement.Size..], bit, size),
        Limb(bytes[(2 * FieldElement.Size)..], bit, size),
        Limb(bytes[(3 * FieldElement.Size)..], bit, size));

    private static ulong Limb(ReadOnlySpan<byte> bytes, int bit, int size)
    {
        // No further than the number: the topmost limb begins in its last eight bytes.
        var from = Math.Min(bit >> 3, FieldElement.Size - sizeof(ulong));
        return (BinaryPrimitives.ReadUInt64LittleEndian(bytes[from..]) >> (bit - (8 * from))) & ((1UL << size) - 1);
    }
}
