using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SecureChat.Server.Tests.Support;

/// <summary>A mail server that speaks just enough SMTP (RFC 5321) to take a mail, and remembers the conversation.</summary>
internal sealed class SmtpListener : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly TaskCompletionSource<ReceivedMail> _received = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _conversation;

    public SmtpListener()
    {
        _listener.Start();
        _conversation = ConverseAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public ConcurrentQueue<string> Commands { get; } = [];

    public Task<ReceivedMail> ReceiveAsync() =>
        _received.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

    public Task ConversationEndedAsync() =>
        _conversation.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

    public void Dispose() => _listener.Dispose();

    private async Task ConverseAsync()
    {
        using var client = await _listener.AcceptTcpClientAsync();
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        await using var writer = new StreamWriter(client.GetStream(), Encoding.ASCII) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 test ESMTP");
        var (from, to) = ("", "");
        while (await reader.ReadLineAsync() is { } line)
        {
            Commands.Enqueue(line);
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    await writer.WriteLineAsync("250-test");
                    await writer.WriteLineAsync("250 8BITMIME");
                    break;
                case "MAIL":
                    from = Address(line);
                    await writer.WriteLineAsync("250 ok");
                    break;
                case "RCPT":
                    to = Address(line);
                    await writer.WriteLineAsync("250 ok");
                    break;
                case "DATA":
                    await writer.WriteLineAsync("354 go on");
                    _received.SetResult(new ReceivedMail(from, to, await ReadDataAsync(reader)));
                    await writer.WriteLineAsync("250 ok");
                    break;
                case "QUIT":
                    await writer.WriteLineAsync("221 bye");
                    return;
                default:
                    await writer.WriteLineAsync("502 not known");
                    break;
            }
        }
    }

    private static async Task<string> ReadDataAsync(StreamReader reader)
    {
        var data = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line and not ".")
        {
            data.Append(line).Append('\n');
        }

        return data.ToString();
    }

    private static string Address(string line) => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];
}

/// <summary>A mail as its server got it.</summary>
internal sealed record ReceivedMail(string From, string To, string Data);
