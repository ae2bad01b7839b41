using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SecureChat.Bench.Rows;
using SecureChat.Tests;

namespace SecureChat.Bench;

/// <summary>Runs everything and writes one page of figures.</summary>
internal static class SignalReport
{
    private const int Rounds = 3;

    private static readonly (string Row, string Title)[] Rows =
    [
        (nameof(SessionRows.Start), "start: check the bundle, first message"),
        (nameof(SessionRows.Accept), "accept: decrypt the first message"),
        (nameof(SessionRows.Encrypt), "encrypt 1 KB in order"),
        (nameof(SessionRows.Decrypt), "decrypt 1 KB in order"),
        (nameof(SessionRows.Turn), "encrypt and decrypt 1 KB with a ratchet turn"),
        (nameof(SealedRows.SealV1), "seal, v1"),
        (nameof(SealedRows.OpenV1), "open, v1"),
        (nameof(SealedRows.SealV2For1), "seal, v2, 1 recipient"),
        (nameof(SealedRows.SealV2For6), "seal, v2, 6 recipients"),
        (nameof(SealedRows.OpenV2), "open, v2"),
        (nameof(GroupRows.GroupEncrypt), "encrypt 1 KB for a group"),
        (nameof(GroupRows.GroupDecrypt), "decrypt 1 KB of a group"),
        (nameof(KeyRows.SafetyNumber), "safety number, both forms"),
        (nameof(KeyRows.Sign), "XEdDSA sign"),
        (nameof(KeyRows.Verify), "XEdDSA verify"),
    ];

    public static async Task<string> MakeAsync(CancellationToken ct)
    {
        // The last line is the command of the other benchmark.
        var machine = Machine.Describe().SkipLast(1);
        var lines = Rows.Select(row => Measured(row.Row, row.Title)).ToList();
        var client = TheirAnswer(nameof(KeyRows.Sign));
        Terminal.Progress("Timing");
        var timing = Output("dotnet", typeof(SignalReport).Assembly.Location, "timing");
        Terminal.Progress("Browser");
        var browser = await BrowserAsync(ct);
        return $"""
            # SecureChat.Signal beside the official client

            {string.Join('\n', machine.Select(line => $"- {line}"))}
            - command: `bench/signal`
            - official client: @signalapp/libsignal-client {client["client"]} through its Node binding, Node {client["node"]}

            ## Time and memory

            Each row is measured on both sides, one right after the other, in {Rounds} rounds that begin with the other side each time: a host's speed
            can change twofold within minutes. A round's figure is the median over 21 batches after 15 that do not count, in microseconds per
            operation. Given is the median round, in brackets the lowest and the highest, and of each round's own ratio likewise. Both sides'
            stores serialise and load again at every step. Our envelopes are padded to one of six sizes, theirs are not: more bytes are sealed
            and opened.

            Allocations are what an operation takes from the managed heap. The official client has no such figure: it keeps its
            state on the heap of a native library, which does not count what it gives out and frees at once, and Node's heap holds
            the handles and copies of messages only.

            | operation | ours, us | theirs, us | ours / theirs | ours, bytes allocated |
            | --- | ---: | ---: | ---: | ---: |
            {string.Join('\n', lines)}

            ## Secrets in time

            Welch's t between two classes of secrets (dudect); beyond 4.5 either way they differ. The furthest t is of seven:
            of all samples, and of those below six percentiles. Compiled once and with full optimisation. The control leaks.

            | operation | classes | samples | t of all | furthest t |
            | --- | --- | ---: | ---: | ---: |
            {string.Join('\n', timing.Trim().Split('\n').Select(line => $"| {line.Replace("|", " | ", StringComparison.Ordinal)} |"))}

            ## In the browser

            {Output("chromium", "--version").Trim()}, headless; Blazor WebAssembly, published and trimmed, interpreter with
            the jiterpreter, not compiled ahead of time. Milliseconds. The aims, below 50 for a session and below 10 for a message,
            are about the median. The first of each step also pays for code that has not run before, once in the life of a page;
            `load` is what a page can do before anybody waits for it: make a session with itself.
            `formats` is each of the others once: envelopes of both versions with a group's message, two safety numbers, a username and its
            link, what a new device is told, and a file.

            | step | first | median |
            | --- | ---: | ---: |
            {string.Join('\n', browser.Split('\n').Select(line => $"| {line.Replace(" ", " | ", StringComparison.Ordinal)} |"))}

            """;
    }

    private static string Measured(string row, string title)
    {
        Terminal.Progress(title);
        return Line(title, [.. Enumerable.Range(0, Rounds).Select(round => Round(row, theirsFirst: round % 2 == 0))]);
    }

    private static (RowCost Ours, double Theirs) Round(string row, bool theirsFirst)
    {
        if (theirsFirst)
        {
            var theirs = Theirs(row);
            return (OurRows.Measure(row)[row], theirs);
        }

        var ours = OurRows.Measure(row)[row];
        return (ours, Theirs(row));
    }

    private static double Theirs(string row) => TheirAnswer(row)["rows"]![row]![1]!.GetValue<double>();

    private static JsonNode TheirAnswer(string row) => JsonNode.Parse(Output("node", "bench/libsignal/measure.mjs", row))!;

    private static string Line(string title, IReadOnlyList<(RowCost Ours, double Theirs)> rounds) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {title} | {Spread(rounds.Select(round => round.Ours.Microseconds), "F1")} | {Spread(rounds.Select(round => round.Theirs), "F1")} "
        + $"| {Spread(rounds.Select(round => round.Ours.Microseconds / round.Theirs), "F2")} | {rounds[^1].Ours.Bytes} |");

    private static string Spread(IEnumerable<double> values, string format)
    {
        var sorted = values.Order().Select(value => value.ToString(format, CultureInfo.InvariantCulture)).ToList();
        return $"{sorted[sorted.Count / 2]} ({sorted[0]}-{sorted[^1]})";
    }

    private static async Task<string> BrowserAsync(CancellationToken ct)
    {
        var page = Path.Combine(
            Repository.Root, "bench", "SecureChat.Signal.Browser", "bin", "Release", "net10.0", "publish", "wwwroot");
        var result = await HeadlessPage.ResultAsync(page, TimeSpan.FromMinutes(2), ct);
        return result.StartsWith("failed", StringComparison.Ordinal) ? throw new BenchException(result) : result;
    }

    /// <summary>What another program prints; with the runtime's compiler doing all its work at the first call.</summary>
    private static string Output(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Repository.Root,
            Environment =
            {
                ["DOTNET_TieredCompilation"] = "0",
                ["DOTNET_TieredPGO"] = "0",
                ["DOTNET_ReadyToRun"] = "0",
            },
        };
        using var process = Process.Start(start) ?? throw new BenchException($"{program} did not start.");
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new BenchException($"{program} ended with {process.ExitCode}.");
    }
}
