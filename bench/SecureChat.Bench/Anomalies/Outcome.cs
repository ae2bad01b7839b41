using SecureChat.Server.Abuse;

namespace SecureChat.Bench.Anomalies;

/// <summary>What one detector did to whom.</summary>
internal sealed class Outcome
{
    private readonly Dictionary<Grade, HashSet<int>> _alone = Empty();
    private readonly Dictionary<Grade, HashSet<int>> _besideAttackers = Empty();
    private readonly Dictionary<int, double> _ranges = [];

    public int People { get; set; }

    public Dictionary<Somebody, Hunt> Attackers { get; } = [];

    /// <summary>Honest requests that passed the detector.</summary>
    public long Requests { get; private set; }

    /// <summary>Of these, how many were slowed down, asked for work, or refused.</summary>
    public long Hindered { get; private set; }

    public IReadOnlyDictionary<int, double> Ranges => _ranges;

    /// <summary>Share of honest people who met the grade or a harder one once in the day, with no attacker behind their address.</summary>
    public double FalseRate(Grade grade) => (double)Worst(_alone, grade).Count / People;

    /// <summary>Share of honest people who met it because they share an address with an attacker.</summary>
    public double NeighbourRate(Grade grade) => (double)Worst(_besideAttackers, grade).Count / People;

    /// <summary>Share of attackers of a pace who met the grade.</summary>
    public double DetectionRate(int pace, Grade grade) =>
        Of(pace).Count(hunt => hunt.After(grade) is not null) / (double)Math.Max(1, Of(pace).Count);

    /// <summary>Median seconds from an attacker's first deed until it met the grade, of those who did; null: none did.</summary>
    public double? MedianDelay(int pace, Grade grade)
    {
        var delays = Of(pace).Select(hunt => hunt.After(grade)).OfType<double>().Order().ToList();
        return delays.Count is 0 ? null : delays[delays.Count / 2];
    }

    public void Note(Somebody who, Grade grade, bool besideAttacker)
    {
        Requests++;
        if (grade is not Grade.None)
        {
            Hindered++;
            (besideAttacker ? _besideAttackers : _alone)[grade].Add(who.Id);
        }
    }

    public void RangeFound(int range, double at) => _ranges.TryAdd(range, at);

    private List<Hunt> Of(int pace) => [.. Attackers.Where(one => one.Key.Pace == pace && one.Value.HasBegun).Select(one => one.Value)];

    private static HashSet<int> Worst(Dictionary<Grade, HashSet<int>> met, Grade grade) =>
        [.. met.Where(pair => pair.Key >= grade).SelectMany(pair => pair.Value)];

    private static Dictionary<Grade, HashSet<int>> Empty() => Enum.GetValues<Grade>().ToDictionary(grade => grade, _ => new HashSet<int>());
}

/// <summary>How far one attacker came.</summary>
internal sealed class Hunt
{
    private readonly Dictionary<Grade, double> _met = [];
    private double? _began;

    public bool HasBegun => _began is not null;

    /// <summary>Seconds until a grade or a harder one was met; null: never.</summary>
    public double? After(Grade grade) => _met.Where(pair => pair.Key >= grade).Select(pair => (double?)(pair.Value - _began!.Value)).Min();

    public void Note(double at, Grade grade)
    {
        _began ??= at;
        _met.TryAdd(grade, at);
    }
}
