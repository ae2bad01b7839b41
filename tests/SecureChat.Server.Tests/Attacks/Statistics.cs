namespace SecureChat.Server.Tests.Attacks;

/// <summary>Whether two samples come from one distribution. Both tests are two-sided; small p: they do not.</summary>
internal static class Statistics
{
    /// <summary>Welch's t-test of the means. With thousands of samples t is normal.</summary>
    public static (double T, double P) Welch(IReadOnlyList<double> one, IReadOnlyList<double> other)
    {
        var ((mean1, variance1), (mean2, variance2)) = (Moments(one), Moments(other));
        var t = (mean1 - mean2) / Math.Sqrt((variance1 / one.Count) + (variance2 / other.Count));
        return (t, 2 * UpperTail(Math.Abs(t)));
    }

    /// <summary>Kolmogorov and Smirnov's test of the whole distributions, with the asymptotic p.</summary>
    public static (double D, double P) KolmogorovSmirnov(IReadOnlyList<double> one, IReadOnlyList<double> other)
    {
        double[] a = [.. one.Order()], b = [.. other.Order()];
        var (i, j, d) = (0, 0, 0.0);
        while (i < a.Length && j < b.Length)
        {
            var value = Math.Min(a[i], b[j]);
            while (i < a.Length && a[i] <= value)
            {
                i++;
            }

            while (j < b.Length && b[j] <= value)
            {
                j++;
            }

            d = Math.Max(d, Math.Abs(((double)i / a.Length) - ((double)j / b.Length)));
        }

        var n = (double)a.Length * b.Length / (a.Length + b.Length);
        var lambda = (Math.Sqrt(n) + 0.12 + (0.11 / Math.Sqrt(n))) * d;
        var p = 0.0;
        for (var k = 1; k <= 100; k++)
        {
            p += 2 * (k % 2 == 1 ? 1 : -1) * Math.Exp(-2.0 * k * k * lambda * lambda);
        }

        return (d, lambda < 0.2 ? 1 : Math.Clamp(p, 0, 1));
    }

    private static (double Mean, double Variance) Moments(IReadOnlyList<double> sample)
    {
        var mean = sample.Average();
        return (mean, sample.Sum(value => (value - mean) * (value - mean)) / (sample.Count - 1));
    }

    // Of the normal distribution; Abramowitz and Stegun 26.2.17, to 7.5e-8.
    private static double UpperTail(double z)
    {
        var k = 1 / (1 + (0.2316419 * z));
        var density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        return density * k * (0.319381530 + (k * (-0.356563782 + (k * (1.781477937 + (k * (-1.821255978 + (k * 1.330274429))))))));
    }
}
