using System.Globalization;
using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Testing;
using SecureChat.Tests;

namespace SecureChat.Cli.Tests;

/// <summary>Every session that the documents show, and one for each command, played against a real server in this process.</summary>
public sealed class TranscriptTests
{
    private const string Passphrase = "correct horse battery";

    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Transcripts")).Select(path => Path.GetFileName(path)!).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Plays_as_written(string file)
    {
        var ct = TestContext.Current.CancellationToken;
        var text = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Transcripts", file), ct);
        var steps = Transcript.Steps(file.EndsWith(".md", StringComparison.Ordinal) ? Transcript.OfMarkdown(text) : text.Split('\n'));
        Assert.NotEmpty(steps);
        await using var server = await FakeServer.StartAsync(TimeProvider.System, ct, ("Accounts:Registration", "open"));
        var home = Directory.CreateTempSubdirectory("securechat-cli-");
        try
        {
            var transcript = new Transcript();
            var differences = new List<string>();
            foreach (var (command, screen) in steps)
            {
                if (await RunAsync(transcript, command, screen, server, home.FullName, ct) is { } difference)
                {
                    differences.Add($"$ {command}\n{difference}");
                }
            }

            Assert.True(differences.Count == 0, string.Join('\n', differences));
        }
        finally
        {
            Environment.CurrentDirectory = AppContext.BaseDirectory;
            home.Delete(recursive: true);
        }
    }

    // Words are split as a shell splits them, as far as the transcripts use it; "; echo $?" shows the exit code, "| " gives input.
    private static async Task<string?> RunAsync(
        Transcript transcript, string command, IReadOnlyList<string> screen, FakeServer server, string home, CancellationToken ct)
    {
        if (command.StartsWith("sleep ", StringComparison.Ordinal))
        {
            await Task.Delay(TimeSpan.FromSeconds(double.Parse(command["sleep ".Length..], CultureInfo.InvariantCulture)), TimeProvider.System, ct);
            return null;
        }

        var showsCode = command.EndsWith("; echo $?", StringComparison.Ordinal);
        var line = showsCode ? command[..^"; echo $?".Length] : command;
        if (line.IndexOf("--invite ", StringComparison.Ordinal) is var at and >= 0)
        {
            transcript.Bind(line[(at + "--invite ".Length)..].Split(' ')[0], await server.CreateInviteAsync(ct));
        }

        var input = new Queue<string>();
        if (line.StartsWith("echo ", StringComparison.Ordinal))
        {
            var halves = line.Split(" | ", 2);
            input.Enqueue(Words(halves[0])[1]);
            line = halves[1];
        }

        using var host = new TypedHost(server.Network, home);
        if (!screen.Any(shown => shown.StartsWith("Passphrase:", StringComparison.Ordinal) || shown.StartsWith("New passphrase", StringComparison.Ordinal)))
        {
            var file = Path.Combine(home, "passphrase");
            await File.WriteAllTextAsync(file, Passphrase, ct);
            host.Variables["CHAT_PASSPHRASE_FILE"] = file;
        }

        host.Answer = async (prompt, secret) => (prompt, secret) switch
        {
            (_, true) => Passphrase,
            ("", _) => input.TryDequeue(out var next) ? next : null,
            ("Code: ", _) when transcript.Typed(prompt, screen) is { Length: 6 } written => await CodeAsync(transcript, written, server, ct),
            _ => transcript.Typed(prompt, screen),
        };
        Environment.CurrentDirectory = home;
        var words = Words(transcript.Real(line));
        Assert.Equal("securechat", words[0]);
        var code = await Program.RunAsync([.. words.Skip(1)], host, ct);
        return transcript.Difference(screen, host.Screen + (showsCode ? $"{code}\n" : ""));
    }

    private static async Task<string> CodeAsync(Transcript transcript, string written, FakeServer server, CancellationToken ct)
    {
        var code = await server.NextCodeAsync(ct);
        transcript.Bind(written, code);
        return code;
    }

    private static List<string> Words(string line)
    {
        var words = new List<string>();
        var (word, isQuoted, isOpen) = ("", false, false);
        foreach (var symbol in line)
        {
            if (symbol == '"')
            {
                (isQuoted, isOpen) = (!isQuoted, true);
            }
            else if (symbol == ' ' && !isQuoted)
            {
                if (word.Length > 0 || isOpen)
                {
                    words.Add(word);
                }

                (word, isOpen) = ("", false);
            }
            else
            {
                word += symbol;
            }
        }

        return word.Length > 0 || isOpen ? [.. words, word] : words;
    }
}
