using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace SecureChat.Signal.Primitives;

/// <summary>What checking a signature takes: sums of multiples of points. In variable time: everything here is public.</summary>
internal static class EdwardsVerification
{
    private const int Bits = 256;

    /// <summary>Digits of the base point's scalar are odd and below 2^7, with a table of 64 entries.</summary>
    private const int BaseWidth = 8;

    /// <summary>Those of the other point's are below 2^4, with 8 entries made each time.</summary>
    private const int PointWidth = 5;

    private const int PointEntries = 1 << (PointWidth - 2);

    /// <summary>B, 3B, 5B, and so on.</summary>
    private static readonly PreparedPoint[] OddMultiplesOfBase = MakeTable();

    /// <summary>
    /// The Edwards point of a Montgomery u with the given sign of x, and its encoding; false if there is none.
    /// </summary>
    public static bool TryConvert(ReadOnlySpan<byte> u, int sign, Span<byte> encoded, out EdwardsPoint point)
    {
        // y = n / m with n = u - 1 and m = u + 1, so x^2 = p / q with p = n^2 - m^2 and q = d n^2 + m^2. One power gives
        // both r = 1 / sqrt(p q m^2), from which x = p m r, and 1 / m = m p q r^2.
        point = default;
        var montgomery = FieldElement.Decode(u);
        FieldElement.Subtract(montgomery, FieldElement.One, out var n);
        FieldElement.Add(montgomery, FieldElement.One, out var m);
        FieldElement.Square(n, out var nn);
        FieldElement.Square(m, out var mm);
        FieldElement.Subtract(nn, mm, out var p);
        FieldElement.Multiply(EdwardsPoint.D, nn, out var q);
        FieldElement.Add(q, mm, out q);
        FieldElement.Multiply(p, q, out var pq);
        FieldElement.Multiply(pq, mm, out var radicand);
        if (!TryInverseRoot(radicand, out var root))
        {
            // Not on the curve, but on its twist; or u is 0 or -1, whose points are of low order.
            return false;
        }

        FieldElement.Multiply(m, root, out var mr);
        FieldElement.Multiply(p, mr, out var x);
        FieldElement.Multiply(mr, root, out var inverse);
        FieldElement.Multiply(inverse, pq, out inverse);
        FieldElement.Multiply(n, inverse, out var y);
        if (x.LowestBit() != sign)
        {
            FieldElement.Subtract(FieldElement.Zero, x, out x);
            x.Carry();
        }

        point = new EdwardsPoint(x, y);
        y.Encode(encoded);
        encoded[^1] |= (byte)(sign << 7);
        return true;
    }

    /// <summary>a * B - b * P, only to be encoded or compared: its product of x and y is not kept.</summary>
    /// <param name="a">Below 2^255, little-endian.</param>
    /// <param name="b">Below 2^255, little-endian.</param>
    public static EdwardsPoint Combine(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, in EdwardsPoint point)
    {
        Span<sbyte> baseDigits = stackalloc sbyte[Bits];
        Span<sbyte> pointDigits = stackalloc sbyte[Bits];
        NonAdjacentForm(a, BaseWidth, baseDigits);
        NonAdjacentForm(b, PointWidth, pointDigits);

        var top = Bits - 1;
        while (top > 0 && baseDigits[top] == 0 && pointDigits[top] == 0)
        {
            top--;
        }

        return Avx2.IsSupported
            ? EdwardsLanes.Combine(baseDigits, pointDigits, top, point)
            : Combine(baseDigits, pointDigits, top, point);
    }

    /// <summary>
    /// The sum of the base point's digits and the difference of the other's, from the given one down, on any processor.
    /// </summary>
    public static EdwardsPoint Combine(
        ReadOnlySpan<sbyte> baseDigits, ReadOnlySpan<sbyte> pointDigits, int top, in EdwardsPoint point)
    {
        OddMultiples(point, out var multiples);
        var sum = EdwardsPoint.Neutral;
        for (var i = top; i >= 0; i--)
        {
            var (baseDigit, pointDigit) = (baseDigits[i], pointDigits[i]);
            sum.Double(more: baseDigit == 0 && pointDigit == 0);
            if (baseDigit != 0)
            {
                var entry = OddMultiplesOfBase[Math.Abs(baseDigit) / 2];
                entry.NegateIf(baseDigit < 0 ? ulong.MaxValue : 0);
                sum.Add(entry, last: pointDigit == 0);
            }

            if (pointDigit != 0)
            {
                var entry = multiples[Math.Abs(pointDigit) / 2];
                entry.Numerators.NegateIf(pointDigit > 0 ? ulong.MaxValue : 0);
                sum.Add(entry, last: true);
            }
        }

        return sum;
    }

    /// <summary>1 / sqrt(a); false if a is no square other than zero.</summary>
    private static bool TryInverseRoot(in FieldElement a, out FieldElement root)
    {
        // a^3 (a^7)^((p - 5) / 8) is the root of 1 / a, or of -1 / a.
        FieldElement.Square(a, out var cube);
        FieldElement.Multiply(cube, a, out cube);
        FieldElement.Square(cube, out root);
        FieldElement.Multiply(root, a, out root);
        FieldElement.PowerForRoots(root, out root);
        FieldElement.Multiply(root, cube, out root);
        FieldElement.Square(root, out var check);
        FieldElement.Multiply(check, a, out check);
        FieldElement.Subtract(check, FieldElement.One, out var difference);
        if (difference.IsZero())
        {
            return true;
        }

        FieldElement.Multiply(root, FieldElement.SqrtMinusOne, out root);
        FieldElement.Add(check, FieldElement.One, out var sum);
        return sum.IsZero();
    }

    /// <summary>Whether the point's order is that of the base point: for points other than the neutral one.</summary>
    public static bool IsOfPrimeOrder(in EdwardsPoint point)
    {
        Span<byte> none = stackalloc byte[Scalar25519.Size];
        none.Clear();
        return Combine(none, Scalar25519.OrderBytes, point).IsNeutral();
    }

    /// <summary>The scalar as odd digits of which any two have at least width - 1 zeros between them.</summary>
    private static void NonAdjacentForm(ReadOnlySpan<byte> scalar, int width, Span<sbyte> digits)
    {
        Debug.Assert(scalar[^1] < 0x80);
        digits.Clear();
        Span<ulong> words = stackalloc ulong[(Bits / 64) + 1];
        for (var i = 0; i < Bits / 64; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(scalar[(8 * i)..]);
        }

        words[^1] = 0;
        var carry = 0;
        for (var i = 0; i < Bits;)
        {
            var (word, bit) = (i >> 6, i & 63);
            var bits = bit == 0 ? words[word] : (words[word] >> bit) | (words[word + 1] << (64 - bit));
            var window = carry + (int)(bits & ((1UL << width) - 1));
            if ((window & 1) == 0)
            {
                // A one and a carry make a zero here, and the carry goes on.
                i++;
                continue;
            }

            carry = window >= 1 << (width - 1) ? 1 : 0;
            digits[i] = (sbyte)(window - (carry << width));
            i += width;
        }
    }

    /// <summary>P, 3P, 5P, and so on.</summary>
    private static void OddMultiples(in EdwardsPoint point, out PointTable multiples)
    {
        multiples = default;
        var multiple = point;
        multiple.Double();
        var twice = multiple.Prepare();
        multiple = point;
        multiples[0] = multiple.Prepare();
        for (var i = 1; i < PointEntries; i++)
        {
            multiple.Add(twice);
            multiples[i] = multiple.Prepare();
        }
    }

    private static PreparedPoint[] MakeTable()
    {
        var points = new EdwardsPoint[1 << (BaseWidth - 2)];
        var point = EdwardsBase.Point;
        point.Double();
        var twice = point.Prepare();
        points[0] = EdwardsBase.Point;
        for (var i = 1; i < points.Length; i++)
        {
            points[i] = points[i - 1];
            points[i].Add(twice);
        }

        return EdwardsPoint.PrepareAll(points);
    }

    /// <summary>The base point's odd multiples, to be laid out in another way.</summary>
    public static ReadOnlySpan<PreparedPoint> BaseMultiples() => OddMultiplesOfBase;

    /// <summary>A table that lives on the stack: a verification allocates nothing for it.</summary>
    [InlineArray(PointEntries)]
    private struct PointTable
    {
        private PreparedFraction _first;
    }
}
