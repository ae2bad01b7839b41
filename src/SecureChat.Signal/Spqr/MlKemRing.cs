using System.Diagnostics;

namespace SecureChat.Signal.Spqr;

/// <summary>
/// Arithmetic of FIPS 203: polynomials of 256 coefficients modulo q = 3329, and their number-theoretic transform.
/// </summary>
/// <remarks>
/// Coefficients are kept in 0..q-1. Nothing here branches, indexes or divides by a value that may be secret: reduction is
/// Barrett's, corrections are masks.
/// </remarks>
internal static class MlKemRing
{
    /// <summary>Coefficients in a polynomial.</summary>
    public const int N = 256;

    /// <summary>The modulus.</summary>
    public const int Q = 3329;

    private const int Root = 17;
    private const int InverseOf128 = 3303;

    /// <summary>floor(2^24 / q).</summary>
    private const long BarrettFactor = 5039;

    /// <summary>Powers of the root of unity in the order in which the transform meets them (FIPS 203, appendix A).</summary>
    private static readonly int[] Zetas = MakeZetas(i => BitReverse7(i));

    /// <summary>The moduli X^2 - gamma of the base-case products (FIPS 203, appendix A).</summary>
    private static readonly int[] Gammas = MakeZetas(i => (2 * BitReverse7(i)) + 1);

    /// <summary>a + b mod q.</summary>
    public static int Add(int a, int b) => CorrectNegative(a + b - Q);

    /// <summary>a - b mod q.</summary>
    public static int Subtract(int a, int b) => CorrectNegative(a - b);

    /// <summary>a * b mod q.</summary>
    public static int Multiply(int a, int b) => Reduce(a * b);

    /// <summary>A value in 0..(q-1)^2 modulo q.</summary>
    public static int Reduce(int value)
    {
        // The estimate is the quotient or one less, for every value below 2^24.
        var quotient = unchecked((int)((value * BarrettFactor) >> 24));
        return CorrectNegative(value - (quotient * Q) - Q);
    }

    /// <summary>Adds q to a value in -q..-1; leaves one in 0..q-1 as it is.</summary>
    public static int CorrectNegative(int value) => value + ((value >> 31) & Q);

    /// <summary>Adds one polynomial to another.</summary>
    public static void AddTo(Span<int> sum, ReadOnlySpan<int> term)
    {
        for (var i = 0; i < N; i++)
        {
            sum[i] = Add(sum[i], term[i]);
        }
    }

    /// <summary>FIPS 203, algorithm 9, in place.</summary>
    public static void Ntt(Span<int> f)
    {
        Debug.Assert(f.Length == N);
        var zeta = 1;
        for (var length = 128; length >= 2; length >>= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var factor = Zetas[zeta++];
                for (var j = start; j < start + length; j++)
                {
                    var t = Multiply(factor, f[j + length]);
                    f[j + length] = Subtract(f[j], t);
                    f[j] = Add(f[j], t);
                }
            }
        }
    }

    /// <summary>FIPS 203, algorithm 10, in place.</summary>
    public static void InverseNtt(Span<int> f)
    {
        Debug.Assert(f.Length == N);
        var zeta = 127;
        for (var length = 2; length <= 128; length <<= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var factor = Zetas[zeta--];
                for (var j = start; j < start + length; j++)
                {
                    var t = f[j];
                    f[j] = Add(t, f[j + length]);
                    f[j + length] = Multiply(factor, Subtract(f[j + length], t));
                }
            }
        }

        for (var i = 0; i < N; i++)
        {
            f[i] = Multiply(f[i], InverseOf128);
        }
    }

    /// <summary>Adds the product of two transformed polynomials to a third (FIPS 203, algorithms 11 and 12).</summary>
    public static void AddProduct(Span<int> sum, ReadOnlySpan<int> f, ReadOnlySpan<int> g)
    {
        for (var i = 0; i < N; i += 2)
        {
            var high = Multiply(Multiply(f[i + 1], g[i + 1]), Gammas[i / 2]);
            var low = Add(Multiply(f[i], g[i]), high);
            sum[i] = Add(sum[i], low);
            sum[i + 1] = Add(sum[i + 1], Add(Multiply(f[i], g[i + 1]), Multiply(f[i + 1], g[i])));
        }
    }

    /// <summary>Compress_d of FIPS 203, 4.2.1: round(2^d / q * value) mod 2^d.</summary>
    public static int Compress(int value, int bits)
    {
        // floor((2^d * value + (q-1)/2) / q) through the reciprocal ceil(2^40 / q): exact for every numerator below 2^22.
        const long reciprocal = ((1L << 40) / Q) + 1;
        var numerator = ((long)value << bits) + ((Q - 1) / 2);
        return (int)((numerator * reciprocal) >> 40) & ((1 << bits) - 1);
    }

    private static int[] MakeZetas(Func<int, int> exponentOf)
    {
        var zetas = new int[128];
        for (var i = 0; i < zetas.Length; i++)
        {
            var power = 1;
            for (var exponent = exponentOf(i); exponent > 0; exponent--)
            {
                power = Multiply(power, Root);
            }

            zetas[i] = power;
        }

        return zetas;
    }

    private static int BitReverse7(int value)
    {
        var reversed = 0;
        for (var bit = 0; bit < 7; bit++)
        {
            reversed |= ((value >> bit) & 1) << (6 - bit);
        }

        return reversed;
    }
}
