using System.Numerics;

namespace SecureChat.Bench.Load;

/// <summary>Durations in microseconds, counted in buckets at most 1/64 wide of their value.</summary>
internal sealed class Histogram
{
    private const int SubBits = 6;
    private readonly long[] _counts = new long[64 << SubBits];
    private long _total;

    public void Add(long ticks)
    {
        var micros = (ulong)Math.Max(0, Clock.Seconds(ticks) * 1e6);
        _counts[BucketOf(micros)]++;
        _total++;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        _total = 0;
    }

    /// <summary>The duration in milliseconds that the given share (0..1) of all stays below.</summary>
    public double Percentile(double share)
    {
        var wanted = (long)Math.Ceiling(_total * share);
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted && seen > 0)
            {
                return UpperEdge(i) / 1000.0;
            }
        }

        return double.NaN;
    }

    private static int BucketOf(ulong micros)
    {
        var shift = Math.Max(0, BitOperations.Log2(micros | 1) - SubBits);
        return (shift << SubBits) + (int)(micros >> shift);
    }

    private static double UpperEdge(int bucket)
    {
        if (bucket < 2 << SubBits)
        {
            return bucket + 1;
        }

        var shift = (bucket >> SubBits) - 1;
        return (double)((ulong)(bucket - (shift << SubBits)) + 1) * (1UL << shift);
    }
}
