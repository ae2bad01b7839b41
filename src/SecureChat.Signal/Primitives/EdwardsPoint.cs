using System.Diagnostics.CodeAnalysis;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// A point of the Ed25519 curve -x^2 + y^2 = 1 + d x^2 y^2 in extended coordinates (RFC 8032, 5.1.4), changed in place.
/// </summary>
/// <remarks>In constant time, with complete formulas: no case is special.</remarks>
[SuppressMessage("Performance", "CA1815:Override equals", Justification = "Points are compared by their encodings.")]
internal struct EdwardsPoint
{
    /// <summary>Size of an encoded point, in bytes.</summary>
    public const int EncodedSize = 32;

    /// <summary>d of the curve.</summary>
    public static readonly FieldElement D =
        FieldElement.Parse("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352");

    private static readonly FieldElement TwoD =
        FieldElement.Parse("59f1b226949bd6eb56b183829a14e00030d1f3eef2808e19e7fcdf56dcd90624");

    private FieldElement _x;
    private FieldElement _y;
    private FieldElement _z;
    private FieldElement _t;

    /// <summary>A point from its affine coordinates.</summary>
    public EdwardsPoint(in FieldElement x, in FieldElement y)
    {
        (_x, _y, _z) = (x, y, FieldElement.One);
        FieldElement.Multiply(x, y, out _t);
    }

    /// <summary>The neutral element.</summary>
    public static EdwardsPoint Neutral => new(FieldElement.Zero, FieldElement.One);

    /// <summary>Adds a prepared point.</summary>
    /// <param name="last">Whether a doubling, an encoding or nothing follows, for which less is needed.</param>
    public void Add(in PreparedPoint other, bool last = false)
    {
        FieldElement.Add(_z, _z, out var d);
        Add(other, ref d, last);
    }

    /// <summary>Adds a prepared point that has a denominator.</summary>
    /// <param name="last">Whether a doubling, an encoding or nothing follows, for which less is needed.</param>
    public void Add(in PreparedFraction other, bool last = false)
    {
        FieldElement.Multiply(_z, other.Z, out var d);
        FieldElement.Add(d, d, out d);
        Add(other.Numerators, ref d, last);
    }

    /// <summary>Doubles the point.</summary>
    /// <param name="more">Whether another doubling follows, for which less is needed.</param>
    public void Double(bool more = false)
    {
        FieldElement.Square(_x, out var a);
        FieldElement.Square(_y, out var b);
        FieldElement.Square(_z, out var c);
        FieldElement.Add(_x, _y, out var e);
        FieldElement.Square(e, out e);
        FieldElement.Add(a, b, out var h);
        FieldElement.Subtract(h, e, out e);
        e.Carry();
        FieldElement.Subtract(a, b, out var g);
        FieldElement.Add(c, c, out c);
        FieldElement.Add(c, g, out var f);
        f.Carry();
        Finish(e, f, g, h, withoutT: more);
    }

    /// <summary>What makes this point quick to add.</summary>
    public readonly PreparedFraction Prepare()
    {
        var prepared = default(PreparedFraction);
        FieldElement.Add(_y, _x, out prepared.Numerators.YPlusX);
        FieldElement.Subtract(_y, _x, out prepared.Numerators.YMinusX);
        FieldElement.Multiply(_t, TwoD, out prepared.Numerators.Xy2d);
        prepared.Z = _z;
        return prepared;
    }

    /// <summary>Prepares many points for one inversion in all.</summary>
    public static PreparedPoint[] PrepareAll(ReadOnlySpan<EdwardsPoint> points)
    {
        // products[i] is the product of the denominators before i; the inverse of all is peeled off from the end.
        var products = new FieldElement[points.Length];
        var all = FieldElement.One;
        for (var i = 0; i < points.Length; i++)
        {
            products[i] = all;
            FieldElement.Multiply(all, points[i]._z, out all);
        }

        FieldElement.Invert(all, out var inverse);
        var prepared = new PreparedPoint[points.Length];
        for (var i = points.Length - 1; i >= 0; i--)
        {
            FieldElement.Multiply(inverse, products[i], out var ofThis);
            FieldElement.Multiply(inverse, points[i]._z, out inverse);
            FieldElement.Multiply(points[i]._x, ofThis, out var x);
            FieldElement.Multiply(points[i]._y, ofThis, out var y);
            FieldElement.Add(y, x, out prepared[i].YPlusX);
            FieldElement.Subtract(y, x, out prepared[i].YMinusX);
            FieldElement.Multiply(x, y, out x);
            FieldElement.Multiply(x, TwoD, out prepared[i].Xy2d);
        }

        return prepared;
    }

    /// <summary>The encoding of RFC 8032, 5.1.2: y, and the lowest bit of x in the highest bit.</summary>
    public readonly void Encode(Span<byte> encoded)
    {
        FieldElement.Invert(_z, out var inverse);
        FieldElement.Multiply(_x, inverse, out var x);
        FieldElement.Multiply(_y, inverse, out var y);
        y.Encode(encoded);
        encoded[EncodedSize - 1] |= (byte)(x.LowestBit() << 7);
    }

    /// <summary>The same point on the Montgomery curve: u = (1 + y) / (1 - y), and 0 for the neutral element.</summary>
    public readonly void EncodeMontgomery(Span<byte> encoded)
    {
        FieldElement.Subtract(_z, _y, out var denominator);
        FieldElement.Invert(denominator, out denominator);
        FieldElement.Add(_z, _y, out var u);
        FieldElement.Multiply(u, denominator, out u);
        u.Encode(encoded);
    }

    /// <summary>Whether eight times the point is the neutral element. In variable time.</summary>
    public readonly bool IsOfLowOrder()
    {
        var multiple = this;
        multiple.Double(more: true);
        multiple.Double(more: true);
        multiple.Double(more: true);
        return multiple.IsNeutral();
    }

    /// <summary>Whether this is the neutral element, (0, 1). In variable time.</summary>
    public readonly bool IsNeutral()
    {
        FieldElement.Subtract(_y, _z, out var difference);
        return _x.IsZero() && difference.IsZero();
    }

    /// <summary>The addition law; <paramref name="d"/> is twice the product of the denominators.</summary>
    private void Add(in PreparedPoint other, ref FieldElement d, bool last)
    {
        d.Carry();
        FieldElement.Subtract(_y, _x, out var a);
        FieldElement.Multiply(a, other.YMinusX, out a);
        FieldElement.Add(_y, _x, out var b);
        FieldElement.Multiply(b, other.YPlusX, out b);
        FieldElement.Multiply(_t, other.Xy2d, out var c);
        FieldElement.Subtract(b, a, out var e);
        FieldElement.Subtract(d, c, out var f);
        FieldElement.Add(d, c, out var g);
        FieldElement.Add(b, a, out var h);
        Finish(e, f, g, h, withoutT: last);
    }

    private void Finish(
        in FieldElement e, in FieldElement f, in FieldElement g, in FieldElement h, bool withoutT)
    {
        FieldElement.Multiply(e, f, out _x);
        FieldElement.Multiply(g, h, out _y);
        FieldElement.Multiply(f, g, out _z);
        if (!withoutT)
        {
            FieldElement.Multiply(e, h, out _t);
        }
    }

    /// <summary>A point without its product of x and y, only to be encoded or compared.</summary>
    public EdwardsPoint(in FieldElement x, in FieldElement y, in FieldElement z)
    {
        (_x, _y, _z) = (x, y, z);
        _t = default;
    }

    /// <summary>X, Y, Z and T.</summary>
    public readonly void Coordinates(out FieldElement x, out FieldElement y, out FieldElement z, out FieldElement t) =>
        (x, y, z, t) = (_x, _y, _z, _t);
}

/// <summary>A point as y + x, y - x and 2dxy, quick to add.</summary>
internal struct PreparedPoint
{
    public FieldElement YPlusX;
    public FieldElement YMinusX;
    public FieldElement Xy2d;

    /// <summary>The neutral element.</summary>
    public static PreparedPoint Neutral => new() { YPlusX = FieldElement.One, YMinusX = FieldElement.One };

    /// <summary>Adds the bits of another point if the mask is all ones.</summary>
    public void OrIf(ulong mask, in PreparedPoint other)
    {
        YPlusX.OrIf(mask, other.YPlusX);
        YMinusX.OrIf(mask, other.YMinusX);
        Xy2d.OrIf(mask, other.Xy2d);
    }

    /// <summary>Makes it the negative if the mask is all ones.</summary>
    public void NegateIf(ulong mask)
    {
        FieldElement.ExchangeIf(mask, ref YPlusX, ref YMinusX);
        FieldElement.Subtract(FieldElement.Zero, Xy2d, out var negated);
        FieldElement.ExchangeIf(mask, ref Xy2d, ref negated);
    }
}

/// <summary>A prepared point whose values are over a denominator.</summary>
internal struct PreparedFraction
{
    public PreparedPoint Numerators;
    public FieldElement Z;
}
