using System.Net.WebSockets;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Calls;

/// <summary>What waits to be sent on one socket of a room, in order. Nothing is kept for a client that does not read.</summary>
internal sealed class RoomOutbox(WebSocket socket, AnonymousClient client, Rooms rooms)
{
    /// <summary>More than this waits for a client: it is cut off.</summary>
    public const int MaxWaitingBytes = 1 << 20;

    private readonly Lock _gate = new();
    private readonly Queue<byte[]> _waiting = [];
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waitingBytes;
    private bool _isSending;
    private long _sentAt;
    private bool _hasFailed;
    private CloseCode? _close;
    private bool _isClosing;
    private long _closingSince;

    /// <summary>Appends one encoded frame; may be called under any lock.</summary>
    public void Enqueue(byte[] frame)
    {
        lock (_gate)
        {
            if (_isClosing || _hasFailed)
            {
                return;
            }

            _waiting.Enqueue(frame);
            _waitingBytes += frame.Length;
            if (_waitingBytes <= MaxWaitingBytes)
            {
                return;
            }

            _hasFailed = true;
            _finished.TrySetResult();
        }

        rooms.CountSlowReader();
        CutOff();
    }

    /// <summary>Sends what waits, on this thread as far as the connection takes it, unless that is under way.</summary>
    public void Flush()
    {
        lock (_gate)
        {
            if (_isSending || _hasFailed || (_waiting.Count is 0 && _close is null))
            {
                return;
            }

            _isSending = true;
        }

        _ = SendAllAsync();
    }

    /// <summary>Says why and closes; the first reason wins. What was written before still goes out.</summary>
    public void Close(CloseCode code)
    {
        lock (_gate)
        {
            if (_isClosing)
            {
                return;
            }

            (_isClosing, _closingSince, _close) = (true, rooms.Time.GetTimestamp(), code);
        }

        Flush();
    }

    /// <summary>Whether the client has taken nothing for too long, or does not answer a farewell.</summary>
    public bool IsStuck(long now)
    {
        lock (_gate)
        {
            if (_isSending && rooms.Time.GetElapsedTime(_sentAt, now) > SessionTable.CongestionTimeout)
            {
                rooms.CountSlowReader();
                return true;
            }

            return _isClosing && rooms.Time.GetElapsedTime(_closingSince, now) > SessionTable.CloseTimeout;
        }
    }

    /// <summary>Waits until the farewell is sent, as long as a farewell may take.</summary>
    public async Task FinishAsync()
    {
        using var patience = new CancellationTokenSource(SessionTable.CloseTimeout, rooms.Time);
        try
        {
            await _finished.Task.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            CutOff();
        }
    }

    /// <summary>Ends the connection without another word.</summary>
    public void CutOff()
    {
        client.Abort();
        socket.Abort();
    }

    private async Task SendAllAsync()
    {
        try
        {
            while (Next() is var (frame, close))
            {
                if (frame is not null)
                {
                    await socket.SendAsync(
                        frame, client.IsJson ? WebSocketMessageType.Text : WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
                }
                else
                {
                    await socket.CloseOutputAsync((WebSocketCloseStatus)(int)close!, null, CancellationToken.None);
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or InvalidOperationException)
        {
            lock (_gate)
            {
                (_hasFailed, _isSending) = (true, false);
            }

            _finished.TrySetResult();
            CutOff();
        }
    }

    // Null ends the sending in the same breath: what is written from now on starts it again.
    private (byte[]? Frame, CloseCode? Close)? Next()
    {
        lock (_gate)
        {
            _sentAt = rooms.Time.GetTimestamp();
            if (_waiting.TryDequeue(out var frame))
            {
                _waitingBytes -= frame.Length;
                return (frame, null);
            }

            if (_close is { } code)
            {
                _close = null;
                return (null, code);
            }

            _isSending = false;
            if (_isClosing)
            {
                _finished.TrySetResult();
            }

            return null;
        }
    }
}
