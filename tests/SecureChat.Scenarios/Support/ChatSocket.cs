using System.Buffers;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Threading.Channels;
using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Scenarios.Support;

/// <summary>The client's end of the WebSocket: frames of <c>securechat.v1.proto</c>, sent and sorted.</summary>
internal sealed class ChatSocket : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource<ServerFrame>> _asked = new();
    private readonly Channel<Deliver> _delivered = Channel.CreateUnbounded<Deliver>();
    private readonly Channel<Provisioning> _provisioned = Channel.CreateUnbounded<Provisioning>();
    private readonly TaskCompletionSource _queueEmpty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private ulong _request;
    private ulong _lastAcknowledged;
    private volatile bool _gone;

    private ChatSocket()
    {
    }

    /// <summary>Envelopes as they arrive; completes when the connection ends.</summary>
    public ChannelReader<Deliver> Delivered => _delivered.Reader;

    /// <summary>What a device that is being linked is told.</summary>
    public ChannelReader<Provisioning> Provisioned => _provisioned.Reader;

    /// <summary>Completes when the server says that the backlog was sent; fails when the connection ends before.</summary>
    public Task QueueEmpty => _queueEmpty.Task;

    /// <summary>How often the server said it: once per connection is right.</summary>
    public int QueueEmptyCount { get; private set; }

    /// <summary>Completes when the connection has ended, however that came.</summary>
    public Task Ended => _reading;

    /// <summary>The server's close code, if it gave one.</summary>
    public int? CloseCode => (int?)_socket.CloseStatus;

    /// <param name="accessToken">Null for a device that has none yet, on the provisioning path.</param>
    public static async Task<ChatSocket> ConnectAsync(Uri address, string? accessToken, CancellationToken ct)
    {
        var socket = new ChatSocket();
        socket._socket.Options.AddSubProtocol("securechat.v1.proto");
        if (accessToken is not null)
        {
            socket._socket.Options.SetRequestHeader("Authorization", $"Bearer {accessToken}");
        }

        socket._socket.Options.KeepAliveInterval = TimeSpan.Zero;
        await socket._socket.ConnectAsync(address, ct);
        socket._reading = socket.ReadAllAsync();
        return socket;
    }

    /// <summary>Sends a frame and waits for the frame that answers it.</summary>
    /// <exception cref="WebSocketException">The connection ended before the answer.</exception>
    public async Task<ServerFrame> AskAsync(ClientFrame frame, CancellationToken ct)
    {
        frame.Request = Interlocked.Increment(ref _request);
        var answer = new TaskCompletionSource<ServerFrame>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked[frame.Request] = answer;
        if (_gone)
        {
            throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
        }

        await TellAsync(frame, ct);
        return await answer.Task.WaitAsync(ct);
    }

    /// <summary>Sends a frame that needs no answer.</summary>
    public Task TellAsync(ClientFrame frame, CancellationToken ct) => WriteAsync(frame.ToByteArray(), ct);

    /// <summary>Acknowledges envelopes, which deletes them on the server.</summary>
    public Task AckAsync(IEnumerable<ulong> positions, CancellationToken ct)
    {
        var ack = new Ack { Positions = { positions } };
        _lastAcknowledged = ack.Positions[^1];
        return TellAsync(new ClientFrame { Ack = ack }, ct);
    }

    /// <summary>Returns once the server has deleted everything acknowledged so far.</summary>
    public async Task ConfirmAcksAsync(CancellationToken ct)
    {
        if (_lastAcknowledged > 0)
        {
            // Acknowledging twice is harmless, and this time the server is asked for an answer.
            await AskAsync(new ClientFrame { Ack = new Ack { Positions = { _lastAcknowledged } } }, ct);
        }
    }

    /// <summary>Sends bytes that need not be a frame at all.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> message, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            await _socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The connection is gone without a word, as when a phone loses its network.</summary>
    public async Task DropAsync()
    {
        _socket.Abort();
        await _reading;
    }

    public async ValueTask DisposeAsync()
    {
        await DropAsync();
        _socket.Dispose();
        _turn.Dispose();
    }

    private async Task ReadAllAsync()
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveAsync(buffer.GetMemory(4096), CancellationToken.None);
                if (received.MessageType is WebSocketMessageType.Close)
                {
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                    break;
                }

                buffer.Advance(received.Count);
                if (received.EndOfMessage)
                {
                    Sort(ServerFrame.Parser.ParseFrom(buffer.WrittenSpan));
                    buffer.ResetWrittenCount();
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The end of the connection is what the tests look at, not its cause.
        }

        _gone = true;
        var gone = new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
        _delivered.Writer.TryComplete();
        _provisioned.Writer.TryComplete();
        _queueEmpty.TrySetException(gone);
        _ = _queueEmpty.Task.Exception;
        foreach (var waiting in _asked.Values)
        {
            waiting.TrySetException(gone);
        }
    }

    private void Sort(ServerFrame frame)
    {
        switch (frame.BodyCase)
        {
            case ServerFrame.BodyOneofCase.Deliver:
                _delivered.Writer.TryWrite(frame.Deliver);
                break;
            case ServerFrame.BodyOneofCase.Provisioning:
                _provisioned.Writer.TryWrite(frame.Provisioning);
                break;
            case ServerFrame.BodyOneofCase.QueueEmpty:
                QueueEmptyCount++;
                _queueEmpty.TrySetResult();
                break;
            default:
                if (_asked.TryRemove(frame.Request, out var answer))
                {
                    answer.TrySetResult(frame);
                }

                break;
        }
    }
}
