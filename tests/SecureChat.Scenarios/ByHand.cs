using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>The session by hand in the README, done by a program that types what a person would: it shows what the README shows.</summary>
public sealed partial class ByHand(Worlds worlds, LibsignalPeer peer) : IDisposable
{
    // What ./test has done already.
    private const string Install = "(cd tests/libsignal-peer && npm ci)\n";

    // After what the README shows: what waits for him is the server's word alone.
    private const string WhatIsLeft = """
        curl -s $api/v1/messages -H "$(as bob)" | jq -c '[.messages[].content]'
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-by-hand-");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_session_by_hand_goes_as_the_README_says()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(WrittenTable.Root, "README.md"), Ct);
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        var shown = Lines(Block(readme, "json"));
        using var shell = Start(world.Server, Block(readme, "bash"));
        var errors = shell.StandardError.ReadToEndAsync(Ct);

        await TypeCodeAsync(shell, world.Server, nth: 1);
        await TypeCodeAsync(shell, world.Server, nth: 2);
        var head = await ReadUntilAsync(shell, line => line.StartsWith('{'), errors);
        Assert.StartsWith("HTTP/1.1 204 ", head[0], StringComparison.Ordinal);
        var frames = await ReadUntilAsync(shell, line => line.Contains("queueEmpty", StringComparison.Ordinal), errors, head[^1]);
        Assert.Equal(shown[..^2].Select(Shape), frames.Select(Shape));

        // wscat's prompt stands before what is typed and, where nobody sees it typed, before the answer.
        await shell.StandardInput.WriteLineAsync(Unprompted(shown[^2]).Replace(Position(shown[1]), Position(frames[1]), StringComparison.Ordinal));
        var answer = await shell.StandardOutput.ReadLineAsync(Ct) ?? await errors;
        Assert.Equal(Shape(shown[^1]), Shape(Unprompted(answer)));
        shell.StandardInput.Close();
        Assert.Equal("""["GgA="]""", await shell.StandardOutput.ReadLineAsync(Ct) ?? await errors);

        await shell.WaitForExitAsync(Ct);
        Assert.Equal(0, shell.ExitCode);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    // Files are made where it runs; of the repository it needs what the README names.
    private Process Start(ServerProcess server, string script)
    {
        Assert.StartsWith(Install, script, StringComparison.Ordinal);
        script = script[Install.Length..] + WhatIsLeft;
        foreach (var (written, real) in new[] { ("http://localhost:8080", server.Api.GetLeftPart(UriPartial.Authority)), ("ws://localhost:8090/ws", server.Socket.ToString()) })
        {
            Assert.Contains(written, script, StringComparison.Ordinal);
            script = script.Replace(written, real, StringComparison.Ordinal);
        }

        Directory.CreateSymbolicLink(Path.Combine(_folder.FullName, "tests"), Path.Combine(WrittenTable.Root, "tests"));
        var file = Path.Combine(_folder.FullName, "session.sh");
        File.WriteAllText(file, "set -euo pipefail\n" + script);
        return Process.Start(new ProcessStartInfo("timeout", ["300", "bash", file])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        })!;
    }

    // The code that the server prints on its terminal.
    private static async Task TypeCodeAsync(Process shell, ServerProcess server, int nth)
    {
        while (PrintedCode().Count(server.Printed()) < nth && !shell.HasExited)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
        }

        await shell.StandardInput.WriteLineAsync(PrintedCode().Matches(server.Printed())[^1].Groups["code"].Value);
    }

    private static async Task<List<string>> ReadUntilAsync(Process shell, Func<string, bool> isLast, Task<string> errors, params string[] before)
    {
        List<string> lines = [.. before];
        while (lines.Count is 0 || !isLast(lines[^1]))
        {
            lines.Add(await shell.StandardOutput.ReadLineAsync(Ct) ?? throw new InvalidOperationException($"{string.Join('\n', lines)}\n{await errors}"));
        }

        return lines;
    }

    private static string Block(string page, string language) =>
        Assert.Single(Blocks().Matches(page), block => block.Groups["language"].Value == language).Groups["text"].Value;

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string Unprompted(string line) => line.TrimStart('>', ' ');

    private static string Position(string frame) => JsonNode.Parse(frame)!["deliver"]!["position"]!.GetValue<string>();

    // Names of members in order, and those values that are the same in every run.
    private static string Shape(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Shape("", document.RootElement);
    }

    private static string Shape(string name, JsonElement value) => value.ValueKind is JsonValueKind.Object
        ? $"{name}{{{string.Join(' ', value.EnumerateObject().Select(member => Shape(member.Name, member.Value)))}}}"
        : name is "type" or "content" or "senderDevice" or "request" ? $"{name}={value}" : name;

    [GeneratedRegex(@"^```(?<language>\w+)\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex(@"challenge [\w-]+: (?<code>\d{6})")]
    private static partial Regex PrintedCode();
}
