namespace SecureChat.Bench.Disclosure;

/// <summary>
/// Statistical disclosure by a server that keeps times (Martiny et al., NDSS 2021): whoever gets something again and again shortly
/// after the target did is taken for the target's correspondent.
/// </summary>
internal static class Attack
{
    /// <summary>Seconds after a message to the target that are looked at; the server may try each.</summary>
    public static IReadOnlyList<double> Windows { get; } = [1, 10, 30, 120];

    /// <summary>Share of people whose most frequent sender is named first, from their first so many messages.</summary>
    public static double TopOne(SealedTraffic traffic, int messages, double window)
    {
        var people = traffic.Sent.GetLength(0);
        var rates = new double[people];
        foreach (var (_, to) in traffic.Seen)
        {
            rates[to] += 1 / (traffic.Days * SealedTraffic.Day);
        }

        return Enumerable.Range(0, people).Count(target => Guess(traffic, rates, target, messages, window) == MostFrequent(traffic, target))
            / (double)people;
    }

    private static int Guess(SealedTraffic traffic, double[] rates, int target, int messages, double window)
    {
        var (hits, looked) = (new int[rates.Length], 0);
        for (var i = 0; i < traffic.Seen.Count && looked < messages; i++)
        {
            if (traffic.Seen[i].To != target)
            {
                continue;
            }

            looked++;
            for (var next = i + 1; next < traffic.Seen.Count && traffic.Seen[next].At <= traffic.Seen[i].At + window; next++)
            {
                hits[traffic.Seen[next].To]++;
            }
        }

        return Enumerable.Range(0, rates.Length).Where(other => other != target)
            .MaxBy(other => (hits[other] - (looked * window * rates[other])) / Math.Sqrt((looked * window * rates[other]) + 1));
    }

    private static int MostFrequent(SealedTraffic traffic, int target) =>
        Enumerable.Range(0, traffic.Sent.GetLength(0)).MaxBy(other => traffic.Sent[other, target]);
}
