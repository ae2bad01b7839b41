using System.Globalization;
using System.Text;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench.Rooms;

/// <summary>Signals in rooms of eight through this server and through socket.io, in turns.</summary>
internal sealed class RoomsComparison(int rounds, TimeSpan warmUp, TimeSpan time, int? serverCore, CancellationToken ct)
{
    private const int Pairs = 100;
    private const int OpenRate = 2000;
    private static readonly TimeSpan ShortWarmUp = TimeSpan.FromSeconds(2);

    // In one go over one connection per peer; the generator has the same to do for each server.
    private static readonly (string Name, Func<RoomsTarget> Make)[] Servers =
    [
        ("securechat", () => new RoomsTarget(new SecureChatTarget("securechat", bare: true, redis: false), "securechat", "secureChat, `/ws/rooms` on the bare socket port, protobuf")),
        ("securechat-aspnet", () => new RoomsTarget(new SecureChatTarget("securechat-aspnet", bare: false, redis: false), "securechat-aspnet", "the same on the API's port, through ASP.NET")),
        ("socketio", () => new RoomsTarget(new SocketIoTarget("rooms.mjs"), "socketio", "socket.io, `socket.to(room).emit`, text")),
    ];

    public string Run()
    {
        var machine = Machine.Describe();
        var results = new List<Measurement>();
        var about = new Dictionary<string, string>();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < Servers.Length; i++)
            {
                ct.ThrowIfCancellationRequested();
                var (name, make) = Servers[(i + round) % Servers.Length];
                using var target = make();
                about[name] = $"{target.Description} ({target.Version})";
                target.Start(serverCore, Pairs, ct);
                var scenarios = new Scenarios(target, ct);
                Add(scenarios.Relay(Pairs, 1, warmUp, time), "to one");
                target.Renew(Pairs);
                Add(scenarios.Open(Pairs, OpenRate, ShortWarmUp, time), "to one, 2,000/s");
                target.Renew(Pairs);
                target.ToAll = true;
                Add(scenarios.Relay(Pairs, 1, ShortWarmUp, time), "to all");
            }
        }

        return Report(machine, about, results);

        void Add(Measurement result, string scenario)
        {
            results.Add(result with { Scenario = scenario });
            Terminal.Progress(SecureChat.Bench.Report.Line(results[^1]));
        }
    }

    private string Report(IReadOnlyList<string> machine, Dictionary<string, string> about, List<Measurement> results)
    {
        var page = new StringBuilder("# Rooms: secureChat beside socket.io\n\n");
        foreach (var line in machine)
        {
            page.Append(CultureInfo.InvariantCulture, $"- {line}\n");
        }

        foreach (var (name, description) in about)
        {
            page.Append(CultureInfo.InvariantCulture, $"- `{name}`: {description}\n");
        }

        page.Append(CultureInfo.InvariantCulture, $"""

            {Pairs * 2} peers in {Pairs / RoomSeats.PairsPerRoom} full rooms of 8; half of them send signals of 1,024 bytes, the next when the one before was both confirmed to its sender
            and received; *2,000/s* is an open loop, where latency counts from when a signal was due. *To all* costs a server seven frames for each signal. Every signal is checked: received once, in order,
            unchanged. {rounds} rounds in turns of {time.TotalSeconds:0} s each, rate limits off; medians (lowest to highest).

            | signals | server | signals/s | frames to peers/s | p50 ms | p99 ms | CPU µs per signal | generator's core |
            | --- | --- | --- | --- | --- | --- | --- | --- |

            """);
        foreach (var scenario in results.Select(one => one.Scenario).Distinct())
        {
            foreach (var (name, _) in Servers)
            {
                var runs = results.Where(one => one.Scenario == scenario && one.Target == name).ToList();
                var copies = scenario is "to all" ? (RoomSeats.PairsPerRoom * 2) - 1 : 1;
                page.Append(
                    CultureInfo.InvariantCulture,
                    $"| {scenario} | `{name}` | {Spread(runs, one => one.Complete)} | {Median(runs, one => one.Complete) * copies:N0} | {Median(runs, one => one.P50):0.00} | "
                    + $"{Median(runs, one => one.P99):0.00} ({runs.Min(one => one.P99):0.00}-{runs.Max(one => one.P99):0.00}) | {Median(runs, one => one.TotalMicros):0.0} | {Median(runs, one => one.GeneratorLoad):0 %} |\n");
            }
        }

        return page.ToString();
    }

    private static string Spread(List<Measurement> runs, Func<Measurement, double> figure) => string.Create(
        CultureInfo.InvariantCulture, $"{Median(runs, figure):N0} ({runs.Min(figure):N0}-{runs.Max(figure):N0})");

    private static double Median(List<Measurement> runs, Func<Measurement, double> figure)
    {
        var sorted = runs.Select(figure).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
