using Org.BouncyCastle.Math.EC.Rfc7748;

namespace SecureChat.Signal.Primitives;

/// <summary>Multiples of the Ed25519 base point, in constant time, from a table of 256 of them.</summary>
internal static class EdwardsBase
{
    private const int Positions = 32;
    private const int Entries = 8;

    /// <summary>d of the curve, times two.</summary>
    private static readonly int[] TwoD = Element("59f1b226949bd6eb56b183829a14e00030d1f3eef2808e19e7fcdf56dcd90624");

    private static readonly int[] BaseX = Element("1ad5258f602d56c9b2a7259560c72c695cdcd6fd31e2a4c0fe536ecdd3366921");
    private static readonly int[] BaseY = Element("5866666666666666666666666666666666666666666666666666666666666666");

    /// <summary>At position i the points 1 B_i to 8 B_i, with B_i = 256^i B.</summary>
    private static readonly Precomputed[][] Table = MakeTable();

    /// <summary>Encodes scalar * B.</summary>
    /// <param name="scalar">32 bytes, little-endian, below 2^255.</param>
    /// <param name="encoded">Receives 32 bytes.</param>
    public static void MultiplyEncoded(ReadOnlySpan<byte> scalar, Span<byte> encoded)
    {
        Span<int> digits = stackalloc int[2 * Positions];
        SignedDigits(scalar, digits);
        var sum = new EdwardsPoint();
        var selected = new Precomputed();
        for (var i = 1; i < digits.Length; i += 2)
        {
            AddMultiple(sum, i / 2, digits[i], selected);
        }

        for (var i = 0; i < 4; i++)
        {
            sum.Double();
        }

        for (var i = 0; i < digits.Length; i += 2)
        {
            AddMultiple(sum, i / 2, digits[i], selected);
        }

        sum.Encode(encoded);
        sum.Clear();
        selected.Clear();
        digits.Clear();
    }

    /// <summary>The scalar as 64 digits from -8 to 8 in base 16.</summary>
    private static void SignedDigits(ReadOnlySpan<byte> scalar, Span<int> digits)
    {
        for (var i = 0; i < Positions; i++)
        {
            digits[2 * i] = scalar[i] & 15;
            digits[(2 * i) + 1] = scalar[i] >> 4;
        }

        var carry = 0;
        for (var i = 0; i < digits.Length - 1; i++)
        {
            digits[i] += carry;
            carry = (digits[i] + 8) >> 4;
            digits[i] -= carry << 4;
        }

        digits[^1] += carry;
    }

    private static void AddMultiple(EdwardsPoint sum, int position, int digit, Precomputed selected)
    {
        var negative = digit >> 31;
        var magnitude = (digit ^ negative) - negative;
        selected.SetNeutral();
        for (var i = 0; i < Entries; i++)
        {
            // All ones exactly for the entry wanted; every entry is read.
            var difference = magnitude ^ (i + 1);
            selected.MoveIf((difference - 1) >> 31, Table[position][i]);
        }

        selected.NegateIf(negative);
        sum.Add(selected.YPlusX, selected.YMinusX, selected.Xy2d);
    }

    private static Precomputed[][] MakeTable()
    {
        var table = new Precomputed[Positions][];
        var point = EdwardsPoint.FromAffine(BaseX, BaseY);
        for (var position = 0; position < Positions; position++)
        {
            table[position] = new Precomputed[Entries];
            var multiple = new EdwardsPoint();
            var unit = Precomputed.Of(point);
            for (var i = 0; i < Entries; i++)
            {
                multiple.Add(unit.YPlusX, unit.YMinusX, unit.Xy2d);
                table[position][i] = Precomputed.Of(multiple);
            }

            for (var i = 0; i < 8; i++)
            {
                point.Double();
            }
        }

        return table;
    }

    private static int[] Element(string hex)
    {
        var element = X25519Field.Create();
        X25519Field.Decode255(Convert.FromHexString(hex), element);
        return element;
    }

    /// <summary>An affine point in the form that is quickest to add.</summary>
    private sealed class Precomputed
    {
        private readonly int[] _negated = X25519Field.Create();

        public int[] YPlusX { get; } = X25519Field.Create();

        public int[] YMinusX { get; } = X25519Field.Create();

        public int[] Xy2d { get; } = X25519Field.Create();

        public static Precomputed Of(EdwardsPoint point)
        {
            var (x, y) = (X25519Field.Create(), X25519Field.Create());
            point.ToAffine(x, y);
            var precomputed = new Precomputed();
            X25519Field.Add(y, x, precomputed.YPlusX);
            X25519Field.Sub(y, x, precomputed.YMinusX);
            X25519Field.Mul(x, y, precomputed.Xy2d);
            X25519Field.Mul(precomputed.Xy2d, TwoD, precomputed.Xy2d);
            X25519Field.Normalize(precomputed.YPlusX);
            X25519Field.Normalize(precomputed.YMinusX);
            X25519Field.Normalize(precomputed.Xy2d);
            return precomputed;
        }

        public void SetNeutral()
        {
            X25519Field.One(YPlusX);
            X25519Field.One(YMinusX);
            X25519Field.Zero(Xy2d);
        }

        public void MoveIf(int mask, Precomputed other)
        {
            X25519Field.CMov(mask, other.YPlusX, 0, YPlusX, 0);
            X25519Field.CMov(mask, other.YMinusX, 0, YMinusX, 0);
            X25519Field.CMov(mask, other.Xy2d, 0, Xy2d, 0);
        }

        public void NegateIf(int mask)
        {
            X25519Field.CSwap(mask & 1, YPlusX, YMinusX);
            X25519Field.Negate(Xy2d, _negated);
            X25519Field.CMov(mask, _negated, 0, Xy2d, 0);
        }

        public void Clear()
        {
            SetNeutral();
            X25519Field.Zero(_negated);
        }
    }
}
