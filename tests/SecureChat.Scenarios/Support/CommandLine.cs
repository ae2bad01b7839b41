using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>Somebody at a terminal: the <c>securechat</c> program as it is built, with a profile of its own.</summary>
internal sealed partial class CommandLine : IDisposable
{
    private const string Passphrase = "correct horse battery staple";

    /// <summary>The name of the file that holds the recovery key, if there is one.</summary>
    public const string RecoveryKey = "recovery-key";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly World _world;
    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("securechat-person-");

    private CommandLine(World world)
    {
        _world = world;
        File.WriteAllText(PassphraseFile, Passphrase + "\n");
    }

    public Guid Account { get; private set; }

    /// <summary>Where the keyring is that has the key of this person's device; null: a passphrase opens it.</summary>
    public string? Bus { get; set; }

    /// <summary>What it prints while it follows, over all its starts.</summary>
    public string FollowLog => Path.Combine(_home.FullName, "follow.log");

    private string PassphraseFile => Path.Combine(_home.FullName, "passphrase");

    private Dictionary<string, string> Variables => new()
    {
        ["CHAT_HOME"] = _home.FullName,
        [Bus is null ? "CHAT_PASSPHRASE_FILE" : "DBUS_SESSION_BUS_ADDRESS"] = Bus ?? PassphraseFile,
        ["CHAT_RECOVERY_KEY_FILE"] = Path.Combine(_home.FullName, RecoveryKey),
    };

    /// <summary>Signs up with an e-mail address: the code is taken from the server's terminal.</summary>
    /// <param name="bus">Where the keyring is that keeps the key.</param>
    public static async Task<CommandLine> RegisterAsync(World world, string email, CancellationToken ct, string? bus = null)
    {
        var person = new CommandLine(world) { Bus = bus };
        var printed = Codes(world).Count;
        string[] keyring = bus is null ? [] : ["--keyring"];
        using var program = person.Start(["register", "--email", email, "--server", world.Server.Api.ToString(), "--json", .. keyring]);
        while (Codes(world).Count == printed && !program.HasExited)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct);
        }

        await program.StandardInput.WriteLineAsync(Codes(world)[^1].Groups["code"].Value);
        var told = await EndAsync(program, ct);
        person.Account = told.Single().GetProperty("account").GetGuid();
        return person;
    }

    /// <summary>Runs a command to its end, and returns what it told: it must succeed.</summary>
    public async Task<IReadOnlyList<JsonElement>> RunAsync(CancellationToken ct, params string[] args)
    {
        using var program = Start([.. args, "--json"]);
        program.StandardInput.Close();
        return await EndAsync(program, ct);
    }

    /// <summary>Runs a command that fails: its exit code, and what it says.</summary>
    public async Task<(int Code, string Said)> FailAsync(CancellationToken ct, params string[] args)
    {
        using var program = Start(args);
        program.StandardInput.Close();
        var said = program.StandardError.ReadToEndAsync(ct);
        await program.WaitForExitAsync(ct);
        return (program.ExitCode, await said);
    }

    /// <summary>Starts <c>receive --follow</c>.</summary>
    public ChildProcess Follow() => ChildProcess.Start([Program, "receive", "--follow", "--json"], FollowLog, Variables);

    /// <summary>Starts <c>chat</c>, which sends each line that it is given.</summary>
    public Chatting Chat(Guid with) => new(Start("chat", with.ToString(), "--json"));

    /// <summary>Starts <c>chat</c> in a terminal of its own, which it fills.</summary>
    public ScreenOf ChatOnScreen(string with) => OnScreen($"chat {with}");

    /// <summary>Starts a command in a terminal of its own; the shell reads it, so that it can go on with a pipe.</summary>
    public ScreenOf OnScreen(string command) =>
        new(StartIn("script", "-qfec", $"export TERM=xterm; stty cols 100 rows 30; exec '{Program}' {command}", "/dev/null"));

    /// <summary>A file in this person's folder.</summary>
    public string FileOf(string name, byte[] content)
    {
        var path = PathOf(name);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Where a file of this person's folder is, or would be.</summary>
    public string PathOf(string name) => Path.Combine(_home.FullName, name);

    public void Dispose() => _home.Delete(recursive: true);

    // The same configuration and framework as this test project, from the program's own output folder.
    private static string Program
    {
        get
        {
            var project = $"tests{Path.DirectorySeparatorChar}SecureChat.Scenarios";
            return Path.Combine(AppContext.BaseDirectory.Replace(project, $"src{Path.DirectorySeparatorChar}SecureChat.Cli", StringComparison.Ordinal), "securechat");
        }
    }

    private Process Start(params string[] args) => StartIn(Program, args);

    private Process StartIn(string program, params string[] args)
    {
        var start = new ProcessStartInfo(program, args) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task<IReadOnlyList<JsonElement>> EndAsync(Process program, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        try
        {
            var (told, failed) = (program.StandardOutput.ReadToEndAsync(limit.Token), program.StandardError.ReadToEndAsync(limit.Token));
            await program.WaitForExitAsync(limit.Token);
            Assert.True(program.ExitCode == 0, $"{string.Join(' ', program.StartInfo.ArgumentList)}: {program.ExitCode}\n{await failed}");
            return [.. (await told).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        }
        catch (OperationCanceledException)
        {
            program.Kill();
            throw;
        }
    }

    private static MatchCollection Codes(World world) => PrintedCode().Matches(world.Server.Printed());

    [GeneratedRegex(@"challenge [\w-]+: (?<code>\d{6})")]
    private static partial Regex PrintedCode();
}

/// <summary>A conversation line by line.</summary>
internal sealed class Chatting(Process program) : IAsyncDisposable
{
    private readonly Task<string> _failed = program.StandardError.ReadToEndAsync();

    /// <summary>Sends a line, and waits until it is durable at the sender's.</summary>
    public async Task WriteAsync(string line, CancellationToken ct)
    {
        await program.StandardInput.WriteLineAsync(line);
        await program.StandardInput.FlushAsync(ct);
        while (await program.StandardOutput.ReadLineAsync(ct) is { } told)
        {
            if (told.StartsWith("{\"type\":\"sent\"", StringComparison.Ordinal))
            {
                return;
            }
        }

        throw new IOException(await _failed);
    }

    /// <summary><c>kill -9</c>.</summary>
    public Task KillAsync(CancellationToken ct)
    {
        program.Kill();
        return program.WaitForExitAsync(ct);
    }

    /// <summary>Ends its input, and waits until everything is with the server.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        program.StandardInput.Close();
        await program.StandardOutput.ReadToEndAsync(ct);
        await program.WaitForExitAsync(ct);
        Assert.True(program.ExitCode == 0, await _failed);
    }

    public ValueTask DisposeAsync()
    {
        if (!program.HasExited)
        {
            program.Kill();
        }

        program.Dispose();
        return ValueTask.CompletedTask;
    }
}
