using System.Net;

namespace SecureChat.Bench.Load;

/// <summary>All connections of a run on one thread: no lock, no task and, once warm, no allocation per message.</summary>
internal sealed class EventLoop : IDisposable
{
    private readonly Poller _poller = new();
    private readonly List<Connection> _connections = [];
    private readonly List<Connection> _unflushed = [];

    /// <summary>Received bytes are parsed here; large enough for the longest frame behind a partial one.</summary>
    public byte[] Input { get; } = new byte[512 * 1024];

    /// <summary>Output buffers are lent while there is something to send, so that idle connections hold none.</summary>
    public Stack<byte[]> Buffers { get; } = new();

    /// <summary>Connects and starts the connection's handshake.</summary>
    public void Open(Connection connection, IPEndPoint server)
    {
        connection.Attach(this, _connections.Count, server);
        _connections.Add(connection);
        _poller.Add(connection.Socket, connection.Token);
        connection.Begin();
        Flush();
    }

    /// <summary>Handles what has arrived, waiting at most <paramref name="wait"/> for something to arrive.</summary>
    public void Turn(TimeSpan wait)
    {
        Flush();
        var count = _poller.Wait(wait);
        for (var i = 0; i < count; i++)
        {
            _connections[_poller.TokenOf(i)].OnReady();
            Flush();
        }
    }

    /// <summary>Turns until <paramref name="done"/>; false when <paramref name="limit"/> passed first.</summary>
    public bool TurnUntil(Func<bool> done, TimeSpan limit, CancellationToken ct)
    {
        var end = Clock.After(limit);
        while (!done())
        {
            ct.ThrowIfCancellationRequested();
            if (Clock.Now >= end)
            {
                return false;
            }

            Turn(TimeSpan.FromMilliseconds(10));
        }

        return true;
    }

    public void ToFlush(Connection connection) => _unflushed.Add(connection);

    public void WatchOutput(Connection connection, bool watch) =>
        _poller.WatchOutput(connection.Socket, connection.Token, watch);

    public void Dispose()
    {
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }

        _poller.Dispose();
    }

    private void Flush()
    {
        // Flushing may add output to other connections.
        for (var i = 0; i < _unflushed.Count; i++)
        {
            _unflushed[i].Flush();
        }

        _unflushed.Clear();
    }
}
