using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace SecureChat.Server.Abuse;

/// <summary>What the detectors of one node know, for its operator.</summary>
internal sealed record AnomalyReport(DateTimeOffset At, IReadOnlyList<DetectorState> Detectors)
{
    private const int Shown = 5;

    public static AnomalyReport Of(Suspects suspects, DateTimeOffset now)
    {
        var all = suspects.All().ToLookup(one => one.Actor.Detector);
        return new(now, [.. Abuse.Detectors.All.Select(detector => StateOf(detector, [.. all[detector]]))]);
    }

    public static string NameOf(Grade grade) => grade switch
    {
        Grade.Slow => "slow",
        Grade.Prove => "prove",
        Grade.Refuse => "refuse",
        _ => "none",
    };

    /// <summary>As a table for a terminal.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(Line("detector", "actor", "highest level", "slow from", "prove from", "refuse from", "slow", "prove", "refuse"));
        foreach (var one in Detectors)
        {
            text.AppendLine(Line(
                one.Detector, one.Actor, Number(one.Level), Number(one.SlowFrom), Number(one.ProveFrom), Number(one.RefuseFrom),
                Number(one.Slow), Number(one.Prove), Number(one.Refuse)));
            foreach (var suspect in one.Highest)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"  {suspect.Actor}  {suspect.Grade}  {Number(suspect.Level)}");
            }
        }

        return text.ToString();
    }

    private static DetectorState StateOf(Detector detector, List<(ActorName Actor, double Level)> suspects)
    {
        int Count(Grade grade) => suspects.Count(one => detector.GradeOf(one.Level) == grade);
        return new(
            detector.Name, detector.Actor.ToString().ToLowerInvariant(),
            suspects.Count is 0 ? 0 : Math.Round(suspects.Max(one => one.Level), 1),
            Finite(detector.Slow), Finite(detector.Prove), Finite(detector.Refuse),
            Count(Grade.Slow), Count(Grade.Prove), Count(Grade.Refuse),
            [.. suspects.OrderByDescending(one => one.Level).Take(Shown)
                .Select(one => new SuspectState(one.Actor.ToString()[..8], NameOf(detector.GradeOf(one.Level)), Math.Round(one.Level, 1)))]);
    }

    private static double? Finite(double threshold) => double.IsFinite(threshold) ? threshold : null;

    private static string Number(double? number) => number is { } some ? some.ToString("0.#", CultureInfo.InvariantCulture) : "-";

    private static string Line(params ReadOnlySpan<string> cells)
    {
        var line = new StringBuilder();
        for (var i = 0; i < cells.Length; i++)
        {
            line.Append(i < 2 ? cells[i].PadRight(i is 0 ? 20 : 9) : cells[i].PadLeft(14));
        }

        return line.ToString();
    }
}

/// <summary>One detector: the highest level now, its thresholds, and how many actors are in each grade.</summary>
internal sealed record DetectorState(
    string Detector, string Actor, double Level, double? SlowFrom, double? ProveFrom, double? RefuseFrom,
    int Slow, int Prove, int Refuse, IReadOnlyList<SuspectState> Highest);

/// <summary>One actor: the beginning of its hash, which is another one tomorrow.</summary>
internal sealed record SuspectState(string Actor, string Grade, double Level);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(AnomalyReport))]
internal sealed partial class AnomalyJson : JsonSerializerContext;
