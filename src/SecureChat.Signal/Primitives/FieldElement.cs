using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace SecureChat.Signal.Primitives;

/// <summary>A number modulo p = 2^255 - 19, in five limbs of 51 bits; everything but <see cref="IsZero"/> in constant time.</summary>
/// <remarks>
/// Bounds: a product has limbs below 2^51 + 2^16. A sum or difference of two products has limbs below 2^53, and that is the
/// most that a factor may have; <see cref="Carry"/> brings a longer sum back to the size of a product. What is compiled
/// with full optimisation at once is what everything else spends its time in; no profile of a run then shapes the code that
/// handles secrets. Results go where they are wanted and not through copies, which cost as much as a product. They may go to where a
/// factor was.
/// </remarks>
internal struct FieldElement
{
    /// <summary>Size of an encoded number, in bytes.</summary>
    public const int Size = 32;

    private const int LimbBits = 51;
    private const ulong Mask = (1UL << LimbBits) - 1;

    /// <summary>Left by this, the high half of a product of limbs begins at bit 53: no carry within a column.</summary>
    private const int FactorShift = 11;

    private ulong _0;
    private ulong _1;
    private ulong _2;
    private ulong _3;
    private ulong _4;

    private FieldElement(ulong l0, ulong l1, ulong l2, ulong l3, ulong l4) =>
        (_0, _1, _2, _3, _4) = (l0, l1, l2, l3, l4);

    public static FieldElement Zero => default;

    public static FieldElement One => new(1, 0, 0, 0, 0);

    /// <summary>A square root of -1.</summary>
    public static FieldElement SqrtMinusOne { get; } =
        Parse("b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b");

    /// <summary>Reads 32 bytes, little-endian, and ignores the highest bit; numbers from p on are taken modulo p.</summary>
    public static FieldElement Decode(ReadOnlySpan<byte> bytes)
    {
        var (w0, w1) = (BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
        var (w2, w3) = (BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));
        return new FieldElement(
            w0 & Mask,
            ((w0 >> 51) | (w1 << 13)) & Mask,
            ((w1 >> 38) | (w2 << 26)) & Mask,
            ((w2 >> 25) | (w3 << 39)) & Mask,
            (w3 >> 12) & Mask);
    }

    /// <summary>A constant, as its encoding in hexadecimal.</summary>
    public static FieldElement Parse(string hex) => Decode(Convert.FromHexString(hex));

    /// <summary>Writes the one encoding below p.</summary>
    public readonly void Encode(Span<byte> bytes)
    {
        unchecked
        {
            // After two passes every limb is below 2^51 but the lowest, which may be 18 above; the number is below 2p.
            var t = this;
            t.Carry();
            t.Carry();

            // One exactly if the number is p or more: then adding 19 runs over 2^255.
            var over = (t._0 + 19) >> LimbBits;
            over = (t._1 + over) >> LimbBits;
            over = (t._2 + over) >> LimbBits;
            over = (t._3 + over) >> LimbBits;
            over = (t._4 + over) >> LimbBits;
            t._0 += 19 * over;
            t._1 += t._0 >> LimbBits;
            t._2 += t._1 >> LimbBits;
            t._3 += t._2 >> LimbBits;
            t._4 += t._3 >> LimbBits;
            var (l0, l1, l2, l3, l4) = (t._0 & Mask, t._1 & Mask, t._2 & Mask, t._3 & Mask, t._4 & Mask);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, l0 | (l1 << 51));
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], (l1 >> 13) | (l2 << 38));
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], (l2 >> 26) | (l3 << 25));
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], (l3 >> 39) | (l4 << 12));
        }
    }

    /// <summary>The lowest bit of the number below p: the "sign".</summary>
    public readonly int LowestBit()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Encode(bytes);
        return bytes[0] & 1;
    }

    /// <summary>Whether this is zero. In variable time: not for secrets.</summary>
    public readonly bool IsZero()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Encode(bytes);
        return !bytes.ContainsAnyExcept((byte)0);
    }

    /// <summary>a + b, with longer limbs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(in FieldElement a, in FieldElement b, out FieldElement sum)
    {
        unchecked
        {
            sum = new FieldElement(a._0 + b._0, a._1 + b._1, a._2 + b._2, a._3 + b._3, a._4 + b._4);
        }
    }

    /// <summary>a - b, with longer limbs; what is subtracted has to have the bounds of a product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Subtract(in FieldElement a, in FieldElement b, out FieldElement difference)
    {
        // 2p keeps every limb above zero.
        const ulong lowest = 2 * (Mask - 18);
        const ulong other = 2 * Mask;
        unchecked
        {
            difference = new FieldElement(
                a._0 + lowest - b._0, a._1 + other - b._1, a._2 + other - b._2, a._3 + other - b._3, a._4 + other - b._4);
        }
    }

    /// <summary>Gives the number the bounds of a product again; for limbs of up to 63 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Carry()
    {
        unchecked
        {
            this = new FieldElement(
                (_0 & Mask) + (19 * (_4 >> LimbBits)),
                (_1 & Mask) + (_0 >> LimbBits),
                (_2 & Mask) + (_1 >> LimbBits),
                (_3 & Mask) + (_2 >> LimbBits),
                (_4 & Mask) + (_3 >> LimbBits));
        }
    }

    /// <summary>a * b.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(in FieldElement a, in FieldElement b, out FieldElement product)
    {
        unchecked
        {
            var (a0, a1, a2, a3, a4) = (a._0 << FactorShift, a._1 << FactorShift, a._2 << FactorShift, a._3 << FactorShift,
                a._4 << FactorShift);
            var (b0, b1, b2, b3, b4) = (b._0, b._1, b._2, b._3, b._4);
            Column c0 = default, c1 = default, c2 = default, c3 = default, c4 = default;
            Column c5 = default, c6 = default, c7 = default, c8 = default;
            c0.Add(a0, b0);
            c1.Add(a0, b1);
            c2.Add(a0, b2);
            c3.Add(a0, b3);
            c4.Add(a0, b4);
            c1.Add(a1, b0);
            c2.Add(a1, b1);
            c3.Add(a1, b2);
            c4.Add(a1, b3);
            c5.Add(a1, b4);
            c2.Add(a2, b0);
            c3.Add(a2, b1);
            c4.Add(a2, b2);
            c5.Add(a2, b3);
            c6.Add(a2, b4);
            c3.Add(a3, b0);
            c4.Add(a3, b1);
            c5.Add(a3, b2);
            c6.Add(a3, b3);
            c7.Add(a3, b4);
            c4.Add(a4, b0);
            c5.Add(a4, b1);
            c6.Add(a4, b2);
            c7.Add(a4, b3);
            c8.Add(a4, b4);
            product = new FieldElement(
                c0.Low + (19 * (c5.Low + (4 * c4.High))),
                c1.Low + (4 * c0.High) + (19 * (c6.Low + (4 * c5.High))),
                c2.Low + (4 * c1.High) + (19 * (c7.Low + (4 * c6.High))),
                c3.Low + (4 * c2.High) + (19 * (c8.Low + (4 * c7.High))),
                c4.Low + (4 * c3.High) + (19 * (4 * c8.High)));
            product.Carry();
        }
    }

    /// <summary>a * a.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Square(in FieldElement a, out FieldElement square)
    {
        unchecked
        {
            var (a0, a1, a2, a3, a4) = (a._0 << FactorShift, a._1 << FactorShift, a._2 << FactorShift, a._3 << FactorShift,
                a._4 << FactorShift);
            var (b1, b2, b3, b4) = (2 * a._1, 2 * a._2, 2 * a._3, 2 * a._4);
            Column c0 = default, c1 = default, c2 = default, c3 = default, c4 = default;
            Column c5 = default, c6 = default, c7 = default, c8 = default;
            c0.Add(a0, a._0);
            c1.Add(a0, b1);
            c2.Add(a0, b2);
            c3.Add(a0, b3);
            c4.Add(a0, b4);
            c2.Add(a1, a._1);
            c3.Add(a1, b2);
            c4.Add(a1, b3);
            c5.Add(a1, b4);
            c4.Add(a2, a._2);
            c5.Add(a2, b3);
            c6.Add(a2, b4);
            c6.Add(a3, a._3);
            c7.Add(a3, b4);
            c8.Add(a4, a._4);
            square = new FieldElement(
                c0.Low + (19 * (c5.Low + (4 * c4.High))),
                c1.Low + (4 * c0.High) + (19 * (c6.Low + (4 * c5.High))),
                c2.Low + (4 * c1.High) + (19 * (c7.Low + (4 * c6.High))),
                c3.Low + (4 * c2.High) + (19 * (c8.Low + (4 * c7.High))),
                c4.Low + (4 * c3.High) + (19 * (4 * c8.High)));
            square.Carry();
        }
    }

    /// <summary>a times a number below 2^18.</summary>
    public static void Multiply(in FieldElement a, uint factor, out FieldElement product)
    {
        unchecked
        {
            Column c0 = default, c1 = default, c2 = default, c3 = default, c4 = default;
            c0.Add(a._0 << FactorShift, factor);
            c1.Add(a._1 << FactorShift, factor);
            c2.Add(a._2 << FactorShift, factor);
            c3.Add(a._3 << FactorShift, factor);
            c4.Add(a._4 << FactorShift, factor);
            product = new FieldElement(
                c0.Low + (19 * 4 * c4.High),
                c1.Low + (4 * c0.High),
                c2.Low + (4 * c1.High),
                c3.Low + (4 * c2.High),
                c4.Low + (4 * c3.High));
            product.Carry();
        }
    }

    /// <summary>1 / a, and 0 of zero: a to the power of p - 2.</summary>
    public static void Invert(in FieldElement a, out FieldElement inverse)
    {
        PowerOf2To250Minus1(a, out var power, out var eleventh);
        Square(power, 5, out power);
        Multiply(power, eleventh, out inverse);
    }

    /// <summary>a to the power of (p - 5) / 8, from which square roots are made.</summary>
    public static void PowerForRoots(in FieldElement a, out FieldElement result)
    {
        PowerOf2To250Minus1(a, out var power, out _);
        Square(power, 2, out power);
        Multiply(power, a, out result);
    }

    /// <summary>Exchanges two numbers if the mask is all ones, and does not if it is zero.</summary>
    public static void ExchangeIf(ulong mask, ref FieldElement a, ref FieldElement b)
    {
        var difference = (a._0 ^ b._0) & mask;
        a._0 ^= difference;
        b._0 ^= difference;
        difference = (a._1 ^ b._1) & mask;
        a._1 ^= difference;
        b._1 ^= difference;
        difference = (a._2 ^ b._2) & mask;
        a._2 ^= difference;
        b._2 ^= difference;
        difference = (a._3 ^ b._3) & mask;
        a._3 ^= difference;
        b._3 ^= difference;
        difference = (a._4 ^ b._4) & mask;
        a._4 ^= difference;
        b._4 ^= difference;
    }

    /// <summary>Adds the bits of another number if the mask is all ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OrIf(ulong mask, in FieldElement other)
    {
        _0 |= other._0 & mask;
        _1 |= other._1 & mask;
        _2 |= other._2 & mask;
        _3 |= other._3 & mask;
        _4 |= other._4 & mask;
    }

    /// <summary>a, squared so many times.</summary>
    private static void Square(in FieldElement a, int times, out FieldElement result)
    {
        Square(a, out result);
        for (var i = 1; i < times; i++)
        {
            Square(result, out result);
        }
    }

    /// <summary>a to the powers of 2^250 - 1 and 11.</summary>
    private static void PowerOf2To250Minus1(in FieldElement a, out FieldElement power, out FieldElement eleventh)
    {
        Square(a, out var second);
        Square(second, 2, out var ninth);
        Multiply(ninth, a, out ninth);
        Multiply(ninth, second, out eleventh);
        Square(eleventh, out power);
        Multiply(power, ninth, out power);
        Extend(power, 5, power, out var ones10);
        Extend(ones10, 10, ones10, out var ones20);
        Extend(ones20, 20, ones20, out power);
        Extend(power, 10, ones10, out var ones50);
        Extend(ones50, 50, ones50, out var ones100);
        Extend(ones100, 100, ones100, out power);
        Extend(power, 50, ones50, out power);
    }

    /// <summary>From exponents that are rows of binary ones: the row that is longer by another one.</summary>
    private static void Extend(in FieldElement ones, int by, in FieldElement tail, out FieldElement longer)
    {
        Square(ones, by, out var shifted);
        Multiply(shifted, tail, out longer);
    }

    /// <summary>From five limbs of up to 63 bits.</summary>
    public static FieldElement FromLimbs(ReadOnlySpan<ulong> limbs)
    {
        var number = new FieldElement(limbs[0], limbs[1], limbs[2], limbs[3], limbs[4]);
        number.Carry();
        return number;
    }

    /// <summary>
    /// The products of one weight, added up in two halves: what is below bit 53, and what is from there on, which is worth
    /// four of the next column's.
    /// </summary>
    private struct Column
    {
        public ulong Low;
        public ulong High;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(ulong shifted, ulong other)
        {
            unchecked
            {
                High += HighHalf(shifted, other);
                Low += (shifted * other) >> FactorShift;
            }
        }

        // The two halves apart stay in registers; Math.BigMul hands one of them over through memory.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static ulong HighHalf(ulong a, ulong b) =>
            Bmi2.X64.IsSupported ? Bmi2.X64.MultiplyNoFlags(a, b)
            : ArmBase.Arm64.IsSupported ? ArmBase.Arm64.MultiplyHigh(a, b)
            : Math.BigMul(a, b, out _);
    }
}
