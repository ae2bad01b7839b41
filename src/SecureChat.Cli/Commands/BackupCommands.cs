using System.CommandLine;
using System.Globalization;
using SecureChat.Client;
using SecureChat.Client.Backups;
using Spectre.Console;

namespace SecureChat.Cli.Commands;

/// <summary><c>backup</c> and <c>restore</c>: to a file or to the server, under a recovery key.</summary>
internal static class BackupCommands
{
    private const string KeyFile = "CHAT_RECOVERY_KEY_FILE";

    public static Command Backup(Cli cli)
    {
        var backup = new Command("backup", "Backs contacts and conversations up, encrypted under a recovery key.");
        backup.Add(cli.Does(new Command("new-key", "Draws a recovery key and shows it, this once. Write it down: without it no backup opens."), (shell, _, _) =>
        {
            using var key = RecoveryKey.Generate();
            shell.Output.Write(LineType.RecoveryKey, key.Reveal(), ("key", key.Reveal()));
            return Task.CompletedTask;
        }));
        backup.Add(ToFile(cli));
        backup.Add(ToServer(cli));
        backup.Add(Delete(cli));
        return backup;
    }

    public static Command Restore(Cli cli)
    {
        var restore = new Command("restore", "Takes contacts and conversations back from a backup; right after registering.");
        restore.Add(FromFile(cli));
        restore.Add(FromServer(cli));
        return restore;
    }

    private static Command ToFile(Cli cli)
    {
        var (path, with) = (new Argument<string>("path") { Description = "Where to: a path that is free." }, WithPassphrase());
        return cli.Does(new Command("to-file", "Backs up to a file.") { path, with }, async (shell, parsed, ct) =>
        {
            var target = parsed.GetRequiredValue(path);
            if (Path.Exists(target))
            {
                throw new CliException(ExitCode.Usage, "exists", $"'{target}' exists already.", "Give another place: a backup never replaces one.");
            }

            await using var session = await Session.OpenAsync(shell, ct);
            using var key = await KeyAsync(shell, parsed.GetValue(with), ct);
            var part = target + ".part";
            try
            {
                BackupMade? made = null;
                await using (var file = new FileStream(part, FileMode.Create, FileAccess.Write))
                {
                    await WithProgressAsync(shell, "Writing", async progress => made = await session.Client.BackUpAsync(key, file, progress, ct));
                }

                File.Move(part, target);
                Tell(shell, LineType.BackedUp, $"{Words(made!)} in {target}", made!);
            }
            finally
            {
                File.Delete(part);
            }
        });
    }

    private static Command ToServer(Cli cli)
    {
        var with = WithPassphrase();
        var anew = new Option<bool>("--start-anew") { Description = "Goes on when the server has lost the backup that there was." };
        var command = new Command("to-server", "Backs up to the server, which learns neither what it is nor whose.") { with, anew };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            using var key = await KeyAsync(shell, parsed.GetValue(with), ct);
            BackupMade? made = null;
            await WithProgressAsync(shell, "Sending", async progress =>
                made = await session.Client.BackUpToServerAsync(key, parsed.GetValue(anew), progress, ct));
            Tell(shell, LineType.BackedUp, $"{Words(made!)} on the server: version {made!.Version}. Note it beside the recovery key", made);
        });
    }

    private static Command Delete(Cli cli)
    {
        var with = WithPassphrase();
        return cli.Does(new Command("delete", "Deletes the backup on the server.") { with }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            using var key = await KeyAsync(shell, parsed.GetValue(with), ct);
            await session.Client.DeleteBackupAsync(key, ct);
            shell.Output.Write(LineType.Deleted, "The backup on the server is deleted.");
        });
    }

    private static Command FromFile(Cli cli)
    {
        var (path, with) = (new Argument<string>("path") { Description = "The backup." }, WithPassphrase());
        return cli.Does(new Command("from-file", "Restores from a file.") { path, with }, async (shell, parsed, ct) =>
        {
            var source = parsed.GetRequiredValue(path);
            if (!File.Exists(source))
            {
                throw new CliException(ExitCode.NotFound, "not_found", $"There is no file '{source}'.", "Check the path.");
            }

            await using var session = await Session.OpenAsync(shell, ct);
            using var key = await KeyAsync(shell, parsed.GetValue(with), ct);
            await using var file = File.OpenRead(source);
            BackupMade? restored = null;
            await WithProgressAsync(shell, "Reading", async progress => restored = await session.Client.RestoreAsync(key, file, progress, ct));
            Tell(shell, LineType.Restored, $"Restored {Words(restored!)}, of {When(restored!)}", restored!);
        });
    }

    private static Command FromServer(Cli cli)
    {
        var with = WithPassphrase();
        var atLeast = new Option<long>("--at-least") { Description = "The version that you have noted: an older one is refused." };
        return cli.Does(new Command("from-server", "Restores from the server.") { with, atLeast }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            using var key = await KeyAsync(shell, parsed.GetValue(with), ct);
            BackupMade? restored = null;
            await WithProgressAsync(shell, "Fetching", async progress =>
                restored = await session.Client.RestoreFromServerAsync(key, parsed.GetValue(atLeast), progress, ct));
            Tell(shell, LineType.Restored, $"Restored {Words(restored!)}, version {restored!.Version} of {When(restored)}", restored);
        });
    }

    private static Option<bool> WithPassphrase() => new("--with-passphrase")
    {
        Description = "The recovery key is good only together with a passphrase, which is asked for.",
    };

    private static async Task<RecoveryKey> KeyAsync(Shell shell, bool withPassphrase, CancellationToken ct)
    {
        var text = shell.Host.Variable(KeyFile) is { Length: > 0 } file && File.Exists(file)
            ? (await File.ReadAllTextAsync(file, ct)).Trim()
            : await shell.AskAsync("Recovery key: ", secret: false, ct);
        var key = RecoveryKey.Parse(text);
        if (!withPassphrase)
        {
            return key;
        }

        using (key)
        {
            return key.WithPassphrase(await shell.AskPassphraseAsync("Recovery passphrase: ", ct));
        }
    }

    private static Task WithProgressAsync(Shell shell, string label, Func<IProgress<BackupProgress>?, Task> work)
    {
        if (!shell.Host.IsInteractive || shell.Output.IsJson)
        {
            return work(null);
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(shell.Host.Error) });
        return console.Progress().AutoClear(true).StartAsync(bars => work(new Reporter(bars.AddTask(label))));
    }

    private static void Tell(Shell shell, LineType type, string text, BackupMade made) => shell.Output.Write(
        type, text, ("version", made.Version), ("madeAt", made.MadeAt.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)),
        ("contacts", made.Contacts), ("messages", made.Messages));

    private static string Words(BackupMade made) => string.Create(CultureInfo.InvariantCulture, $"{made.Contacts} contacts and {made.Messages} messages");

    private static string When(BackupMade made) => $"{made.MadeAt:yyyy-MM-dd HH:mm} UTC";

    private sealed class Reporter(ProgressTask bar) : IProgress<BackupProgress>
    {
        public void Report(BackupProgress value) => bar.MaxValue(value.Total).Value(value.Done);
    }
}
