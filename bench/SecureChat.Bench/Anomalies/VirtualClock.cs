namespace SecureChat.Bench.Anomalies;

/// <summary>A clock that stands where the simulation is, and a source of chance that repeats itself.</summary>
internal sealed class VirtualClock : TimeProvider
{
    private DateTimeOffset _now = new(2026, 3, 2, 6, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => _now;

    public void Advance(TimeSpan time) => _now += time;
}

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed, everywhere.</summary>
internal sealed class Chance(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Between 0 and 1.</summary>
    public double Share() => (Next() >> 11) * (1.0 / (1UL << 53));

    public bool Happens(double probability) => Share() < probability;

    /// <summary>Mean 0, deviation 1 (Box and Muller).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Share())) * Math.Cos(2 * Math.PI * Share());

    public int Below(int limit) => (int)(Share() * limit);

    public double Between(double least, double most) => least + (Share() * (most - least));

    /// <summary>How often something happens that happens <paramref name="mean"/> times on average (Poisson).</summary>
    public int Times(double mean)
    {
        var count = 0;
        for (var left = mean; left > 0; left -= 30)
        {
            var (limit, product) = (Math.Exp(-Math.Min(left, 30)), Share());
            for (; product > limit; product *= Share())
            {
                count++;
            }
        }

        return count;
    }
}
