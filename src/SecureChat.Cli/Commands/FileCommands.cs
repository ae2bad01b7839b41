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
    private const int MostPreview = 8 * 1024;

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
        var preview = new Option<FileInfo?>("--preview") { Description = "A small picture of it, 8 KiB at most, which comes with the message itself." };
        return cli.Does(new Command("send", "Encrypts a file, uploads it and tells somebody.") { who, path, once, caption, preview }, async (shell, parsed, ct) =>
        {
            var source = parsed.GetRequiredValue(path);
            if (!source.Exists)
            {
                throw new CliException(ExitCode.NotFound, "not_found", $"There is no file '{source.Name}'.", "Check the path.");
            }

            var small = await PreviewAsync(parsed.GetValue(preview), ct);
            await using var session = await Session.ConnectAsync(shell, ct);
            var to = session.Who(parsed.GetRequiredValue(who));
            await using var content = source.OpenRead();
            var type = new FileExtensionContentTypeProvider().TryGetContentType(source.Name, out var known) ? known : "application/octet-stream";
            var file = new OutgoingFile(content, source.Name, type) { ViewOnce = parsed.GetValue(once), Caption = parsed.GetRequiredValue(caption), Preview = small };
            ChatMessage? message = null;
            await WithProgressAsync(shell, "Sending", async progress => message = await session.Client.SendFileAsync(to, file, progress, ct));
            shell.Output.Write(
                LineType.Sent, $"{EventPrinter.Words(message!.Progress)} to {session.NameOf(to)}: {source.Name}, {EventPrinter.Size((ulong)source.Length)}", EventPrinter.Fields(session, message));
        });
    }

    private static async Task<byte[]> PreviewAsync(FileInfo? preview, CancellationToken ct) => preview switch
    {
        null => [],
        { Exists: false } => throw new CliException(ExitCode.NotFound, "not_found", $"There is no file '{preview.Name}'.", "Check the path."),
        { Length: > MostPreview } => throw new CliException(ExitCode.Usage, "too_large", $"'{preview.Name}' is larger than {MostPreview} bytes.", "Make it smaller: it is shown before anything is fetched."),
        _ => await File.ReadAllBytesAsync(preview.FullName, ct),
    };

    private static Command Get(Cli cli)
    {
        var which = Arguments.Message();
        var into = new Option<string?>("--out", "-o") { Description = "Where to: a path that is free. Without it the sender's name for it, in this folder." };
        var command = new Command("get", "Fetches a file that somebody sent. One that opens once is gone afterwards.") { which, into };
        command.Aliases.Add("receive");
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var message = await session.MessageAsync(parsed.GetRequiredValue(which), ct);
            if (!message.IsFile)
            {
                throw new CliException(ExitCode.Usage, "no_file", "That message is no file.", "'securechat history WHO --ids' shows which are.");
            }

            var named = parsed.GetValue(into);
            FreePlace? file = null;
            try
            {
                var media = await FetchAsync(shell, session.Client, message, media => (file = FreePlace.Take(named ?? EventPrinter.FileName(media), "--out")).Content, ct);
                var path = file!.Keep();
                shell.Output.Write(
                    LineType.Fetched, $"{path}, {EventPrinter.Size(media.Length)}", ("id", message.Id.ToString()), ("path", Path.GetFullPath(path)), ("bytes", media.Length));
            }
            finally
            {
                file?.Dispose();
            }
        });
    }

    private static async Task<Media> FetchAsync(Shell shell, ChatClient client, ChatMessage message, Func<Media, Stream> to, CancellationToken ct)
    {
        var media = message.Media;
        await WithProgressAsync(shell, "Fetching", async progress =>
        {
            if (media is not null)
            {
                await client.DownloadAsync(media, to(media), progress, ct);
                return;
            }

            media = await client.DownloadOnceAsync(message, to, progress, ct)
                ?? throw new CliException(ExitCode.NotFound, "not_found", "It does not open: it is your own.", "Only the recipient opens it.");
        });
        return media!;
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

    private sealed class Reporter(ProgressTask bar) : IProgress<FileProgress>
    {
        public void Report(FileProgress value) => bar.MaxValue(value.Total).Value(value.Done);
    }
}
