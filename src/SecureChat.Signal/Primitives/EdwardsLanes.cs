using System.Runtime.CompilerServices;

namespace SecureChat.Signal.Primitives;

/// <summary>
/// Sums of multiples of points, with the four coordinates of a point side by side: the four squares of a doubling are one
/// operation, and so are the four products of everything else. In variable time: for what is public. Needs AVX2.
/// </summary>
internal static class EdwardsLanes
{
    /// <summary>As many odd multiples as the digits of the other point need.</summary>
    private const int PointEntries = 8;

    private static readonly FieldLanes[] OddMultiplesOfBase = MakeTable();

    /// <summary>1, 1, 2 and 2d.</summary>
    private static readonly FieldLanes Preparing = MakePreparing();

    /// <summary>The sum of the base point's digits and the difference of the other's, from the given one down.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static EdwardsPoint Combine(
        ReadOnlySpan<sbyte> baseDigits, ReadOnlySpan<sbyte> pointDigits, int top, in EdwardsPoint point)
    {
        OddMultiples(point, out var multiples);
        var sum = Pack(EdwardsPoint.Neutral);
        for (var i = top; i >= 0; i--)
        {
            Double(ref sum);
            if (baseDigits[i] != 0)
            {
                AddOrSubtract(ref sum, OddMultiplesOfBase[Math.Abs(baseDigits[i]) / 2], baseDigits[i] < 0);
            }

            if (pointDigits[i] != 0)
            {
                AddOrSubtract(ref sum, multiples[Math.Abs(pointDigits[i]) / 2], pointDigits[i] > 0);
            }
        }

        return new EdwardsPoint(sum.Unpack(0), sum.Unpack(1), sum.Unpack(2));
    }

    /// <summary>P, 3P, 5P, and so on.</summary>
    private static void OddMultiples(in EdwardsPoint point, out PointTable multiples)
    {
        multiples = default;
        var multiple = Pack(point);
        var twice = multiple;
        Double(ref twice);
        Prepare(twice, out twice);
        Prepare(multiple, out multiples[0]);
        for (var i = 1; i < PointEntries; i++)
        {
            Add(ref multiple, twice);
            Prepare(multiple, out multiples[i]);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Double(ref FieldLanes point)
    {
        point.ToBeSquared(out var lanes);
        FieldLanes.Square(lanes, out lanes);
        lanes.OfSquares(out var sums);
        sums.Cross(out point);
    }

    private static void AddOrSubtract(ref FieldLanes point, in FieldLanes prepared, bool subtract)
    {
        if (subtract)
        {
            prepared.Negate(out var negative);
            Add(ref point, negative);
        }
        else
        {
            Add(ref point, prepared);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(ref FieldLanes point, in FieldLanes prepared)
    {
        point.ToBeAdded(out var lanes);
        FieldLanes.Multiply(lanes, prepared, out lanes);
        lanes.OfProducts(out var sums);
        sums.Cross(out point);
    }

    private static FieldLanes Pack(in EdwardsPoint point)
    {
        point.Coordinates(out var x, out var y, out var z, out var t);
        return FieldLanes.Pack(x, y, z, t);
    }

    /// <summary>What makes a point quick to add: Y - X, Y + X, 2Z and 2dT.</summary>
    private static void Prepare(in FieldLanes point, out FieldLanes prepared)
    {
        point.ToBeAdded(out var lanes);
        FieldLanes.Multiply(lanes, Preparing, out prepared);
    }

    private static FieldLanes Prepare(PreparedPoint point)
    {
        FieldElement.Add(FieldElement.One, FieldElement.One, out var two);
        return FieldLanes.Pack(point.YMinusX, point.YPlusX, two, point.Xy2d);
    }

    private static FieldLanes[] MakeTable()
    {
        var points = EdwardsVerification.BaseMultiples();
        var table = new FieldLanes[points.Length];
        for (var i = 0; i < table.Length; i++)
        {
            table[i] = Prepare(points[i]);
        }

        return table;
    }

    private static FieldLanes MakePreparing()
    {
        FieldElement.Add(FieldElement.One, FieldElement.One, out var two);
        FieldElement.Add(EdwardsPoint.D, EdwardsPoint.D, out var twoD);
        return FieldLanes.Pack(FieldElement.One, FieldElement.One, two, twoD);
    }

    /// <summary>A table that lives on the stack: a verification allocates nothing for it.</summary>
    [InlineArray(PointEntries)]
    private struct PointTable
    {
        private FieldLanes _first;
    }
}
