using System.CommandLine;
using SecureChat.Cli.Chat;

namespace SecureChat.Cli.Commands;

/// <summary><c>chat</c>: a conversation, on the whole screen for a person and line by line for a program.</summary>
internal static class ChatCommand
{
    public static Command Create(Cli cli)
    {
        var who = Arguments.Who();
        var command = new Command("chat", "Talks with somebody: what you type is sent, what comes is shown. Where input or output is no terminal it works line by line, and ends with the input once everything was sent.")
        {
            who,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var with = session.Who(parsed.GetRequiredValue(who));
            if (shell.Host.IsInteractive && !shell.Output.IsJson)
            {
                await new ChatScreen(session, shell, with).RunAsync(ct);
            }
            else
            {
                await session.ConnectAsync(ct);
                await new ChatLines(session, shell, with).RunAsync(ct);
            }
        });
    }
}
