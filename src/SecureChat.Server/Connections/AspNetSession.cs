using System.Buffers;
using System.Buffers.Binary;
using System.Net.WebSockets;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>A session on ASP.NET Core's WebSockets: the API's port, HTTP/2 included.</summary>
/// <remarks>An idle session holds no buffer: reading starts with zero bytes, and both directions rent.</remarks>
internal sealed class AspNetSession(WebSocket socket, Caller caller, bool isJson, SessionTable table, CancellationToken aborted)
    : ClientSession(caller, isJson, table)
{
    // Beyond this the client is behind, and nothing is produced for it that is not owed.
    private const int CongestedBytes = 64 * 1024;
    private const int LengthBytes = 4;

    private byte[] _out = [];
    private int _length;
    private Task _sending = Task.CompletedTask;
    private TaskCompletionSource? _uncongested;
    private CloseCode? _close;
    private bool _closeSent;

    public override bool IsCongested => _length > CongestedBytes;

    /// <summary>Lives until the socket is closed by either side.</summary>
    public async Task RunAsync()
    {
        try
        {
            await OpenAsync(aborted);
            await ReceiveAllAsync();
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client went away, or was cut off.
        }
        finally
        {
            await LeaveAsync();
            Close(CloseCode.Normal);
            await FinishSendingAsync();
        }
    }

    public override void Abort() => socket.Abort();

    protected override void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
    {
        var size = head.Length + tail.Length;
        var needed = _length + LengthBytes + size;
        if (needed > _out.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, Math.Min(_out.Length * 2, 1 << 20)));
            _out.AsSpan(0, _length).CopyTo(larger);
            Return(_out);
            _out = larger;
        }

        BinaryPrimitives.WriteInt32LittleEndian(_out.AsSpan(_length), size);
        head.CopyTo(_out.AsSpan(_length + LengthBytes));
        tail.CopyTo(_out.AsSpan(_length + LengthBytes + head.Length));
        _length = needed;
    }

    protected override void AppendClose(CloseCode code) => _close = code;

    protected override void BeginFlush()
    {
        if (_sending.IsCompleted && (_length > 0 || (_close is not null && !_closeSent)))
        {
            _sending = SendAllAsync();
        }
    }

    // ASP.NET's WebSocket sends no ping by hand; this one needs no answer but makes a dead connection show.
    protected override void Ping() => Write(new Protocol.Proto.ServerFrame { Pong = new Protocol.Proto.Pong() });

    private static void Return(byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task ReceiveAllAsync()
    {
        while (true)
        {
            await socket.ReceiveAsync(Memory<byte>.Empty, aborted);
            var buffer = ArrayPool<byte>.Shared.Rent(4096);
            try
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    if (length == buffer.Length)
                    {
                        if (length > Limits.MaxFrameBytes)
                        {
                            Close(CloseCode.TooBig);
                            return;
                        }

                        var larger = ArrayPool<byte>.Shared.Rent(length * 2);
                        buffer.CopyTo(larger, 0);
                        ArrayPool<byte>.Shared.Return(buffer);
                        buffer = larger;
                    }

                    part = await socket.ReceiveAsync(buffer.AsMemory(length), aborted);
                    length += part.Count;
                }
                while (!part.EndOfMessage);

                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                if (length > Limits.MaxFrameBytes)
                {
                    Close(CloseCode.TooBig);
                    return;
                }

                await HandleAsync(buffer.AsSpan(0, length), part.MessageType);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            await UncongestedAsync();
        }
    }

    private ValueTask HandleAsync(ReadOnlySpan<byte> message, WebSocketMessageType type)
    {
        FlushBatch.Begin();
        try
        {
            return ReceiveAsync(message, type == WebSocketMessageType.Text);
        }
        finally
        {
            FlushBatch.End();
        }
    }

    private Task UncongestedAsync()
    {
        lock (Gate)
        {
            return IsCongested
                ? (_uncongested ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(aborted)
                : Task.CompletedTask;
        }
    }

    private async Task SendAllAsync()
    {
        // Off the writer's locks: the first send may run to the socket on this thread.
        await Task.Yield();
        try
        {
            while (Take() is var (batch, length))
            {
                for (var at = 0; at < length;)
                {
                    var size = BinaryPrimitives.ReadInt32LittleEndian(batch.AsSpan(at));
                    await socket.SendAsync(
                        batch.AsMemory(at + LengthBytes, size),
                        IsJson ? WebSocketMessageType.Text : WebSocketMessageType.Binary,
                        endOfMessage: true,
                        aborted);
                    at += LengthBytes + size;
                }

                Return(batch);
                if (length > CongestedBytes)
                {
                    OnWritable();
                }
            }

            if (_close is { } code && !_closeSent)
            {
                _closeSent = true;
                await socket.CloseOutputAsync((WebSocketCloseStatus)(int)code, null, aborted);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            socket.Abort();
        }
    }

    private (byte[] Batch, int Length)? Take()
    {
        lock (Gate)
        {
            if (_length == 0)
            {
                return null;
            }

            var taken = (_out, _length);
            (_out, _length) = ([], 0);
            _uncongested?.TrySetResult();
            _uncongested = null;
            return taken;
        }
    }

    private async Task FinishSendingAsync()
    {
        using var patience = new CancellationTokenSource(SessionTable.CloseTimeout, Table.Time);
        try
        {
            Flush();
            await _sending.WaitAsync(patience.Token);
            Flush();
            await _sending.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            socket.Abort();
        }
    }
}
