using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SecureChat.Signal.Primitives;

/// <summary>What a step of the ladder needs between its products; in constant time.</summary>
internal partial struct FieldLanes
{
    /// <summary>From x2, z2, x3 and z3: x2 + z2, x2 - z2, x3 + z3 and x3 - z3, or the latter two first.</summary>
    /// <param name="exchange">All ones if the latter come first, else zero.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SumsAndDifferences(int exchange, out FieldLanes sums)
    {
        // Lanes are permuted in halves here, for that can be told at run time; the other two lanes are four halves away.
        var mask = Vector256.Create(exchange & 4);
        var xs = Vector256.Create(0, 1, 0, 1, 4, 5, 4, 5) ^ mask;
        var zs = Vector256.Create(2, 3, 2, 3, 6, 7, 6, 7) ^ mask;
        sums._0 = SumAndDifference(_0, xs, zs, Lowest);
        sums._1 = SumAndDifference(_1, xs, zs, Odd);
        sums._2 = SumAndDifference(_2, xs, zs, Even);
        sums._3 = SumAndDifference(_3, xs, zs, Odd);
        sums._4 = SumAndDifference(_4, xs, zs, Even);
        sums._5 = SumAndDifference(_5, xs, zs, Odd);
        sums._6 = SumAndDifference(_6, xs, zs, Even);
        sums._7 = SumAndDifference(_7, xs, zs, Odd);
        sums._8 = SumAndDifference(_8, xs, zs, Even);
        sums._9 = SumAndDifference(_9, xs, zs, Odd);
    }

    /// <summary>From A, B, C and D: A, B, B and A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Mirror(out FieldLanes mirrored)
    {
        mirrored._0 = Avx2.Permute4x64(_0, 0x14);
        mirrored._1 = Avx2.Permute4x64(_1, 0x14);
        mirrored._2 = Avx2.Permute4x64(_2, 0x14);
        mirrored._3 = Avx2.Permute4x64(_3, 0x14);
        mirrored._4 = Avx2.Permute4x64(_4, 0x14);
        mirrored._5 = Avx2.Permute4x64(_5, 0x14);
        mirrored._6 = Avx2.Permute4x64(_6, 0x14);
        mirrored._7 = Avx2.Permute4x64(_7, 0x14);
        mirrored._8 = Avx2.Permute4x64(_8, 0x14);
        mirrored._9 = Avx2.Permute4x64(_9, 0x14);
    }

    /// <summary>
    /// From the squares a and b and the products c and d: a, e = a - b, d + c and d - c, and what these are multiplied with: b,
    /// b + (A + 2) / 4 e, and the latter two themselves.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OfStep(uint a24, out FieldLanes left, out FieldLanes right)
    {
        var factors = Vector256.Create(0, a24, 1, 1).AsUInt32();
        left._0 = OfStep(_0, Lowest);
        left._1 = OfStep(_1, Odd);
        left._2 = OfStep(_2, Even);
        left._3 = OfStep(_3, Odd);
        left._4 = OfStep(_4, Even);
        left._5 = OfStep(_5, Odd);
        left._6 = OfStep(_6, Even);
        left._7 = OfStep(_7, Odd);
        left._8 = OfStep(_8, Even);
        left._9 = OfStep(_9, Odd);
        Carry(
            TimesAndPlus(left._0, factors, _0),
            TimesAndPlus(left._1, factors, _1),
            TimesAndPlus(left._2, factors, _2),
            TimesAndPlus(left._3, factors, _3),
            TimesAndPlus(left._4, factors, _4),
            TimesAndPlus(left._5, factors, _5),
            TimesAndPlus(left._6, factors, _6),
            TimesAndPlus(left._7, factors, _7),
            TimesAndPlus(left._8, factors, _8),
            TimesAndPlus(left._9, factors, _9),
            out right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> SumAndDifference(Vector256<ulong> limb, Vector256<int> xs, Vector256<int> zs, ulong bias) =>
        Avx2.PermuteVar8x32(limb.AsInt32(), xs).AsUInt64()
            + (Avx2.PermuteVar8x32(limb.AsInt32(), zs).AsUInt64() ^ Vector256.Create(0, ulong.MaxValue, 0, ulong.MaxValue))
            + Vector256.Create(0, bias, 0, bias);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> OfStep(Vector256<ulong> limb, ulong bias) =>
        Avx2.Permute4x64(limb, 0xF0)
            + ((Avx2.Permute4x64(limb, 0xA5) & Vector256.Create(0, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue))
                ^ Vector256.Create(0, ulong.MaxValue, 0, ulong.MaxValue))
            + Vector256.Create(0, bias, 0, bias);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> TimesAndPlus(Vector256<ulong> limb, Vector256<uint> factors, Vector256<ulong> products) =>
        Avx2.Multiply(limb.AsUInt32(), factors)
            + (Avx2.Permute4x64(products, 0xA5) & Vector256.Create(ulong.MaxValue, ulong.MaxValue, 0, 0));
}
