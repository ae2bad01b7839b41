using System.Globalization;
using System.Text;
using SecureChat.Server.Abuse;

namespace SecureChat.Bench.Anomalies;

/// <summary>The rates of the detectors as one page.</summary>
internal static class SimulationReport
{
    public static string Of(IReadOnlyDictionary<string, Outcome> outcomes, ulong seed, int people)
    {
        var page = new StringBuilder();
        page.AppendLine(CultureInfo.InvariantCulture, $"""
            # Anomaly detectors on simulated traffic

            One day of {people:N0} honest people and, for each detector, one attacker for every hundred of them; seed {seed}.
            `securechat-bench anomalies --people {people} --seed {seed}` repeats it. The server's own detectors run, on memory and a virtual clock.

            Honest: few do much (Zipf, exponent 0.7), a hundredth joins a group of 20 to 250, a two-thousandth one of 1,000; two in five sit behind
            carriers' addresses with some 200 others, three in a hundred sign up in one office this morning and join its group; a line breaks
            down and everybody reconnects; offices meet in rooms on the hour, three times a day; files as conversations, twice as many, and one in five is never fetched. Attackers do the work that is asked for; one in four shares a carrier's address with honest people.

            """);
        AppendAttackers(page, outcomes);
        AppendHonest(page, outcomes);
        return page.ToString();
    }

    private static void AppendAttackers(StringBuilder page, IReadOnlyDictionary<string, Outcome> outcomes)
    {
        page.AppendLine("""
            ## Attackers

            Found: met the detector's first grade within the attack. Median time from the first deed. Full pace is what the rate limits let through.

            | detector | first grade | found, full pace | after | a tenth | after | a fiftieth | after | refused, full pace |
            | --- | --- | --- | --- | --- | --- | --- | --- | --- |
            """);
        foreach (var detector in Detectors.All.Where(one => outcomes[one.Name].Attackers.Count > 0))
        {
            var outcome = outcomes[detector.Name];
            var first = double.IsFinite(detector.Slow) ? Grade.Slow : Grade.Prove;
            var found = string.Join(" | ", Enumerable.Range(0, 3).Select(pace =>
                $"{Percent(outcome.DetectionRate(pace, first))} | {Time(outcome.MedianDelay(pace, first))}"));
            page.AppendLine(
                CultureInfo.InvariantCulture,
                $"| `{detector.Name}` | {first.ToString().ToLowerInvariant()} | {found} | {Refused(detector, outcome)} |");
        }

        var ranges = outcomes[Detectors.UnusedCodesOfRange.Name].Ranges;
        page.AppendLine(CultureInfo.InvariantCulture, $"""

            `unused-codes-range` asked for work on codes to {ranges.Count(one => one.Key < Attacks.PumpedRanges + 500)} of the 30 pumped ranges.

            """);
    }

    private static void AppendHonest(StringBuilder page, IReadOnlyDictionary<string, Outcome> outcomes)
    {
        page.AppendLine("""
            ## Honest people

            Share of all of them who met the grade or a harder one at least once in the day; and the share of their requests that met any.
            *Neighbours* did because an attacker is behind the same address.

            | detector | slow | prove | refuse | neighbours: prove | neighbours: refuse | requests |
            | --- | --- | --- | --- | --- | --- | --- |
            """);
        foreach (var detector in Detectors.All)
        {
            var outcome = outcomes[detector.Name];
            page.AppendLine(
                CultureInfo.InvariantCulture,
                $"| `{detector.Name}` | {Percent(outcome.FalseRate(Grade.Slow))} | {Percent(outcome.FalseRate(Grade.Prove))} | {Percent(outcome.FalseRate(Grade.Refuse))} | " +
                $"{Percent(outcome.NeighbourRate(Grade.Prove))} | {Percent(outcome.NeighbourRate(Grade.Refuse))} | " +
                $"{Percent((double)outcome.Hindered / Math.Max(1, outcome.Requests))} of {outcome.Requests:N0} |");
        }
    }

    private static string Refused(Detector detector, Outcome outcome) =>
        double.IsFinite(detector.Refuse) ? Percent(outcome.DetectionRate(0, Grade.Refuse)) : "never refuses";

    private static string Percent(double share) => share.ToString(share is > 0 and < 0.01 ? "0.00 %" : "0.0 %", CultureInfo.InvariantCulture);

    private static string Time(double? seconds) => seconds switch
    {
        null => "-",
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h"),
    };
}
