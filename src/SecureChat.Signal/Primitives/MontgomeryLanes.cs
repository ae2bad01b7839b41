using System.Runtime.CompilerServices;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// The ladder of X25519 with the coordinates of its two points side by side: a step is three products of four lanes. In constant
/// time; needs AVX2.
/// </summary>
internal static class MontgomeryLanes
{
    /// <summary>The multiple of the point with the coordinate x1 by a clamped scalar, as x2 / z2: RFC 7748, 5.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Ladder(ReadOnlySpan<byte> scalar, in FieldElement x1, out FieldElement x2, out FieldElement z2)
    {
        var points = FieldLanes.Pack(FieldElement.One, FieldElement.Zero, x1, FieldElement.One);
        var difference = FieldLanes.Pack(FieldElement.One, FieldElement.One, FieldElement.One, x1);
        var exchanged = 0;
        for (var bit = 254; bit >= 0; bit--)
        {
            var mask = -((scalar[bit >> 3] >> (bit & 7)) & 1);
            points.SumsAndDifferences(mask ^ exchanged, out var sums);
            exchanged = mask;
            sums.Mirror(out var mirrored);
            FieldLanes.Multiply(sums, mirrored, out var products);
            products.OfStep(X25519.A24, out var left, out var right);
            FieldLanes.Multiply(left, right, out points);
            FieldLanes.Multiply(points, difference, out points);
        }

        // The lowest bits of a clamped scalar are zero, so that nothing is left to be exchanged.
        (x2, z2) = (points.Unpack(0), points.Unpack(1));
    }
}
