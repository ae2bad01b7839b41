using System.Collections.Concurrent;

namespace SecureChat.Server.Abuse;

/// <summary>This node's copy of the levels that have consequences. Few actors are in it, and most of the time none.</summary>
internal sealed class Suspects(double scale, TimeProvider time)
{
    private readonly ConcurrentDictionary<ActorName, Mark> _marks = new();
    private volatile bool _any;

    /// <summary>Whether nobody is suspected: then nothing needs to be hashed or looked up.</summary>
    public bool IsEmpty => !_any;

    /// <summary>The level now, in units of the detector's thresholds; 0 for whoever is not suspected.</summary>
    public double LevelOf(in ActorName actor) => _marks.TryGetValue(actor, out var mark) ? Decayed(actor.Detector, mark) : 0;

    /// <summary>Takes over a level that was counted. True if the actor's grade rose.</summary>
    public bool Set(in ActorName actor, double counted)
    {
        var (detector, level) = (actor.Detector, counted / scale);
        var before = detector.GradeOf(LevelOf(actor));
        if (detector.GradeOf(level) is Grade.None)
        {
            _marks.TryRemove(actor, out _);
            return false;
        }

        _marks[actor] = new Mark(level, time.GetUtcNow());
        _any = true;
        return detector.GradeOf(level) > before;
    }

    /// <summary>Forgets whoever is not suspected any more.</summary>
    public void Prune()
    {
        foreach (var (actor, mark) in _marks)
        {
            if (actor.Detector.GradeOf(Decayed(actor.Detector, mark)) is Grade.None)
            {
                _marks.TryRemove(KeyValuePair.Create(actor, mark));
            }
        }

        _any = !_marks.IsEmpty;
    }

    /// <summary>Everybody suspected, with their levels now.</summary>
    public IEnumerable<(ActorName Actor, double Level)> All() =>
        _marks.Select(pair => (pair.Key, Decayed(pair.Key.Detector, pair.Value)))
            .Where(one => one.Key.Detector.GradeOf(one.Item2) is not Grade.None);

    private double Decayed(Detector detector, Mark mark) =>
        mark.Level * double.Exp2(-Math.Max(0, (time.GetUtcNow() - mark.At) / detector.HalfLife));

    private readonly record struct Mark(double Level, DateTimeOffset At);
}
