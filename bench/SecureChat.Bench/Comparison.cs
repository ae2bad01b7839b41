using SecureChat.Bench.Targets;

namespace SecureChat.Bench;

/// <summary>All scenarios against all servers: one server runs at a time, and the order turns from round to round.</summary>
internal sealed class Comparison(IReadOnlyList<string> targets, int rounds, TimeSpan warmUp, TimeSpan time, int? serverCore)
{
    private const int IdleConnections = 10_000;
    private const int OpenRate = 2000;
    private const int ManyPairs = 400;
    private const int FewPairs = 100;

    // Enough once the first scenario has warmed the server up.
    private static readonly TimeSpan ShortWarmUp = TimeSpan.FromSeconds(2);

    /// <summary>How long connections are left alone before memory is read: garbage collectors get their chance.</summary>
    public static TimeSpan Settle { get; } = TimeSpan.FromSeconds(6);

    /// <summary>Runs everything and returns the report.</summary>
    public string Run(CancellationToken ct)
    {
        var machine = Machine.Describe();
        var results = new List<Measurement>();
        var versions = new Dictionary<string, (string Description, string Version)>();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var name in Order(round))
            {
                ct.ThrowIfCancellationRequested();
                using var target = AllTargets.Make(name);
                versions[name] = (target.Description, target.Version);
                target.Start(serverCore, ManyPairs, ct);
                var scenarios = new Scenarios(target, ct);
                Add(scenarios.Relay(ManyPairs, 1, warmUp, time), round);
                Add(scenarios.Relay(FewPairs, 4, ShortWarmUp, time), round);
                Add(scenarios.Open(FewPairs, OpenRate, ShortWarmUp, time), round);
            }
        }

        foreach (var name in targets)
        {
            using var target = AllTargets.Make(name);
            target.Start(serverCore, IdleConnections / 2, ct);
            Add(new Scenarios(target, ct).Idle(IdleConnections, Settle), 0);
        }

        return Report.Render(machine, versions, results, rounds, time, serverCore);

        void Add(Measurement result, int round)
        {
            results.Add(result);
            Terminal.Progress($"round {round + 1}/{rounds}  {Report.Line(result)}");
        }
    }

    // Whatever else the machine does at some moment of a round does not always meet the same server.
    private IEnumerable<string> Order(int round) =>
        targets.Skip(round % targets.Count).Concat(targets.Take(round % targets.Count));
}
