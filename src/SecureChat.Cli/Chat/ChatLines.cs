using SecureChat.Client.Messages;
using Progress = SecureChat.Client.Messages.Progress;

namespace SecureChat.Cli.Chat;

/// <summary>A conversation line by line: each line of input is a message.</summary>
internal sealed class ChatLines(Session session, Shell shell, Guid with)
{
    private static readonly TimeSpan LastWait = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    public async Task RunAsync(CancellationToken ct)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var showing = ShowAsync(ends.Token);
        ChatMessage? last = null;
        while (await shell.Host.ReadLineAsync(secret: false, ct) is { } line)
        {
            if (line.Trim().Length > 0)
            {
                last = await session.Client.SendAsync(with, line, ct);
                shell.Output.Write(LineType.Sent, new EventPrinter(session, shell.Output).Line(last), EventPrinter.Fields(session, last));
            }
        }

        var began = shell.Host.Time.GetTimestamp();
        while (last is not null && (await session.Client.FindAsync(with, last.Sender, last.Id, ct))?.Progress == Progress.Waiting
            && shell.Host.Time.GetElapsedTime(began) < LastWait)
        {
            await Task.Delay(Interval, shell.Host.Time, ct);
        }

        await ends.CancelAsync();
        await showing;
    }

    private async Task ShowAsync(CancellationToken ct)
    {
        var printer = new EventPrinter(session, shell.Output);
        try
        {
            await foreach (var told in session.Client.EventsAsync(ct))
            {
                await printer.PrintAsync(told, ct);
                if (told is MessageReceived { Message: { IsViewOnce: false } message } && message.Conversation == with)
                {
                    await session.Client.MarkReadAsync([message], ct);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The input has ended.
        }
    }
}
