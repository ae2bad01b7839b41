using System.CommandLine;
using Microsoft.AspNetCore.StaticFiles;
using SecureChat.Client;
using SecureChat.Client.Files;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using Spectre.Console;

namespace SecureChat.Cli.Commands;

/// <summary><c>file</c>: files by way of the server's relay, which sees ciphertext and forgets it.</summary>
internal static class FileCommands
{
    public static Command Create(Cli cli)
    {
        var file = new Command("file", "Sends and fetches files, encrypted; the server keeps one for two hours at most.");
        file.Add(Send(cli));
        file.Add(Get(cli));
        return file;
    }

    private static Command Send(Cli cli)
    {
        var who = Arguments.Who();
        var path = new Argument<FileInfo>("path") { Description = "The file: at most 96 MiB." };
        var once = new Option<bool>("--view-once") { Description = "It can be fetched once." };
        var caption = new Option<string>("--caption") { Description = "A text with it.", DefaultValueFactory = _ => "" };
        return cli.Does(new Command("send", "Encrypts a file, uploads it and tells somebody.") { who, path, once, caption }, async (shell, parsed, ct) =>
        {
            var source = parsed.GetRequiredValue(path);
            if (!source.Exists)
            {
                throw new CliException(ExitCode.NotFound, "not_found", $"There is no file '{source.Name}'.", "Check the path.");
            }

            await using var session = await Session.ConnectAsync(shell, ct);
            var to = session.Who(parsed.GetRequiredValue(who));
            await using var content = source.OpenRead();
            var type = new FileExtensionContentTypeProvider().TryGetContentType(source.Name, out var known) ? known : "application/octet-stream";
            var file = new OutgoingFile(content, source.Name, type) { ViewOnce = parsed.GetValue(once), Caption = parsed.GetRequiredValue(caption) };
            ChatMessage? message = null;
            await WithProgressAsync(shell, "Sending", async progress => message = await session.Client.SendFileAsync(to, file, progress, ct));
            shell.Output.Write(
                "sent", $"{EventPrinter.Words(message!.Progress)} to {session.NameOf(to)}: {source.Name}, {EventPrinter.Size((ulong)source.Length)}", EventPrinter.Fields(message));
        });
    }

    private static Command Get(Cli cli)
    {
        var which = Arguments.Message();
        var into = new Option<string?>("--out", "-o") { Description = "Where to: a path that is free. Without it the sender's name for it, in this folder." };
        return cli.Does(new Command("get", "Fetches a file that somebody sent. One that opens once is gone afterwards.") { which, into }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var message = await session.MessageAsync(parsed.GetRequiredValue(which), ct);
            if (!message.IsFile)
            {
                throw new CliException(ExitCode.Usage, "no_file", "That message is no file.", "'securechat history WHO --ids' shows which are.");
            }

            var given = parsed.GetValue(into);
            if (given is not null && Path.Exists(given))
            {
                throw Taken(given);
            }

            var media = message.Media ?? (await session.Client.OpenOnceAsync(message, ct))?.Media
                ?? throw new CliException(ExitCode.NotFound, "not_found", "It does not open: it is your own.", "Only the recipient opens it.");
            var target = given ?? EventPrinter.FileName(media);
            if (Path.Exists(target))
            {
                throw Taken(target);
            }

            await DownloadAsync(shell, session.Client, media, target, ct);
            shell.Output.Write("fetched", $"{target}, {EventPrinter.Size(media.Length)}", ("id", message.Id.ToString()), ("path", Path.GetFullPath(target)), ("bytes", media.Length));
        });
    }

    // Half a file never stands under the name of the whole.
    private static async Task DownloadAsync(Shell shell, ChatClient client, Media media, string target, CancellationToken ct)
    {
        var part = target + ".part";
        try
        {
            await using (var file = new FileStream(part, FileMode.Create, FileAccess.Write))
            {
                await WithProgressAsync(shell, "Fetching", progress => client.DownloadAsync(media, file, progress, ct));
            }

            File.Move(part, target);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    private static Task WithProgressAsync(Shell shell, string label, Func<IProgress<FileProgress>?, Task> work)
    {
        if (!shell.Host.IsInteractive || shell.Output.IsJson)
        {
            return work(null);
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(shell.Host.Error) });
        return console.Progress().AutoClear(true).StartAsync(async bars =>
        {
            var bar = bars.AddTask(label);
            await work(new Reporter(bar));
        });
    }

    private static CliException Taken(string path) =>
        new(ExitCode.Usage, "exists", $"'{path}' exists already.", "Give another place with --out.");

    private sealed class Reporter(ProgressTask bar) : IProgress<FileProgress>
    {
        public void Report(FileProgress value) => bar.MaxValue(value.Total).Value(value.Done);
    }
}
