using System.Globalization;
using SecureChat.Client.Testing;
using SecureChat.Tests;

namespace SecureChat.Cli.Tests.Support;

/// <summary>Plays the commands of one transcript, one after the other, against a server in this process.</summary>
internal sealed class TranscriptPlayer(FakeServer server, PassedTime time, string home) : IAsyncDisposable
{
    private const string Passphrase = "correct horse battery";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    private readonly Transcript _transcript = new();
    private readonly CancellationTokenSource _ends = new();
    private (Task<int> Run, TypedHost Host, int Seen)? _behind;

    /// <summary>Every transcript: its name and its commands, each with the lines that follow it.</summary>
    public static IEnumerable<(string File, IReadOnlyList<(string Command, IReadOnlyList<string> Screen)> Steps)> All() =>
        Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Transcripts")).Order(StringComparer.Ordinal).Select(path =>
        {
            var text = File.ReadAllText(path);
            return (Path.GetFileName(path), Transcript.Steps(path.EndsWith(".md", StringComparison.Ordinal) ? Transcript.OfMarkdown(text) : text.Split('\n')));
        });

    /// <summary>Null when a command does what is written, else what it does.</summary>
    public async Task<string?> PlayAsync(string command, IReadOnlyList<string> screen, CancellationToken ct)
    {
        switch (command.Split(' '))
        {
            case ["sleep", var seconds]:
                time.Pass(TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)));
                return null;
            case ["nmcli", "networking", var state]:
                server.Network.IsDown = state == "off";
                return null;
            case ["wait"]:
                return await WaitAsync(screen, ct);
            default:
                return await RunAsync(ShellLine.Parse(command), screen, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ends.CancelAsync();
        if (_behind is { } left)
        {
            await left.Run;
            left.Host.Dispose();
        }

        _ends.Dispose();
    }

    private async Task<string?> RunAsync(ShellLine line, IReadOnlyList<string> screen, CancellationToken ct)
    {
        if (line.Words.SkipWhile(word => word != "--invite").ElementAtOrDefault(1) is { } invite)
        {
            _transcript.Bind(invite, await server.CreateInviteAsync(ct));
        }

        var host = await HostAsync(line, screen, ct);
        Environment.CurrentDirectory = home;
        Assert.True(line.IsProgram);
        string[] words = [.. line.Words.Skip(1).Select(_transcript.Real)];
        if (line.StaysBehind)
        {
            var wanted = screen.Count(shown => shown.Length > 0);
            var behind = Program.RunAsync(words, host, _ends.Token);
            _behind = (behind, host, await LinesAsync(host, behind, wanted, ct));
            return _transcript.Difference(screen, host.Screen[.._behind.Value.Seen]);
        }

        using (host)
        {
            var code = await Program.RunAsync(words, host, ct);
            return _transcript.Difference(screen, host.Screen + (line.ShowsCode || code != 0 ? $"{code}\n" : ""))
                ?? (words.Contains("--json") ? JsonTable.Difference(host.Printed) : null);
        }
    }

    /// <summary>How far the screen goes with so many lines.</summary>
    private static async Task<int> LinesAsync(TypedHost host, Task ends, int lines, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        while (host.Screen.Count(symbol => symbol == '\n') < lines && !ends.IsCompleted)
        {
            await Task.Delay(Interval, TimeProvider.System, limit.Token);
        }

        var screen = host.Screen;
        return screen.Split('\n').Take(lines).Sum(line => line.Length + 1) is var seen && seen <= screen.Length ? seen : screen.Length;
    }

    private async Task<string?> WaitAsync(IReadOnlyList<string> screen, CancellationToken ct)
    {
        var (run, host, seen) = _behind!.Value;
        _behind = null;
        using (host)
        {
            var code = await run.WaitAsync(Patience, TimeProvider.System, ct);
            return _transcript.Difference(screen, host.Screen[seen..] + (code != 0 ? $"{code}\n" : ""))
                ?? (screen.Any(line => line.StartsWith('{')) ? JsonTable.Difference(host.Printed) : null);
        }
    }

    private async Task<TypedHost> HostAsync(ShellLine line, IReadOnlyList<string> screen, CancellationToken ct)
    {
        var input = new Queue<string>(line.Input is { } piped ? [piped] : []);
        var host = new TypedHost(server.Network, home)
        {
            Clock = time,
            Answer = async (prompt, secret) => (prompt, secret) switch
            {
                (_, true) => Passphrase,
                ("", _) => input.TryDequeue(out var next) ? next : null,
                ("Code: ", _) when _transcript.Typed(prompt, screen) is { Length: 6 } written => await CodeAsync(written, ct),
                _ => _transcript.Typed(prompt, screen),
            },
        };
        if (!screen.Any(shown => shown.StartsWith("Passphrase:", StringComparison.Ordinal) || shown.StartsWith("New passphrase", StringComparison.Ordinal)))
        {
            var file = Path.Combine(home, "passphrase");
            await File.WriteAllTextAsync(file, Passphrase, ct);
            host.Variables["CHAT_PASSPHRASE_FILE"] = file;
        }

        return host;
    }

    private async Task<string> CodeAsync(string written, CancellationToken ct)
    {
        var code = await server.NextCodeAsync(ct);
        _transcript.Bind(written, code);
        return code;
    }
}
