using System.Buffers;
using System.Buffers.Binary;
using System.Net.WebSockets;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>A session on ASP.NET Core's WebSockets: the API's port, HTTP/2 included.</summary>
/// <remarks>
/// An idle session holds no buffer: reading starts with zero bytes, and both directions rent. No call is given a cancellation
/// token, which would cost as much as the session itself: aborting the request ends them all.
/// </remarks>
internal sealed class AspNetSession(HttpContext context, WebSocket socket, Caller caller, bool isJson, SessionTable table)
    : ClientSession(caller, isJson, table)
{
    // Beyond this the client is behind, and nothing is produced for it that is not owed.
    private const int CongestedBytes = 64 * 1024;
    private const int LengthBytes = 4;

    private readonly RequestAbort _request = new(context);

    private byte[] _out = [];
    private int _length;
    private int _inFlight;
    private long _sendingSince;
    private bool _isSending;
    private bool _hasFailed;
    private TaskCompletionSource? _sent;
    private TaskCompletionSource? _uncongested;
    private CloseCode? _close;

    public override bool IsCongested => _length + _inFlight > CongestedBytes;

    protected override long WaitingSince => Volatile.Read(ref _sendingSince);

    /// <summary>Lives until the socket is closed by either side, and disposes it.</summary>
    public async Task RunAsync()
    {
        try
        {
            await OpenAsync(CancellationToken.None);
            while ((await socket.ReceiveAsync(Memory<byte>.Empty, CancellationToken.None)).MessageType != WebSocketMessageType.Close
                && await ReceiveOneAsync())
            {
            }
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
            socket.Dispose();
            _request.End();
        }
    }

    public override void Abort() => _request.Abort();

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
        if (!_isSending && !_hasFailed && (_length > 0 || _close is not null))
        {
            _isSending = true;
            Volatile.Write(ref _sendingSince, Table.Time.GetTimestamp());
            _ = SendAllAsync();
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

    // False: there is no more to come.
    private async Task<bool> ReceiveOneAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        try
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(length * 2);
                    buffer.CopyTo(larger, 0);
                    Return(buffer);
                    buffer = larger;
                }

                part = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                length += part.Count;
                if (length > Limits.MaxFrameBytes)
                {
                    Close(CloseCode.TooBig);
                    return false;
                }
            }
            while (!part.EndOfMessage);

            if (part.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            await HandleAsync(buffer.AsSpan(0, length), part.MessageType);
        }
        finally
        {
            Return(buffer);
        }

        await UncongestedAsync();
        return true;
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
            return IsCongested && !_hasFailed
                ? (_uncongested ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task
                : Task.CompletedTask;
        }
    }

    private async Task SendAllAsync()
    {
        // Off the writer's locks: the first send may run to the socket on this thread.
        await Task.Yield();
        try
        {
            while (Take() is var (batch, length, close))
            {
                await SendAsync(batch, length);
                Return(batch);
                if (close is { } code)
                {
                    await socket.CloseOutputAsync((WebSocketCloseStatus)(int)code, null, CancellationToken.None);
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            lock (Gate)
            {
                _hasFailed = true;
                StopSending();
            }

            Abort();
        }
    }

    private async Task SendAsync(byte[] batch, int length)
    {
        for (var at = 0; at < length;)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(batch.AsSpan(at));
            await socket.SendAsync(
                batch.AsMemory(at + LengthBytes, size),
                IsJson ? WebSocketMessageType.Text : WebSocketMessageType.Binary,
                endOfMessage: true,
                CancellationToken.None);
            at += LengthBytes + size;
            OnTaken(LengthBytes + size);
        }
    }

    // The client, or what lies before it, has taken one frame.
    private void OnTaken(int bytes)
    {
        lock (Gate)
        {
            Volatile.Write(ref _sendingSince, Table.Time.GetTimestamp());
            var wasCongested = IsCongested;
            _inFlight -= bytes;
            if (!wasCongested || IsCongested)
            {
                return;
            }

            _uncongested?.TrySetResult();
            _uncongested = null;
        }

        OnWritable();
    }

    // Null ends the sending in the same breath: what is written from now on starts it again.
    private (byte[] Batch, int Length, CloseCode? Close)? Take()
    {
        lock (Gate)
        {
            if (_length == 0 && _close is null)
            {
                StopSending();
                return null;
            }

            var taken = (_out, _length, _close);
            (_out, _length, _inFlight, _close) = ([], 0, _length, null);
            return taken;
        }
    }

    // The gate is held.
    private void StopSending()
    {
        _isSending = false;
        Volatile.Write(ref _sendingSince, 0);
        _sent?.TrySetResult();
        _uncongested?.TrySetResult();
    }

    private async Task FinishSendingAsync()
    {
        using var patience = new CancellationTokenSource(SessionTable.CloseTimeout, Table.Time);
        try
        {
            Task sent;
            lock (Gate)
            {
                BeginFlush();
                _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);
                sent = _isSending ? _sent.Task : Task.CompletedTask;
            }

            await sent.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Abort();
        }
    }
}
