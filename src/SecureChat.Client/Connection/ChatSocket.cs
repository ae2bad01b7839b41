using System.Net.WebSockets;
using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Connection;

/// <summary>One open socket: frames in and out. Spec: docs/protocol/transport.md.</summary>
internal sealed class ChatSocket(WebSocket socket) : IAsyncDisposable
{
    public const string Subprotocol = "securechat.v1.proto";

    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly byte[] _buffer = new byte[Limits.MaxFrameBytes];

    /// <summary>Why it closed; null while it is open or when it broke.</summary>
    public int? CloseCode => (int?)socket.CloseStatus;

    /// <summary>The next frame; null once the other side has closed.</summary>
    /// <exception cref="WebSocketException">The connection broke, or what came is no frame.</exception>
    public async Task<ServerFrame?> ReceiveAsync(CancellationToken ct)
    {
        var length = 0;
        while (true)
        {
            var part = await ReceivePartAsync(_buffer.AsMemory(length), ct);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            length += part.Count;
            if (part.EndOfMessage)
            {
                return Parse(_buffer.AsSpan(0, length));
            }

            if (length == _buffer.Length)
            {
                throw new WebSocketException("The frame is larger than the limit.");
            }
        }
    }

    public async Task SendAsync(ClientFrame frame, CancellationToken ct)
    {
        var bytes = frame.ToByteArray();
        await _sending.WaitAsync(ct);
        try
        {
            await socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
        catch (ObjectDisposedException e)
        {
            throw new WebSocketException("The connection was cut.", e);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Says farewell, if the other side is there to hear it.</summary>
    public async Task CloseAsync(CancellationToken ct)
    {
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ct);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            // It is gone: that is what was wanted.
        }
    }

    /// <summary>Ends it without a farewell: nothing was heard for too long.</summary>
    public void Abort() => socket.Abort();

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        _sending.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<ValueWebSocketReceiveResult> ReceivePartAsync(Memory<byte> buffer, CancellationToken ct)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, ct);
        }
        catch (ObjectDisposedException e)
        {
            throw new WebSocketException("The connection was cut.", e);
        }
    }

    private static ServerFrame Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return ServerFrame.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new WebSocketException("The server sent something that is no frame.", e);
        }
    }
}
