using Org.BouncyCastle.Math.EC.Rfc7748;

namespace SecureChat.Signal.Usernames;

/// <summary>
/// The little of ristretto255 (RFC 9496) that hashing a username takes: multiples of fixed points, added up and encoded.
/// </summary>
/// <remarks>
/// Runs in variable time. A username is hashed on the device of its owner or of somebody who typed it in, so there is nobody
/// to hide the time from. Points are in extended coordinates (X, Y, Z, T) on the curve -x^2 + y^2 = 1 + d x^2 y^2.
/// </remarks>
internal sealed class RistrettoPoint
{
    private static readonly int[] TwoD = Element(
        "59f1b226949bd6eb56b183829a14e00030d1f3eef2808e19e7fcdf56dcd90624");

    private static readonly int[] SqrtMinusOne = Element(
        "b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b");

    /// <summary>1 / sqrt(a - d), with a = -1.</summary>
    private static readonly int[] InverseSqrtAMinusD = Element(
        "ea405d80aafdc899be72415a17162f9d40d801fe917bc216a2fcafcf05896c78");

    private readonly int[] _x = X25519Field.Create();
    private readonly int[] _y = X25519Field.Create();
    private readonly int[] _z = X25519Field.Create();
    private readonly int[] _t = X25519Field.Create();

    private RistrettoPoint()
    {
    }

    /// <summary>A point from its affine coordinates, 32 bytes each, little-endian, in hexadecimal.</summary>
    public static RistrettoPoint FromAffine(string x, string y)
    {
        var point = new RistrettoPoint();
        Element(x).CopyTo(point._x, 0);
        Element(y).CopyTo(point._y, 0);
        X25519Field.One(point._z);
        X25519Field.Mul(point._x, point._y, point._t);
        return point;
    }

    /// <summary>The sum of the points, each taken as often as its scalar says (little-endian, of any length).</summary>
    public static RistrettoPoint Sum(params ReadOnlySpan<(byte[] Scalar, RistrettoPoint Point)> terms)
    {
        var bits = 0;
        foreach (var (scalar, _) in terms)
        {
            bits = Math.Max(bits, scalar.Length * 8);
        }

        var sum = new RistrettoPoint();
        X25519Field.One(sum._y);
        X25519Field.One(sum._z);
        for (var bit = bits - 1; bit >= 0; bit--)
        {
            sum = sum.Plus(sum);
            foreach (var (scalar, point) in terms)
            {
                if (bit / 8 < scalar.Length && ((scalar[bit / 8] >> (bit % 8)) & 1) == 1)
                {
                    sum = sum.Plus(point);
                }
            }
        }

        return sum;
    }

    /// <summary>The canonical 32-byte encoding (RFC 9496, 4.3.2).</summary>
    public byte[] Encode()
    {
        var u1 = Multiply(Add(_z, _y), Subtract(_z, _y));
        var u2 = Multiply(_x, _y);
        var inverse = X25519Field.Create();
        var one = X25519Field.Create();
        X25519Field.One(one);
        X25519Field.SqrtRatioVar(one, Multiply(u1, Multiply(u2, u2)), inverse);
        var den1 = Multiply(u1, inverse);
        var den2 = Multiply(u2, inverse);
        var zInverse = Multiply(Multiply(den1, den2), _t);

        var rotate = IsNegative(Multiply(_t, zInverse));
        var x = rotate ? Multiply(_y, SqrtMinusOne) : _x;
        var y = rotate ? Multiply(_x, SqrtMinusOne) : _y;
        var denominator = rotate ? Multiply(den1, InverseSqrtAMinusD) : den2;
        if (IsNegative(Multiply(x, zInverse)))
        {
            y = Subtract(X25519Field.Create(), y);
        }

        var s = Multiply(denominator, Subtract(_z, y));
        return Bytes(IsNegative(s) ? Subtract(X25519Field.Create(), s) : s);
    }

    /// <summary>The complete addition law, which also doubles.</summary>
    private RistrettoPoint Plus(RistrettoPoint other)
    {
        var a = Multiply(Subtract(_y, _x), Subtract(other._y, other._x));
        var b = Multiply(Add(_y, _x), Add(other._y, other._x));
        var c = Multiply(Multiply(_t, TwoD), other._t);
        var zz = Multiply(_z, other._z);
        var d = Add(zz, zz);
        var (e, f, g, h) = (Subtract(b, a), Subtract(d, c), Add(d, c), Add(b, a));
        var sum = new RistrettoPoint();
        X25519Field.Mul(e, f, sum._x);
        X25519Field.Mul(g, h, sum._y);
        X25519Field.Mul(f, g, sum._z);
        X25519Field.Mul(e, h, sum._t);
        return sum;
    }

    private static int[] Add(int[] a, int[] b)
    {
        var sum = X25519Field.Create();
        X25519Field.Add(a, b, sum);
        X25519Field.Carry(sum);
        return sum;
    }

    private static int[] Subtract(int[] a, int[] b)
    {
        var difference = X25519Field.Create();
        X25519Field.Sub(a, b, difference);
        X25519Field.Carry(difference);
        return difference;
    }

    private static int[] Multiply(int[] a, int[] b)
    {
        var product = X25519Field.Create();
        X25519Field.Mul(a, b, product);
        return product;
    }

    private static bool IsNegative(int[] element) => (Bytes(element)[0] & 1) == 1;

    private static byte[] Bytes(int[] element)
    {
        var normal = X25519Field.Create();
        element.CopyTo(normal, 0);
        X25519Field.Normalize(normal);
        var bytes = new byte[32];
        X25519Field.Encode(normal, bytes);
        return bytes;
    }

    private static int[] Element(string hex)
    {
        var element = X25519Field.Create();
        X25519Field.Decode255(Convert.FromHexString(hex), element);
        return element;
    }
}
