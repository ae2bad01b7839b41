using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace SecureChat.Bench.Timing;

/// <summary>
/// Looks for secrets that show in the time an operation takes: dudect (Reparaz, Balasch and Verbauwhede, 2017).
/// </summary>
/// <remarks>
/// Two classes of secrets in random order, each sample one call. The inputs of a batch are drawn before it is timed, and
/// each is copied to the same place, so that the classes differ in nothing but their bits. What is slow is slow because of
/// interruptions, so that the classes are compared below several percentiles of their first samples too.
/// </remarks>
internal static class TimingRun
{
    private const int Batch = 1000;
    private const int WarmUpBatches = 3;
    private static readonly double[] Percentiles = [0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

    /// <summary>One line for each case: name, classes, samples, t of all samples, the t that is furthest from zero.</summary>
    public static IEnumerable<string> Run(TimeSpan perCase)
    {
        foreach (var timed in TimingCase.All())
        {
            var (samples, whole, furthest) = Run(timed, perCase);
            yield return string.Create(
                CultureInfo.InvariantCulture, $"{timed.Name}|{timed.Classes}|{samples}|{whole:F1}|{furthest:F1}");
        }
    }

    private static (int Samples, double Whole, double Furthest) Run(TimingCase timed, TimeSpan limit)
    {
        var inputs = new byte[Batch][];
        for (var i = 0; i < Batch; i++)
        {
            inputs[i] = new byte[timed.InputSize];
        }

        var classes = new byte[Batch];
        var times = new long[Batch];
        double[] limits = [];
        var (whole, cropped) = (new WelchTest(), Percentiles.Select(_ => new WelchTest()).ToArray());
        var samples = 0;
        var start = Stopwatch.GetTimestamp();
        for (var batch = 0; Stopwatch.GetElapsedTime(start) < limit; batch++)
        {
            Measure(timed, inputs, classes, times);
            if (batch < WarmUpBatches)
            {
                var sorted = times.Order().ToArray();
                limits = [.. Percentiles.Select(part => (double)sorted[(int)(part * Batch)])];
                continue;
            }

            samples += Batch;
            for (var i = 0; i < Batch; i++)
            {
                whole.Add(classes[i], times[i]);
                for (var p = 0; p < limits.Length; p++)
                {
                    if (times[i] <= limits[p])
                    {
                        cropped[p].Add(classes[i], times[i]);
                    }
                }
            }
        }

        return (samples, whole.T, cropped.Append(whole).MaxBy(test => Math.Abs(test.T))!.T);
    }

    private static void Measure(TimingCase timed, byte[][] inputs, byte[] classes, long[] times)
    {
        RandomNumberGenerator.Fill(classes);
        for (var i = 0; i < Batch; i++)
        {
            classes[i] &= 1;
            timed.Draw(classes[i], inputs[i]);
        }

        var input = new byte[timed.InputSize];
        GC.Collect();
        for (var i = 0; i < Batch; i++)
        {
            inputs[i].CopyTo(input, 0);
            var start = Stopwatch.GetTimestamp();
            timed.Run(input);
            times[i] = Stopwatch.GetTimestamp() - start;
        }
    }
}
