using System.CommandLine;
using System.CommandLine.Invocation;
using SecureChat.Client.Sqlite;

namespace SecureChat.Cli;

/// <summary>What every command is made with.</summary>
internal sealed class Cli(CliHost host)
{
    /// <summary>Which identity.</summary>
    public Option<string?> Profile { get; } = new("--profile", "-p")
    {
        Description = "Which identity of this machine; without it CHAT_PROFILE, or 'default'.",
        Recursive = true,
    };

    /// <summary>For programs.</summary>
    public Option<bool> Json { get; } = new("--json")
    {
        Description = "One JSON object a line, as docs/cli.md has them.",
        Recursive = true,
    };

    /// <summary>How commands are used, for their help.</summary>
    public Dictionary<Command, IReadOnlyList<string>> Examples { get; } = [];

    /// <summary>Gives a command what it does; whatever goes wrong in it becomes a sentence and an exit code.</summary>
    /// <param name="examples">Shown at the end of the command's help.</param>
    public Command Does(Command command, Func<Shell, ParseResult, CancellationToken, Task> work, params string[] examples)
    {
        if (examples.Length > 0)
        {
            Examples.Add(command, examples);
        }

        command.SetAction(async (parsed, ct) =>
        {
            var output = new Output(host, parsed.GetValue(Json));
            var name = parsed.GetValue(Profile) ?? host.Variable("CHAT_PROFILE") ?? "default";
            try
            {
                await work(new Shell(host, output, Cli.ProfileOf(name, host)), parsed, ct);
                return (int)ExitCode.Done;
            }
#pragma warning disable CA1031 // The last stop: everything is told.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                // Whatever breaks when the person ends it is no failure.
                var told = Failure.Describe(ct.IsCancellationRequested ? new OperationCanceledException(ct) : failure, name);
                output.Fail(told);
                return (int)told.Exit;
            }
        });
        return command;
    }

    private static Profile ProfileOf(string name, CliHost host) => SecureChat.Cli.Profile.Named(name, host);
}

/// <summary>One command that runs: where it writes, what it asks, which identity it is.</summary>
internal sealed class Shell(CliHost host, Output output, Profile profile)
{
    private const string PassphraseFile = "CHAT_PASSPHRASE_FILE";
    private const int LeastPassphrase = 8;

    public CliHost Host => host;

    public Output Output => output;

    public Profile Profile => profile;

    /// <summary>Asks the person; what a program gives it comes from the next line of standard input.</summary>
    public async Task<string> AskAsync(string label, bool secret, CancellationToken ct)
    {
        await host.Error.WriteAsync(label);
        await host.Error.FlushAsync(ct);
        return await host.ReadLineAsync(secret, ct)
            ?? throw new CliException(ExitCode.Usage, "no_input", $"'{label.Trim().TrimEnd(':')}' was asked for, and standard input has ended.",
                $"Answer on the terminal or on standard input; for the passphrase {PassphraseFile} can name a file.");
    }

    /// <summary>A question that only "y" or "yes" agrees to.</summary>
    public async Task<bool> AgreesAsync(string question, CancellationToken ct) =>
        (await AskAsync($"{question} [y/N] ", secret: false, ct)).Trim() is "y" or "Y" or "yes";

    /// <summary>Asks for a passphrase: the same key, whichever keyboard it was typed on.</summary>
    public async Task<string> AskPassphraseAsync(string question, CancellationToken ct) =>
        Passphrase.Normalize(await AskAsync(question, secret: true, ct));

    /// <summary>Opens the profile's store: under the key that the system keeps for it, or under the passphrase.</summary>
    public async Task<SqliteStore> OpenStoreAsync(CancellationToken ct) => profile.IsInKeyring
        ? await SqliteStore.OpenAsync(profile.Store, await profile.Key.ReadAsync(ct), ct)
        : await host.OpenStoreAsync(profile.Store, await PassphraseAsync(isNew: false, ct), ct);

    /// <summary>Makes the profile's store.</summary>
    public async Task<SqliteStore> NewStoreAsync(bool isInKeyring, CancellationToken ct) => isInKeyring
        ? await SqliteStore.OpenAsync(profile.Store, await profile.Key.CreateAsync(ct), ct)
        : await host.OpenStoreAsync(profile.Store, await PassphraseAsync(isNew: true, ct), ct);

    /// <summary>The passphrase of the local store: from a file, or asked for; a new one twice.</summary>
    private async Task<string> PassphraseAsync(bool isNew, CancellationToken ct)
    {
        if (host.Variable(PassphraseFile) is { Length: > 0 } file)
        {
            if (!File.Exists(file))
            {
                throw new CliException(ExitCode.Profile, "no_passphrase", $"{PassphraseFile} names a file that is not there.", "Make it, with the passphrase as its first line.");
            }

            return Checked(Passphrase.Normalize((await File.ReadAllLinesAsync(file, ct)).FirstOrDefault() ?? ""), isNew);
        }

        if (!isNew)
        {
            return await AskPassphraseAsync("Passphrase: ", ct);
        }

        var first = Checked(await AskPassphraseAsync("New passphrase for this device: ", ct), isNew);
        return await AskPassphraseAsync("Again: ", ct) == first
            ? first
            : throw new CliException(ExitCode.Usage, "passphrase", "The two passphrases differ.", "Run the command again.");
    }

    private static string Checked(string passphrase, bool isNew) => passphrase.Length >= (isNew ? LeastPassphrase : 1)
        ? passphrase
        : throw new CliException(ExitCode.Usage, "passphrase", $"A passphrase has at least {LeastPassphrase} characters.",
            "It protects everything that this device keeps: take several words.");
}

/// <summary>The help of System.CommandLine, with examples at its end.</summary>
internal sealed class HelpWithExamples(SynchronousCommandLineAction help, Cli cli) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => help.ClearsParseErrors;

    public override int Invoke(ParseResult parseResult)
    {
        var code = help.Invoke(parseResult);
        if (cli.Examples.TryGetValue(parseResult.CommandResult.Command, out var examples))
        {
            var to = parseResult.InvocationConfiguration.Output;
            to.WriteLine("Examples:");
            foreach (var example in examples)
            {
                to.WriteLine($"  {example}");
            }

            to.WriteLine();
        }

        return code;
    }
}
