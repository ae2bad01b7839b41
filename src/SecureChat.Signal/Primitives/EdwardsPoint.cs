using Org.BouncyCastle.Math.EC.Rfc7748;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// A point of the Ed25519 curve -x^2 + y^2 = 1 + d x^2 y^2 in extended coordinates (RFC 8032, 5.1.4), changed in place.
/// </summary>
/// <remarks>The field arithmetic is the library's, in constant time; the formulas are complete, so that no case is special.</remarks>
internal sealed class EdwardsPoint
{
    /// <summary>Size of an encoded point, in bytes.</summary>
    public const int EncodedSize = 32;

    private readonly int[] _x = X25519Field.Create();
    private readonly int[] _y = X25519Field.Create();
    private readonly int[] _z = X25519Field.Create();
    private readonly int[] _t = X25519Field.Create();
    private readonly int[] _a = X25519Field.Create();
    private readonly int[] _b = X25519Field.Create();
    private readonly int[] _c = X25519Field.Create();
    private readonly int[] _d = X25519Field.Create();

    /// <summary>The neutral element.</summary>
    public EdwardsPoint()
    {
        X25519Field.One(_y);
        X25519Field.One(_z);
    }

    /// <summary>A point from its affine coordinates.</summary>
    public static EdwardsPoint FromAffine(int[] x, int[] y)
    {
        var point = new EdwardsPoint();
        x.CopyTo(point._x, 0);
        y.CopyTo(point._y, 0);
        X25519Field.Mul(x, y, point._t);
        return point;
    }

    /// <summary>Adds an affine point that is kept as y + x, y - x and 2dxy.</summary>
    public void Add(int[] yPlusX, int[] yMinusX, int[] xy2d)
    {
        X25519Field.Sub(_y, _x, _a);
        X25519Field.Add(_y, _x, _b);
        X25519Field.Mul(_a, yMinusX, _a);
        X25519Field.Mul(_b, yPlusX, _b);
        X25519Field.Mul(_t, xy2d, _c);
        X25519Field.Add(_z, _z, _d);
        Finish();
    }

    /// <summary>Doubles the point.</summary>
    public void Double()
    {
        // E = 2XY, G = Y^2 - X^2, F = G - 2Z^2, H = -(X^2 + Y^2): the negatives cancel in the products.
        X25519Field.Sqr(_x, _a);
        X25519Field.Sqr(_y, _b);
        X25519Field.Sqr(_z, _c);
        X25519Field.Add(_c, _c, _c);
        X25519Field.Carry(_c);
        X25519Field.Mul(_x, _y, _d);
        X25519Field.Add(_d, _d, _d);
        X25519Field.Sub(_b, _a, _t);
        X25519Field.Add(_a, _b, _b);
        X25519Field.Carry(_t);
        X25519Field.Sub(_t, _c, _a);
        X25519Field.Carry(_a);
        X25519Field.Carry(_b);
        X25519Field.Negate(_b, _b);
        X25519Field.Mul(_d, _a, _x);
        X25519Field.Mul(_t, _b, _y);
        X25519Field.Mul(_a, _t, _z);
        X25519Field.Mul(_d, _b, _t);
    }

    /// <summary>The affine coordinates.</summary>
    public void ToAffine(int[] x, int[] y)
    {
        var inverse = X25519Field.Create();
        X25519Field.Inv(_z, inverse);
        X25519Field.Mul(_x, inverse, x);
        X25519Field.Mul(_y, inverse, y);
        X25519Field.Normalize(x);
        X25519Field.Normalize(y);
    }

    /// <summary>The encoding of RFC 8032, 5.1.2: y, and the lowest bit of x in the highest bit.</summary>
    public void Encode(Span<byte> encoded)
    {
        var (x, y) = (X25519Field.Create(), X25519Field.Create());
        ToAffine(x, y);
        X25519Field.Encode(y, encoded);
        encoded[EncodedSize - 1] |= (byte)((x[0] & 1) << 7);
    }

    /// <summary>Forgets the coordinates: those of an intermediate result tell about the scalar.</summary>
    public void Clear()
    {
        foreach (var element in new[] { _x, _y, _z, _t, _a, _b, _c, _d })
        {
            Array.Clear(element);
        }
    }

    /// <summary>From A, B, C and D of the addition law: E = B - A, F = D - C, G = D + C, H = B + A.</summary>
    private void Finish()
    {
        X25519Field.Sub(_d, _c, _z);
        X25519Field.Add(_d, _c, _d);
        X25519Field.Carry(_z);
        X25519Field.Carry(_d);
        X25519Field.Sub(_b, _a, _t);
        X25519Field.Add(_b, _a, _b);
        X25519Field.Mul(_t, _z, _x);
        X25519Field.Mul(_d, _b, _y);
        X25519Field.Mul(_z, _d, _z);
        X25519Field.Mul(_t, _b, _t);
    }
}
