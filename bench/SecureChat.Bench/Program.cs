using System.CommandLine;
using SecureChat.Bench.Anomalies;
using SecureChat.Bench.Disclosure;
using SecureChat.Bench.Media;
using SecureChat.Bench.Rooms;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench;

/// <summary>The command line: one scenario against one server, or all of them side by side.</summary>
internal static class Program
{
    private static readonly Option<int> Seconds = new("--seconds")
    {
        Description = "How long each run is measured (1-60).",
        DefaultValueFactory = _ => 4,
    };

    private static readonly Option<int> WarmUp = new("--warm-up")
    {
        Description = "Seconds of load before measuring: just-in-time compilers need it.",
        DefaultValueFactory = _ => 40,
    };

    private static readonly Option<int?> ServerCore = new("--server-core")
    {
        Description = "The core that servers and stores are pinned to. Pin the generator itself with taskset.",
    };

    private static readonly Option<string> TargetName = new("--target")
    {
        Description = "The server: " + string.Join(", ", AllTargets.Names),
        DefaultValueFactory = _ => AllTargets.Names[0],
    };

    private static readonly Option<int> Pairs = new("--pairs")
    {
        Description = "Senders, each with one recipient.",
        DefaultValueFactory = _ => 400,
    };

    private static int Main(string[] arguments)
    {
        var root = new RootCommand("Load for WebSocket relays on this machine: secureChat beside socket.io and ejabberd.")
        {
            Relay(), Open(), Idle(), Compare(), Media(), Rooms(), Simulate(), Disclose(),
        };
        try
        {
            return root.Parse(arguments).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (BenchException refusal)
        {
            Terminal.Progress(refusal.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            Terminal.Progress("Stopped.");
            return 130;
        }
    }

    private static Command Relay()
    {
        var inFlight = new Option<int>("--in-flight") { Description = "Messages of a pair under way.", DefaultValueFactory = _ => 1 };
        var command = new Command("relay", "Closed loop: every message accepted, delivered and acknowledged, as fast as it goes.")
        {
            TargetName, Pairs, inFlight, Seconds, WarmUp, ServerCore,
        };
        command.SetAction((parsed, ct) => OneAsync(parsed, parsed.GetValue(Pairs), scenarios => scenarios.Relay(
            parsed.GetValue(Pairs), parsed.GetValue(inFlight), Span(parsed, WarmUp), Span(parsed, Seconds)), ct));
        return command;
    }

    private static Command Open()
    {
        var rate = new Option<int>("--rate") { Description = "Messages a second over all pairs.", DefaultValueFactory = _ => 2000 };
        var command = new Command("open", "Open loop: messages at a fixed rate; latency from when each was due.")
        {
            TargetName, Pairs, rate, Seconds, WarmUp, ServerCore,
        };
        command.SetAction((parsed, ct) => OneAsync(parsed, parsed.GetValue(Pairs), scenarios => scenarios.Open(
            parsed.GetValue(Pairs), parsed.GetValue(rate), Span(parsed, WarmUp), Span(parsed, Seconds)), ct));
        return command;
    }

    private static Command Idle()
    {
        var connections = new Option<int>("--connections")
        {
            Description = "Connections held open, each after one message.",
            DefaultValueFactory = _ => 10_000,
        };
        var command = new Command("idle", "Resident memory of the server per idle connection.") { TargetName, connections, ServerCore };
        command.SetAction((parsed, ct) => OneAsync(parsed, parsed.GetValue(connections) / 2, scenarios => scenarios.Idle(
            parsed.GetValue(connections), Comparison.Settle), ct));
        return command;
    }

    private static Command Compare()
    {
        var rounds = new Option<int>("--rounds") { Description = "Rounds; medians are reported.", DefaultValueFactory = _ => 5 };
        var targets = new Option<string[]>("--targets")
        {
            Description = "The servers to compare.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [.. AllTargets.Names],
        };
        var output = new Option<FileInfo?>("--output") { Description = "Writes the report to this file as well." };
        var command = new Command("compare", "All scenarios against all servers, in turns, as one table.")
        {
            rounds, targets, Seconds, WarmUp, ServerCore, output,
        };
        command.SetAction((parsed, ct) => Task.Run(
            () =>
            {
                var comparison = new Comparison(
                    parsed.GetValue(targets)!, parsed.GetValue(rounds), Span(parsed, WarmUp), Span(parsed, Seconds), parsed.GetValue(ServerCore));
                var report = comparison.Run(ct);
                Terminal.Print(report);
                if (parsed.GetValue(output) is { } file)
                {
                    File.WriteAllText(file.FullName, report);
                }
            },
            ct));
        return command;
    }

    private static Command Media()
    {
        var rounds = new Option<int>("--rounds") { Description = "Rounds; medians are reported.", DefaultValueFactory = _ => 7 };
        var files = new Option<int>("--files") { Description = "Files at once.", DefaultValueFactory = _ => 4 };
        var mebibytes = new Option<int>("--mebibytes") { Description = "Size of each (1-100).", DefaultValueFactory = _ => 64 };
        var output = new Option<FileInfo?>("--output") { Description = "Writes the report to this file as well." };
        var command = new Command("media", "Files up and down, beside nginx.") { rounds, files, mebibytes, ServerCore, output };
        command.SetAction((parsed, ct) => Task.Run(
            () =>
            {
                var size = (long)Math.Clamp(parsed.GetValue(mebibytes), 1, 100) << 20;
                var report = new MediaComparison(
                    parsed.GetValue(rounds), parsed.GetValue(files), size, parsed.GetValue(ServerCore), ct).Run();
                Terminal.Print(report);
                if (parsed.GetValue(output) is { } file)
                {
                    File.WriteAllText(file.FullName, report);
                }
            },
            ct));
        return command;
    }

    private static Command Rooms()
    {
        var rounds = new Option<int>("--rounds") { Description = "Rounds; medians are reported.", DefaultValueFactory = _ => 3 };
        var output = new Option<FileInfo?>("--output") { Description = "Writes the report to this file as well." };
        var command = new Command("rooms", "Signals in rooms of eight, beside socket.io's rooms.") { rounds, Seconds, WarmUp, ServerCore, output };
        command.SetAction((parsed, ct) => Task.Run(
            () =>
            {
                var report = new RoomsComparison(
                    parsed.GetValue(rounds), Span(parsed, WarmUp), Span(parsed, Seconds), parsed.GetValue(ServerCore), ct).Run();
                Terminal.Print(report);
                if (parsed.GetValue(output) is { } file)
                {
                    File.WriteAllText(file.FullName, report);
                }
            },
            ct));
        return command;
    }

    private static Command Disclose()
    {
        var people = new Option<int>("--people") { Description = "People who talk.", DefaultValueFactory = _ => 200 };
        var days = new Option<int>("--days") { Description = "Days they talk for.", DefaultValueFactory = _ => 28 };
        var seed = new Option<ulong>("--seed") { Description = "Same seed, same figures.", DefaultValueFactory = _ => 1 };
        var command = new Command("disclosure", "What times tell a server about who talks to whom, under sealed sender.") { people, days, seed };
        command.SetAction(parsed => Terminal.Print(
            DisclosureReport.Make(parsed.GetValue(seed), parsed.GetValue(people), parsed.GetValue(days))));
        return command;
    }

    private static Command Simulate()
    {
        var people = new Option<int>("--people") { Description = "Honest people in the simulation.", DefaultValueFactory = _ => 10_000 };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same day.", DefaultValueFactory = _ => 1 };
        var output = new Option<FileInfo?>("--output") { Description = "Writes the report to this file as well." };
        var command = new Command("anomalies", "The anomaly detectors on a simulated day of honest people and attackers.") { people, seed, output };
        command.SetAction(async (parsed, ct) =>
        {
            var outcomes = await Simulation.RunAsync(parsed.GetValue(seed), parsed.GetValue(people), ct);
            var report = SimulationReport.Of(outcomes, parsed.GetValue(seed), parsed.GetValue(people)) + Environment.NewLine + Simulation.MeasureCost();
            Terminal.Print(report);
            if (parsed.GetValue(output) is { } file)
            {
                await File.WriteAllTextAsync(file.FullName, report, ct);
            }
        });
        return command;
    }

    private static Task OneAsync(ParseResult parsed, int pairs, Func<Scenarios, Measurement> run, CancellationToken ct) =>
        Task.Run(
            () =>
            {
                using var target = AllTargets.Make(parsed.GetValue(TargetName)!);
                target.Start(parsed.GetValue(ServerCore), pairs, ct);
                Terminal.Print(Report.Line(run(new Scenarios(target, ct))));
            },
            ct);

    private static TimeSpan Span(ParseResult parsed, Option<int> seconds) =>
        TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 1, 60));
}
