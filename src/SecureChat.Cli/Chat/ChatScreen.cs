using System.Text;
using System.Threading.Channels;
using SecureChat.Client.Messages;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace SecureChat.Cli.Chat;

/// <summary>A conversation on the whole screen: messages above, what is being typed below.</summary>
internal sealed class ChatScreen(Session session, Shell shell, Guid with)
{
    private const int Frame = 5;
    private const string Help = "Enter sends · /once TEXT opens once · /timer 30s|off · /verify · /quit";

    private static readonly TimeSpan TypingEvery = TimeSpan.FromSeconds(10);

    private readonly Channel<object> _happens = Channel.CreateUnbounded<object>();
    private readonly StringBuilder _typed = new();
    private readonly EventPrinter _printer = new(session, shell.Output);
    private IReadOnlyList<ChatMessage> _messages = [];
    private DateTimeOffset _toldTyping;
    private string _status = "connecting…";
    private bool _isOver;

    public async Task RunAsync(CancellationToken ct)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(shell.Host.Out),
        });
        (console.Profile.Width, console.Profile.Height) = shell.Host.Size;
        Task[] feeding = [ConnectAsync(ends.Token), FeedEventsAsync(ends.Token), FeedKeysAsync(ends.Token)];
        try
        {
            console.Cursor.Hide();
            console.Write(new ControlCode("\u001b[?1049h"));
            await LoopAsync(console, ct);
        }
        finally
        {
            await ends.CancelAsync();
            console.Write(new ControlCode("\u001b[?1049l"));
            console.Cursor.Show();
            await Task.WhenAll(feeding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LoopAsync(IAnsiConsole console, CancellationToken ct)
    {
        await ReloadAsync(ct);
        while (!_isOver)
        {
            Draw(console);
            var first = await _happens.Reader.ReadAsync(ct);
            await ApplyAsync(first, ct);

            // One picture for all that is there.
            while (!_isOver && _happens.Reader.TryRead(out var more))
            {
                await ApplyAsync(more, ct);
            }
        }
    }

    private async Task ApplyAsync(object happened, CancellationToken ct)
    {
        switch (happened)
        {
            case ConsoleKeyInfo key:
                await PressAsync(key, ct);
                break;
            case Exception failure:
                _status = Failure.Describe(failure, shell.Profile.Name).Message;
                break;
            case ConnectionChanged connection:
                _status = connection.IsConnected ? Help : "connection lost, trying again…";
                break;
            case TypingChanged typing when typing.Account == with:
                _status = typing.Stopped ? Help : $"{session.NameOf(with)} is typing…";
                break;
            case IdentityChanged changed when changed.Account == with:
                _status = "The identity of the other side CHANGED: compare it with /verify";
                break;
            case MessageReceived { Message: { IsViewOnce: false } message } when message.Conversation == with:
                await session.Client.MarkReadAsync([message], ct);
                await ReloadAsync(ct);
                break;
            default:
                await ReloadAsync(ct);
                break;
        }
    }

    private async Task PressAsync(ConsoleKeyInfo key, CancellationToken ct)
    {
        switch (key.Key)
        {
            case ConsoleKey.Escape:
                _isOver = true;
                break;
            case ConsoleKey.Enter:
                var line = _typed.ToString().Trim();
                _typed.Clear();
                await EnterAsync(line, ct);
                break;
            case ConsoleKey.Backspace:
                _typed.Length -= _typed.Length > 0 ? 1 : 0;
                break;
            default:
                if (!char.IsControl(key.KeyChar))
                {
                    _typed.Append(key.KeyChar);
                    await TellTypingAsync(ct);
                }

                break;
        }
    }

    private async Task EnterAsync(string line, CancellationToken ct)
    {
        var (word, rest) = line.IndexOf(' ', StringComparison.Ordinal) is var at and > 0 ? (line[..at], line[(at + 1)..].Trim()) : (line, "");
        try
        {
            switch (word)
            {
                case "":
                    return;
                case "/quit":
                    _isOver = true;
                    return;
                case "/verify":
                    _status = await session.Client.SafetyNumberAsync(with, ct) is { } number
                        ? string.Join(' ', number.Display.Chunk(5).Select(group => new string(group)))
                        : "Not known yet: exchange a message first.";
                    return;
                case "/timer":
                    await session.Client.SetTimerAsync(with, rest == "off" ? null : Durations.Parse(rest), fromSending: false, ct);
                    _status = rest == "off" ? "Messages stay from now on." : $"Messages destroy themselves {rest} after they were read.";
                    break;
                case "/once":
                    await session.Client.SendAsync(with, new OutgoingMessage { Text = rest, ViewOnce = true }, ct);
                    break;
                default:
                    await session.Client.SendAsync(with, line, ct);
                    break;
            }

            await ReloadAsync(ct);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            _status = Failure.Describe(failure, shell.Profile.Name).Message;
        }
    }

    private async Task TellTypingAsync(CancellationToken ct)
    {
        var now = shell.Host.Time.GetUtcNow();
        if (now - _toldTyping < TypingEvery || _typed.ToString().StartsWith('/'))
        {
            return;
        }

        _toldTyping = now;
        try
        {
            await session.Client.SendTypingAsync(with, stopped: false, ct);
        }
        catch (Exception e) when (e is HttpRequestException or Client.Connection.ServerException)
        {
            // Nobody waits for it.
        }
    }

    private async Task ReloadAsync(CancellationToken ct)
    {
        await session.RefreshAsync(ct);
        _messages = await session.Client.MessagesAsync(with, ct);
    }

    private void Draw(IAnsiConsole console)
    {
        var rows = console.Profile.Height - Frame;
        var options = RenderOptions.Create(console, console.Profile.Capabilities);
        var lines = _messages.TakeLast(rows)
            .SelectMany(message => Segment.SplitLines(((IRenderable)TextOf(message)).Render(options, console.Profile.Width)))
            .TakeLast(rows).ToList();
        console.Write(new ControlCode("\u001b[H\u001b[2J"));
        console.Write(new Rule(Markup.Escape(session.NameOf(with))).LeftJustified());
        foreach (var line in lines)
        {
            console.Write(new Row(line));
            console.WriteLine();
        }

        console.Write(new ControlCode($"\u001b[{rows + 2};1H"));
        console.Write(new Rule().RuleStyle(Style.Parse("grey")));
        console.Write(new Text("› " + Output.Safe(_typed.ToString()) + "▏", Style.Parse("bold")) { Overflow = Overflow.Ellipsis });
        console.WriteLine();
        console.Write(new Text(Output.Safe(_status), Style.Parse("grey")) { Overflow = Overflow.Ellipsis });
    }

    private Text TextOf(ChatMessage message)
    {
        var isOwn = message.Sender == session.Client.Account;
        var text = _printer.Line(message) + (isOwn ? $"  ({EventPrinter.Words(message.Progress)})" : "");
        return new Text(Output.Safe(text), Style.Parse(isOwn ? "green" : "cyan"));
    }

    private async Task ConnectAsync(CancellationToken ct)
    {
        try
        {
            await session.Client.ConnectAsync(ct);
            await session.Client.Connection.WaitAsync(ct);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            _happens.Writer.TryWrite(failure);
        }
    }

    private async Task FeedEventsAsync(CancellationToken ct)
    {
        await foreach (var told in session.Client.EventsAsync(ct))
        {
            _happens.Writer.TryWrite(told);
        }
    }

    private async Task FeedKeysAsync(CancellationToken ct)
    {
        while (true)
        {
            _happens.Writer.TryWrite(await shell.Host.ReadKeyAsync(ct));
        }
    }

    private sealed class Row(SegmentLine line) : Renderable
    {
        protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => line;
    }
}
