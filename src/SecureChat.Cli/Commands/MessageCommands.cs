using System.CommandLine;
using SecureChat.Client.Messages;
using Progress = SecureChat.Client.Messages.Progress;

namespace SecureChat.Cli.Commands;

/// <summary><c>send</c>, <c>receive</c>, <c>open</c>.</summary>
internal static class MessageCommands
{
    public static Command Send(Cli cli)
    {
        var who = Arguments.Who();
        var text = new Argument<string?>("text") { Description = "The message; without it, all of standard input.", Arity = ArgumentArity.ZeroOrOne };
        var once = new Option<bool>("--view-once") { Description = "Opens once, and is kept nowhere afterwards." };
        var reply = new Option<string?>("--reply-to") { Description = "The id of the message that it answers." };
        var command = new Command("send", "Sends a message.")
        {
            who, text, once, reply,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var to = session.Who(parsed.GetRequiredValue(who));
            var answered = parsed.GetValue(reply) is { } prefix ? await session.MessageAsync(prefix, ct) : null;
            var body = parsed.GetValue(text) ?? await ReadAllAsync(shell, ct);
            if (body.Length == 0)
            {
                throw new CliException(ExitCode.Usage, "empty", "An empty message is none.", "Give a text.");
            }

            Exception? unreachable = null;
            try
            {
                await session.ConnectAsync(ct);
            }
            catch (HttpRequestException e)
            {
                unreachable = e;
            }

            var message = await session.Client.SendAsync(
                to, new OutgoingMessage { Text = body, ViewOnce = parsed.GetValue(once), ReplyTo = answered?.Id }, ct);
            shell.Output.Write(LineType.Sent, $"{EventPrinter.Words(message.Progress)} to {session.NameOf(to)}", EventPrinter.Fields(session, message));
            if (message.Progress == Progress.Waiting)
            {
                throw Waits(unreachable is not null);
            }
        },
        "securechat send alice \"See you at 8\"",
        "git log -1 | CHAT_PASSPHRASE_FILE=~/.pass securechat send alice");
    }

    public static Command Receive(Cli cli)
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Stays, and shows what comes until Ctrl-C." };
        var unread = new Option<bool>("--unread") { Description = "Does not count what it shows as read: no receipts, and timers do not begin." };
        var command = new Command("receive", "Shows what has come since the last time, and with --follow what comes.")
        {
            follow, unread,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var printer = new EventPrinter(session, shell.Output);
            var counts = !parsed.GetValue(unread);
            if (parsed.GetValue(follow))
            {
                await FollowAsync(session, printer, counts, ct);
                return;
            }

            await session.ConnectAsync(ct);
            await PrintAsync(session, printer, counts, session.Client.PendingEventsAsync(ct), ct);
        },
        "securechat receive",
        "securechat receive --follow --json | ./bot");
    }

    public static Command Open(Cli cli)
    {
        var which = Arguments.Message();
        var command = new Command("open", "Opens a message that opens once. Afterwards it is gone, here and on your other devices.") { which };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var message = await session.MessageAsync(parsed.GetRequiredValue(which), ct);
            if (message is { IsViewOnce: true, IsFile: true })
            {
                throw new CliException(ExitCode.Usage, "is_file", "It is a file.", $"securechat file get {message.Id}");
            }

            var inside = await session.Client.OpenOnceAsync(message, ct)
                ?? throw new CliException(ExitCode.NotFound, "not_found", "It does not open: it is no message that opens once, or your own.", "'securechat history' shows it.");
            shell.Output.Write(LineType.Opened, inside.Text ?? "", ("id", message.Id.ToString()), ("text", inside.Text));
        });
    }

    private static async Task FollowAsync(Session session, EventPrinter printer, bool counts, CancellationToken ct)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var connected = StayAsync(session, ends);
        try
        {
            await PrintAsync(session, printer, counts, session.Client.EventsAsync(ends.Token), ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Ctrl-C is how one leaves.
        }
        catch (OperationCanceledException)
        {
            await connected;
        }
    }

    private static async Task PrintAsync(
        Session session, EventPrinter printer, bool counts, IAsyncEnumerable<ChatEvent> events, CancellationToken ct)
    {
        await foreach (var told in events)
        {
            await printer.PrintAsync(told, ct);
            if (counts && told is MessageReceived { Message: { IsViewOnce: false } message })
            {
                await session.Client.MarkReadAsync([message], ct);
            }
        }
    }

    // The events do not end by themselves when the connection has ended for good.
    private static async Task StayAsync(Session session, CancellationTokenSource ends)
    {
        try
        {
            await session.Client.ConnectAsync(ends.Token);
            await session.Client.Connection.WaitAsync(ends.Token);
        }
        finally
        {
            await ends.CancelAsync();
        }
    }

    private static async Task<string> ReadAllAsync(Shell shell, CancellationToken ct)
    {
        var lines = new List<string>();
        while (await shell.Host.ReadLineAsync(secret: false, ct) is { } line)
        {
            lines.Add(line);
        }

        return string.Join('\n', lines).TrimEnd();
    }

    private static CliException Waits(bool isUnreachable) => isUnreachable
        ? new CliException(ExitCode.Unreachable, "waits", "The server cannot be reached: the message is kept.", "It goes out with the next command that connects.")
        : new CliException(ExitCode.NotDelivered, "waits", "The message is kept, and was not taken yet.",
            "If the identity of the recipient changed, compare it ('securechat verify'), then 'securechat contacts approve'.");
}
