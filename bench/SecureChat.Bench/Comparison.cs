using SecureChat.Bench.Targets;

namespace SecureChat.Bench;

/// <summary>All scenarios against all servers, which run beside each other and are measured in turns.</summary>
/// <remarks>
/// In turns, because a machine that others share changes its speed by the minute: what is compared was measured within seconds. A
/// server whose turn it is not has its connections, and nothing to do.
/// </remarks>
internal sealed class Comparison(IReadOnlyList<string> targets, int rounds, TimeSpan warmUp, TimeSpan time, int? serverCore)
{
    private const int IdleConnections = 10_000;

    // A server's collector may have run just before its memory is read, or not for a while.
    private const int IdleRuns = 3;
    private const int OpenRate = 2000;
    private const int ManyPairs = 400;
    private const int FewPairs = 100;

    // Enough once the first scenario has warmed the server up.
    private static readonly TimeSpan ShortWarmUp = TimeSpan.FromSeconds(2);

    // After the others' turns: caches are cold, and the first messages come all at once.
    private static readonly TimeSpan Beginning = TimeSpan.FromMilliseconds(500);

    /// <summary>How long connections are left alone before memory is read: garbage collectors get their chance.</summary>
    public static TimeSpan Settle { get; } = TimeSpan.FromSeconds(6);

    /// <summary>Runs everything and returns the report.</summary>
    public string Run(CancellationToken ct)
    {
        var machine = Machine.Describe();
        var results = new List<Measurement>();
        var running = new List<Target>();
        try
        {
            foreach (var name in targets)
            {
                running.Add(AllTargets.Make(name));
                running[^1].Start(serverCore, ManyPairs, ct);
            }

            results.AddRange(InTurns(running, scenarios => scenarios.Relay(ManyPairs, 1), warmUp, ct));
            results.AddRange(InTurns(running, scenarios => scenarios.Relay(FewPairs, 4), ShortWarmUp, ct));
            results.AddRange(InTurns(running, scenarios => scenarios.Open(FewPairs, OpenRate), ShortWarmUp, ct));
        }
        finally
        {
            running.ForEach(target => target.Dispose());
        }

        results.AddRange(from round in Enumerable.Range(0, IdleRuns) from name in targets select Idle(name, ct));
        var versions = running.ToDictionary(target => target.Name, target => (target.Description, target.Version));
        return Report.Render(machine, versions, results, rounds, time, serverCore);
    }

    // A fresh server each time: what it needed once for its first connections is part of the measurement.
    private Measurement Idle(string name, CancellationToken ct)
    {
        using var target = AllTargets.Make(name);
        target.Start(serverCore, IdleConnections / 2, ct);
        var result = new Scenarios(target, ct).Idle(IdleConnections, Settle);
        Terminal.Progress(Report.Line(result));
        return result;
    }

    private List<Measurement> InTurns(List<Target> running, Func<Scenarios, Scenarios.Talk> scenario, TimeSpan warmUp, CancellationToken ct)
    {
        var results = new List<Measurement>();
        var talks = new List<Scenarios.Talk>();
        try
        {
            foreach (var target in running)
            {
                talks.Add(scenario(new Scenarios(target, ct)));
            }

            // In turns, too: who says nothing for long is closed as idle.
            for (var warm = TimeSpan.Zero; warm < warmUp; warm += time)
            {
                talks.ForEach(talk => _ = talk.Measure(TimeSpan.Zero, time));
            }

            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < talks.Count; i++)
                {
                    // The order turns, too.
                    var result = talks[(round + i) % talks.Count].Measure(Beginning, time) with { Round = round };
                    results.Add(result);
                    Terminal.Progress($"round {round + 1}/{rounds}  {Report.Line(result)}");
                }
            }
        }
        finally
        {
            talks.ForEach(talk => talk.Dispose());
        }

        return results;
    }
}
