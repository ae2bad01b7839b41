using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>One device on one socket, whatever transport carries it. Spec: docs/protocol/transport.md.</summary>
/// <remarks>
/// Inside, every frame is binary protobuf; the JSON subprotocol is translated at this edge. Writing only appends to a buffer,
/// so it may happen under any lock; <see cref="FlushBatch"/> decides when bytes move.
/// </remarks>
internal abstract class ClientSession(Caller caller, bool isJson, SessionTable table)
{
    private ISessionFrames[] _frames = [];
    private static readonly int FrameBlock = RateLimits.SocketFrames.Least;
    private int _framesInHand;
    private bool _closing;
    private long _closingSince;
    private long _pinged;

    public Caller Caller { get; } = caller;

    /// <summary>Guards the output.</summary>
    protected Lock Gate { get; } = new();

    protected bool IsJson { get; } = isJson;

    /// <summary>More is waiting than the client takes: do not produce more than is owed.</summary>
    public abstract bool IsCongested { get; }

    /// <summary>Since when data waits of which the client has taken nothing; 0: nothing waits.</summary>
    protected abstract long WaitingSince { get; }

    /// <summary>Timestamp of the last byte from the client.</summary>
    protected long LastHeard { get; set; } = table.Time.GetTimestamp();

    protected SessionTable Table { get; } = table;

    protected bool IsClosing => _closing;

    /// <summary>Joins the table of sessions; every slice opens its half.</summary>
    public async Task OpenAsync(CancellationToken ct) => _frames = await Table.OpenAsync(this, ct);

    /// <summary>Writes one binary <see cref="ServerFrame"/>, given in two parts.</summary>
    public void Write(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
    {
        lock (Gate)
        {
            if (_closing)
            {
                return;
            }

            if (IsJson)
            {
                Append(FrameJson.FromBinary(head, tail), default);
            }
            else
            {
                Append(head, tail);
            }
        }

        FlushBatch.Touch(this);
    }

    /// <summary>Writes a rare frame.</summary>
    public void Write(ServerFrame frame) => Write(Google.Protobuf.MessageExtensions.ToByteArray(frame), default);

    public void Refuse(ulong request, ProtocolError error, TimeSpan retryAfter = default) =>
        Write(new ServerFrame { Request = request, Problem = ServerFrames.Problem(error, retryAfter) });

    /// <summary>Moves what was written towards the socket.</summary>
    public void Flush()
    {
        lock (Gate)
        {
            BeginFlush();
        }
    }

    /// <summary>Says why and closes; the first reason wins. Frames written before still go out.</summary>
    public void Close(CloseCode code)
    {
        lock (Gate)
        {
            if (_closing)
            {
                return;
            }

            _closing = true;
            _closingSince = Table.Time.GetTimestamp();
            AppendClose(code);
        }

        FlushBatch.Touch(this);
    }

    /// <summary>Ends the connection without another word.</summary>
    public abstract void Abort();

    /// <summary>About once a second, from one timer for all sessions.</summary>
    public void Tick(long now)
    {
        if (_closing)
        {
            if (Table.Elapsed(_closingSince, now) > SessionTable.CloseTimeout)
            {
                Abort();
            }

            return;
        }

        if (WaitingSince is not 0 and var since && Table.Elapsed(since, now) > SessionTable.CongestionTimeout)
        {
            Table.CountSlowReader();
            Abort();
            return;
        }

        var silent = Table.Elapsed(LastHeard, now);
        if (silent > SessionTable.IdleTimeout)
        {
            Close(CloseCode.Idle);
        }
        else if (silent > SessionTable.PingAfter && _pinged < LastHeard)
        {
            _pinged = now;
            Ping();
        }

        foreach (var frames in _frames)
        {
            frames.Tick();
        }
    }

    /// <summary>Leaves the table of sessions.</summary>
    public async ValueTask LeaveAsync()
    {
        Table.Remove(this);
        foreach (var frames in _frames)
        {
            await frames.CloseAsync();
        }
    }

    /// <summary>Handles one message from the client.</summary>
    /// <param name="isText">Whether it came as text; a subprotocol takes one of the two.</param>
    protected ValueTask ReceiveAsync(ReadOnlySpan<byte> message, bool isText)
    {
        LastHeard = Table.Time.GetTimestamp();
        if (isText != IsJson)
        {
            Close(CloseCode.UnsupportedData);
            return ValueTask.CompletedTask;
        }

        if (!IsJson)
        {
            return DispatchAsync(message);
        }

        if (FrameJson.ToBinary(message) is { } binary)
        {
            return DispatchAsync(binary);
        }

        Close(CloseCode.InvalidData);
        return ValueTask.CompletedTask;
    }

    /// <summary>The socket takes data again.</summary>
    protected void OnWritable()
    {
        foreach (var frames in _frames)
        {
            frames.Writable();
        }
    }

    /// <summary>Appends one message. The gate is held.</summary>
    protected abstract void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail);

    /// <summary>Appends the close frame. The gate is held.</summary>
    protected abstract void AppendClose(CloseCode code);

    /// <summary>Starts sending unless that is under way. The gate is held.</summary>
    protected abstract void BeginFlush();

    /// <summary>Asks a silent client for a sign of life.</summary>
    protected abstract void Ping();

    private ValueTask DispatchAsync(ReadOnlySpan<byte> frame)
    {
        ulong request = 0;
        var field = 0;
        ReadOnlySpan<byte> body = default;
        var reader = new ProtoReader(frame);
        while (reader.Next())
        {
            if (reader.Field == ClientFrame.RequestFieldNumber && !reader.IsBytes)
            {
                request = reader.Number;
            }
            else if (reader.IsBytes)
            {
                field = reader.Field;
                body = reader.Bytes;
            }
        }

        if (reader.IsMalformed)
        {
            Close(CloseCode.InvalidData);
            return ValueTask.CompletedTask;
        }

        if (Table.IsLimitedBySlice(field))
        {
            return HandleAsync(field, request, body);
        }

        return _framesInHand-- > 0 ? HandleAsync(field, request, body) : HandleLaterAsync(field, request, body.ToArray());
    }

    // Asks for many frames at once, so that not every acknowledgement asks the hot store.
    private async ValueTask HandleLaterAsync(int field, ulong request, byte[] body)
    {
        var wait = await Table.TakeFramesAsync(Caller, FrameBlock);
        _framesInHand = wait > TimeSpan.Zero ? 0 : FrameBlock - 1;
        if (wait > TimeSpan.Zero)
        {
            Refuse(request, ProtocolError.RateLimited, wait);
            return;
        }

        await HandleAsync(field, request, body);
    }

    private ValueTask HandleAsync(int field, ulong request, ReadOnlySpan<byte> body)
    {
        if (field == ClientFrame.PingFieldNumber)
        {
            Write(new ServerFrame { Request = request, Pong = new Pong() });
            return ValueTask.CompletedTask;
        }

        if (Table.HandlerOf(field) is { } handler && !_closing)
        {
            return _frames[handler].HandleAsync(field, request, body);
        }

        Refuse(request, ProtocolError.Malformed);
        return ValueTask.CompletedTask;
    }
}
