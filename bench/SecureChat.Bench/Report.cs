using System.Globalization;
using System.Text;

namespace SecureChat.Bench;

/// <summary>Measurements as text: a line each, or all of them as one Markdown page with medians and ratios.</summary>
internal static class Report
{
    /// <summary>One measurement on one line.</summary>
    public static string Line(Measurement m) => m.Connections > 0
        ? Text($"{m.Target,-20} {m.Scenario,-12} {m.BytesPerConnection / 1024:F1} KiB/connection over {m.BaseBytes / 1048576.0:F0} MiB, {m.BytesPerFurtherConnection / 1024:F1} KiB beyond the first tenth, {m.ConnectMicros:F0} us CPU to connect")
        : Text($"{m.Target,-20} {m.Scenario,-12} accepted/s {m.Accepted,7:F0}  complete/s {m.Complete,7:F0}  p50 {m.P50,6:F2} ms  p99 {m.P99,7:F2} ms  server {m.ServerMicros,6:F1} us (kernel {m.KernelMicros:F1})  stores {m.StoreMicros,5:F1} us  load {m.ServerLoad:P0}  generator {m.GeneratorLoad:P0}{(m.Leftovers > 0 ? Text($"  delivered again {m.Leftovers}") : "")}");

    public static string Render(
        IReadOnlyList<string> machine,
        IReadOnlyDictionary<string, (string Description, string Version)> targets,
        IReadOnlyList<Measurement> results,
        int rounds,
        TimeSpan time,
        int? serverCore)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"# Relay benchmark, {TimeProvider.System.GetUtcNow():yyyy-MM-dd}\n\n");
        foreach (var line in machine)
        {
            page.Append(CultureInfo.InvariantCulture, $"- {line}\n");
        }

        var pinned = serverCore is { } core ? Text($"server and stores pinned to core {core}, generator to another") : "nothing pinned";
        page.Append(CultureInfo.InvariantCulture, $"- {rounds} rounds; in each every server is measured for {time.TotalSeconds:F0} s, one after the other, order turning; {pinned}; medians over the rounds, in brackets lowest and highest; ratios are those within a round\n");
        foreach (var (name, (description, version)) in targets)
        {
            page.Append(CultureInfo.InvariantCulture, $"- `{name}`: {description}; {version}\n");
        }

        foreach (var scenario in results.Where(m => m.Connections == 0).GroupBy(m => m.Scenario))
        {
            Loads(page, scenario.Key, [.. scenario]);
        }

        Idle(page, [.. results.Where(m => m.Connections > 0)]);
        return page.ToString();
    }

    private static void Loads(StringBuilder page, string scenario, List<Measurement> results)
    {
        page.Append(CultureInfo.InvariantCulture, $"\n## {scenario}\n\n");
        page.Append("| server | accepted/s | delivered+acked/s | p50 ms | p99 ms | server CPU us/msg | of it the kernel | stores CPU us/msg | core used | generator |\n");
        page.Append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        var byTarget = results.GroupBy(m => m.Target).ToDictionary(group => group.Key, group => group.ToList());
        foreach (var (name, runs) in byTarget)
        {
            page.Append(CultureInfo.InvariantCulture, $"| {name} | {Median(runs, m => m.Accepted):F0} | {Spread(runs, m => m.Complete, "F0")} ");
            page.Append(CultureInfo.InvariantCulture, $"| {Spread(runs, m => m.P50, "F2")} | {Spread(runs, m => m.P99, "F2")} ");
            page.Append(CultureInfo.InvariantCulture, $"| {Spread(runs, m => m.ServerMicros, "F1")} | {Median(runs, m => m.KernelMicros):F1} | {Median(runs, m => m.StoreMicros):F1} ");
            page.Append(CultureInfo.InvariantCulture, $"| {Median(runs, m => m.ServerLoad):P0} | {Median(runs, m => m.GeneratorLoad):P0} |\n");
        }

        foreach (var again in results.GroupBy(m => m.Target).Where(group => group.Any(m => m.Leftovers > 0)))
        {
            page.Append(CultureInfo.InvariantCulture, $"\n`{again.Key}` delivered {again.Sum(m => m.Leftovers)} messages of an earlier run once more: their connection was closed right after the acknowledgement.\n");
        }

        Ratios(page, byTarget);
    }

    private static void Ratios(StringBuilder page, Dictionary<string, List<Measurement>> byTarget)
    {
        foreach (var peer in Peers.Where(byTarget.ContainsKey))
        {
            foreach (var (name, runs) in byTarget.Where(pair => !Peers.Contains(pair.Key)))
            {
                var pairs = runs.Join(byTarget[peer], run => run.Round, run => run.Round, (ours, theirs) => (Ours: ours, Theirs: theirs)).ToList();
                var rate = Spread(pairs, pair => pair.Ours.Complete / pair.Theirs.Complete, "F2");
                var cpu = Spread(pairs, pair => pair.Ours.TotalMicros / pair.Theirs.TotalMicros, "F2");
                page.Append(CultureInfo.InvariantCulture, $"\n`{name}` against `{peer}`: {rate} times the messages/s, {cpu} times the CPU per message, stores included.\n");
            }
        }
    }

    private static void Idle(StringBuilder page, List<Measurement> results)
    {
        if (results.Count == 0)
        {
            return;
        }

        page.Append(CultureInfo.InvariantCulture, $"\n## Idle connections\n\n{results.Count / results.Select(m => m.Target).Distinct().Count()} fresh servers each, medians (lowest-highest). Each connection had sent or received one message of 200 bytes. Base: resident memory before the first connection. The first connections also make the server load and compile code, once: the third column leaves out the first tenth of them.\n\n");
        page.Append("| server | connections | KiB per connection beyond the first tenth | KiB per connection over base | base MiB | CPU us to connect |\n| --- | --- | --- | --- | --- | --- |\n");
        foreach (var runs in results.GroupBy(m => m.Target).Select(group => group.ToList()))
        {
            page.Append(CultureInfo.InvariantCulture, $"| {runs[0].Target} | {runs[0].Connections} | {Spread(runs, m => m.BytesPerFurtherConnection / 1024, "F1")} ");
            page.Append(CultureInfo.InvariantCulture, $"| {Spread(runs, m => m.BytesPerConnection / 1024, "F1")} | {Median(runs, m => m.BaseBytes / 1048576.0):F0} | {Median(runs, m => m.ConnectMicros):F0} |\n");
        }
    }

    private static string Spread<T>(List<T> runs, Func<T, double> figure, string format)
    {
        var lowest = runs.Min(figure).ToString(format, CultureInfo.InvariantCulture);
        var highest = runs.Max(figure).ToString(format, CultureInfo.InvariantCulture);
        return $"{Median(runs, figure).ToString(format, CultureInfo.InvariantCulture)} ({lowest}-{highest})";
    }

    private static double Median<T>(List<T> runs, Func<T, double> figure)
    {
        var sorted = runs.Select(figure).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static IReadOnlyList<string> Peers { get; } = ["socketio", "ejabberd"];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
