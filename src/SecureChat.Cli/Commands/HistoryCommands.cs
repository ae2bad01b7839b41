using System.CommandLine;
using SecureChat.Client.Messages;

namespace SecureChat.Cli.Commands;

/// <summary><c>history</c> and <c>message</c>: what was said, and what can still be changed about it.</summary>
internal static class HistoryCommands
{
    public static Command History(Cli cli)
    {
        var who = Arguments.Who();
        var last = new Option<int>("--last", "-n") { Description = "How many.", DefaultValueFactory = _ => 50 };
        var ids = new Option<bool>("--ids") { Description = "Shows the id and the state of each too." };
        return cli.Does(new Command("history", "Shows a conversation, without a network.") { who, last, ids }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var printer = new EventPrinter(session, shell.Output);
            var messages = await session.Client.MessagesAsync(session.Who(parsed.GetRequiredValue(who)), ct);
            foreach (var message in messages.TakeLast(Math.Max(1, parsed.GetValue(last))))
            {
                var state = message.Sender == session.Client.Account ? EventPrinter.Words(message.Progress) : "received";
                var lead = parsed.GetValue(ids) ? $"{message.Id}  {state,-13}  " : "";
                shell.Output.Write(LineType.Message, lead + printer.Line(message), EventPrinter.Fields(session, message));
            }
        });
    }

    public static Command Message(Cli cli)
    {
        var message = new Command("message", "Changes a message: edit, take back, react.");
        var text = new Argument<string>("text") { Description = "What it says from now on." };
        var emoji = new Argument<string>("emoji") { Description = "One emoji; an empty one takes yours back." };
        message.Add(OnMessage(cli, "edit", "Puts another text in the place of a message of yours.", text,
            (session, target, parsed, ct) => session.Client.EditAsync(Own(session, target), parsed.GetRequiredValue(text), ct)));
        message.Add(OnMessage(cli, "take-back", "Takes a message of yours back, on all devices.", null,
            (session, target, _, ct) => session.Client.TakeBackAsync(Own(session, target), ct)));
        message.Add(OnMessage(cli, "react", "Reacts to a message.", emoji,
            (session, target, parsed, ct) => session.Client.ReactAsync(target, parsed.GetRequiredValue(emoji), ct)));
        return message;
    }

    private static Command OnMessage(
        Cli cli, string verb, string description, Argument<string>? more, Func<Session, ChatMessage, ParseResult, CancellationToken, Task> change)
    {
        var which = Arguments.Message();
        var command = new Command(verb, description) { which };
        if (more is not null)
        {
            command.Add(more);
        }

        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var target = await session.MessageAsync(parsed.GetRequiredValue(which), ct);
            await change(session, target, parsed, ct);
            var now = await session.Client.FindAsync(target.Conversation, target.Sender, target.Id, ct) ?? target;
            shell.Output.Write(LineType.Changed, new EventPrinter(session, shell.Output).Line(now), EventPrinter.Fields(session, now));
        });
    }

    private static ChatMessage Own(Session session, ChatMessage message) => message.Sender == session.Client.Account
        ? message
        : throw new CliException(ExitCode.Usage, "not_yours", "That message is not yours.", "Only its sender can change it; react to it instead.");
}
