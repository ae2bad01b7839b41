using System.Text;

namespace SecureChat.Server.Abuse;

/// <summary>Something that honest clients do little of, counted per actor with a decaying counter, and what follows when it is much.</summary>
/// <remarks>A class, compared by reference: each detector exists once, in <see cref="Detectors"/>.</remarks>
internal sealed class Detector(string name, LimitScope actor, TimeSpan halfLife)
{
    /// <summary>In metrics, keys of the hot store, and the operator's list.</summary>
    public string Name { get; } = name;

    /// <summary>Who is counted, and on whom the answer falls: whoever acts, never whom it is done to.</summary>
    public LimitScope Actor { get; } = actor;

    /// <summary>The time in which a level falls to half of itself.</summary>
    public TimeSpan HalfLife { get; } = halfLife;

    /// <summary>Level from which an actor's requests cost <see cref="Doorkeeper.SlowCost"/> times as much of their rate limit.</summary>
    public double Slow { get; init; } = double.PositiveInfinity;

    /// <summary>Level from which each request takes a proof of work.</summary>
    public double Prove { get; init; } = double.PositiveInfinity;

    /// <summary>Level from which requests are refused until it has decayed.</summary>
    public double Refuse { get; init; } = double.PositiveInfinity;

    /// <summary>
    /// Only for callers without credentials, on doors that are open to both: a caller with a token is judged by its account, whatever
    /// others do behind the same address.
    /// </summary>
    public bool StrangersOnly { get; init; }

    internal byte[] NameBytes { get; } = Encoding.ASCII.GetBytes(name + '\0');

    public Grade GradeOf(double level) =>
        level >= Refuse ? Grade.Refuse : level >= Prove ? Grade.Prove : level >= Slow ? Grade.Slow : Grade.None;

    /// <summary>How long a level takes to decay below the threshold of its grade; a second at least.</summary>
    public TimeSpan LastingOf(double level)
    {
        var threshold = GradeOf(level) switch
        {
            Grade.Refuse => Refuse,
            Grade.Prove => Prove,
            Grade.Slow => Slow,
            _ => level,
        };
        return TimeSpan.FromSeconds(Math.Max(1, HalfLife.TotalSeconds * Math.Log2(Math.Max(1, level / threshold))));
    }
}

/// <summary>What follows from a level. Each is milder than the next, and all of them end by themselves.</summary>
internal enum Grade
{
    /// <summary>As for everybody.</summary>
    None,

    /// <summary>The rate limit counts several times.</summary>
    Slow,

    /// <summary>Every request takes a proof of work.</summary>
    Prove,

    /// <summary>Refused until the level has decayed.</summary>
    Refuse,
}
