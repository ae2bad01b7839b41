using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using SecureChat.Cli.Commands;
using SecureChat.Cli.Demo;

namespace SecureChat.Cli;

/// <summary>Table of contents of the command line.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) => RunAsync(args, new Terminal(), CancellationToken.None);

    /// <summary>Runs one command line.</summary>
    internal static async Task<int> RunAsync(string[] args, CliHost host, CancellationToken ct)
    {
        var cli = new Cli(host);
        var root = CreateRoot(cli);
        var parsed = root.Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            var name = string.Join(' ', NamesOf(parsed.CommandResult).Reverse());
            var told = new CliException(ExitCode.Usage, "usage", string.Join(' ', parsed.Errors.Select(OneLine)), $"See: {name} --help");
            new Output(host, parsed.GetValue(cli.Json)).Fail(told);
            return (int)told.Exit;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { Output = host.Out, Error = host.Error, EnableDefaultExceptionHandler = false }, ct);
    }

    /// <summary>Every command.</summary>
    internal static RootCommand CreateRoot(Cli cli)
    {
        var root = new RootCommand("""
            Chat end to end encrypted, from a terminal, a script or a bot.

            Begin:     securechat register --email you@example.org
            Write:     securechat contacts add alice ACCOUNT, then securechat send alice "hello"
            Read:      securechat receive --follow
            Try it:    securechat demo

            Exit codes: 0 done, 1 unexpected, 2 usage, 3 profile or passphrase, 4 server unreachable, 5 refused,
            6 signed out, 7 not found, 8 safety numbers differ, 9 not delivered, 130 cancelled.
            """)
        {
            cli.Profile,
            cli.Json,
        };
        foreach (var command in Commands(cli))
        {
            root.Add(command);
        }

        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((SynchronousCommandLineAction)help.Action!, cli);
        return root;
    }

    private static string OneLine(ParseError error) => string.Join(' ', error.Message.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries));

    private static IEnumerable<string> NamesOf(CommandResult command)
    {
        for (var at = command; at is not null; at = at.Parent as CommandResult)
        {
            yield return at.Command is RootCommand ? "securechat" : at.Command.Name;
        }
    }

    private static Command[] Commands(Cli cli) =>
    [
        AccountCommands.Register(cli),
        AccountCommands.WhoAmI(cli),
        AccountCommands.Profiles(cli),
        ContactCommands.Create(cli),
        VerifyCommand.Create(cli),
        MessageCommands.Send(cli),
        MessageCommands.Receive(cli),
        MessageCommands.Open(cli),
        HistoryCommands.History(cli),
        HistoryCommands.Message(cli),
        TimerCommand.Create(cli),
        FileCommands.Create(cli),
        ChatCommand.Create(cli),
        GroupCommands.Create(cli),
        BackupCommands.Backup(cli),
        BackupCommands.Restore(cli),
        DeviceCommands.Link(cli),
        DeviceCommands.Create(cli),
        DoctorCommand.Create(cli),
        AccountCommands.Delete(cli),
        DemoCommand.Create(cli),
        CompletionCommand.Create(cli),
    ];
}
