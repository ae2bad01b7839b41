using System.Net;
using System.Net.Sockets;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Support;

/// <summary>A loopback port that leads to another one once it is opened: a server that comes up late.</summary>
internal sealed class Passage(int to) : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private TcpListener? _listener;

    /// <summary>Refuses connections until <see cref="Open"/>.</summary>
    public int Port { get; } = ChildProcess.FreePort();

    public void Open()
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _ = AcceptAsync(_listener);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener?.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await listener.AcceptTcpClientAsync(_end.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient();
        try
        {
            var ct = _end.Token;
            await far.ConnectAsync(IPAddress.Loopback, to, ct);
            await Task.WhenAny(
                near.GetStream().CopyToAsync(far.GetStream(), ct), far.GetStream().CopyToAsync(near.GetStream(), ct));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            // One end went away.
        }
    }
}
