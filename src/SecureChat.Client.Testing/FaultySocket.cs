using System.Net.WebSockets;
using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Testing;

/// <summary>A client's end of a socket whose frames a <see cref="FaultyNetwork"/> loses, repeats, holds back or makes up.</summary>
internal sealed class FaultySocket(FaultyNetwork network, WebSocket server) : WebSocket
{
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<byte[]> _arrived = [];
    private readonly byte[] _buffer = new byte[Limits.MaxFrameBytes];

    private byte[]? _reading;
    private int _read;

    /// <inheritdoc/>
    public override WebSocketCloseStatus? CloseStatus => server.CloseStatus;

    /// <inheritdoc/>
    public override string? CloseStatusDescription => server.CloseStatusDescription;

    /// <inheritdoc/>
    public override WebSocketState State => server.State;

    /// <inheritdoc/>
    public override string? SubProtocol => server.SubProtocol;

    /// <inheritdoc/>
    public override void Abort()
    {
        _aborted.TrySetResult();
        server.Abort();
    }

    /// <inheritdoc/>
    public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        server.CloseAsync(closeStatus, statusDescription, cancellationToken);

    /// <inheritdoc/>
    public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        server.CloseOutputAsync(closeStatus, statusDescription, cancellationToken);

    /// <inheritdoc/>
    public override void Dispose() => server.Dispose();

    /// <inheritdoc/>
    public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
    {
        while (_reading is null && !_arrived.TryDequeue(out _reading))
        {
            if (await ReceiveFrameAsync(cancellationToken) is not { } frame)
            {
                return new WebSocketReceiveResult(0, WebSocketMessageType.Close, endOfMessage: true, CloseStatus, CloseStatusDescription);
            }

            foreach (var arriving in network.OnDelivery(frame))
            {
                _arrived.Enqueue(arriving.ToByteArray());
            }
        }

        var count = Math.Min(buffer.Count, _reading.Length - _read);
        _reading.AsSpan(_read, count).CopyTo(buffer);
        _read += count;
        var isEnd = _read == _reading.Length;
        if (isEnd)
        {
            (_reading, _read) = (null, 0);
        }

        return new WebSocketReceiveResult(count, WebSocketMessageType.Binary, isEnd);
    }

    /// <inheritdoc/>
    public override Task SendAsync(
        ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        network.AreSocketsSilent || !network.OnSending(ClientFrame.Parser.ParseFrom(buffer.AsSpan()))
            ? Task.CompletedTask
            : server.SendAsync(buffer, messageType, endOfMessage, cancellationToken);

    /// <summary>The next frame of the server; null once it has closed. While sockets are silent there is none.</summary>
    private async Task<ServerFrame?> ReceiveFrameAsync(CancellationToken ct)
    {
        for (var length = 0; ;)
        {
            var part = await server.ReceiveAsync(_buffer.AsMemory(length), ct);
            if (network.AreSocketsSilent)
            {
                await _aborted.Task.WaitAsync(ct);
                throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
            }

            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            length += part.Count;
            if (part.EndOfMessage)
            {
                return ServerFrame.Parser.ParseFrom(_buffer.AsSpan(0, length));
            }
        }
    }
}
