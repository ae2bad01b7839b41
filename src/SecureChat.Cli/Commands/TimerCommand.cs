using System.CommandLine;

namespace SecureChat.Cli.Commands;

/// <summary><c>timer</c>: after which messages of a conversation destroy themselves.</summary>
internal static class TimerCommand
{
    public static Command Create(Cli cli)
    {
        var who = Arguments.Who();
        var time = new Argument<string?>("time") { Description = "1s to 4w, such as 30s, 5m, 2h, 1d; 'off' keeps messages. Without it the timer is shown.", Arity = ArgumentArity.ZeroOrOne };
        var sending = new Option<bool>("--from-sending") { Description = "The time begins when a message is sent, not when it is read." };
        return cli.Does(new Command("timer", "Has the messages of a conversation destroy themselves, on both sides.") { who, time, sending }, async (shell, parsed, ct) =>
        {
            var wanted = parsed.GetValue(time);
            await using var session = wanted is null ? await Session.OpenAsync(shell, ct) : await Session.ConnectAsync(shell, ct);
            var account = session.Who(parsed.GetRequiredValue(who));
            if (wanted is not null)
            {
                await session.Client.SetTimerAsync(account, wanted == "off" ? null : Durations.Parse(wanted), parsed.GetValue(sending), ct);
                await session.RefreshAsync(ct);
            }

            var timer = session.TimerOf(account);
            shell.Output.Write(
                LineType.Timer,
                timer is { } span ? $"Messages with {session.NameOf(account)} destroy themselves after {Durations.Show(span)}" : $"Messages with {session.NameOf(account)} stay",
                ("account", account.ToString()), ("seconds", (long?)timer?.TotalSeconds));
        });
    }
}
