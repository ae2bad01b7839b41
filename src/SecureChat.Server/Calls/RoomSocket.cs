using System.Buffers;
using System.Net.WebSockets;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Connections;
using StackExchange.Redis;

namespace SecureChat.Server.Calls;

/// <summary>One client's socket on <c>/ws/rooms</c>: in no room, or in one. Spec: docs/protocol/calls.md#rooms.</summary>
internal sealed class RoomSocket(WebSocket socket, AnonymousClient client, Rooms rooms)
{
    /// <summary>Who says nothing for this long has left.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(45);

    /// <summary>The fields of <c>RoomClientFrame.body</c>, each with its limit.</summary>
    public static readonly IReadOnlyDictionary<int, RateLimit> Fields = new Dictionary<int, RateLimit>
    {
        [RoomClientFrame.JoinFieldNumber] = RateLimits.JoinRoom,
        [RoomClientFrame.LeaveFieldNumber] = RateLimits.RoomFrames,
        [RoomClientFrame.SignalFieldNumber] = RateLimits.RoomSignals,
        [RoomClientFrame.PingFieldNumber] = RateLimits.RoomFrames,
    };

    // A name for its limits that leads nowhere.
    private readonly byte[] _name = RandomNumberGenerator.GetBytes(8);
    private readonly RoomOutbox _outbox = new(socket, client, rooms);
    private long _heardAt = rooms.Time.GetTimestamp();
    private long _inRoomAt = rooms.Time.GetTimestamp();
    private int _signalsInHand;
    private int _framesInHand;
    private volatile Room? _room;

    /// <summary>The peer's number in its room.</summary>
    public uint Number { get; set; }

    /// <summary>Lives until the socket is closed by either side.</summary>
    public async Task RunAsync()
    {
        try
        {
            // With zero bytes first: a silent socket holds no buffer.
            while ((await socket.ReceiveAsync(Memory<byte>.Empty, CancellationToken.None)).MessageType is not WebSocketMessageType.Close
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
            await _outbox.FinishAsync();
        }
    }

    /// <summary>Puts a frame into the queue; may be called under any lock. <see cref="Flush"/> sends.</summary>
    public void Enqueue(RoomFrame frame) => _outbox.Enqueue(frame.Encoded(client.IsJson));

    public void Flush() => _outbox.Flush();

    public void Write(RoomFrame frame)
    {
        Enqueue(frame);
        Flush();
    }

    /// <inheritdoc cref="RoomOutbox.Close"/>
    public void Close(CloseCode code) => _outbox.Close(code);

    /// <summary>About once a second.</summary>
    public void Tick(long now)
    {
        _inRoomAt = _room is null ? _inRoomAt : now;
        if (_outbox.IsStuck(now))
        {
            _outbox.CutOff();
        }
        else if (rooms.Time.GetElapsedTime(Volatile.Read(ref _heardAt), now) > IdleTimeout || rooms.Time.GetElapsedTime(_inRoomAt, now) > IdleTimeout)
        {
            Close(CloseCode.Idle);
        }
    }

    // False: there is no more to come.
    private async Task<bool> ReceiveOneAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
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
                    ArrayPool<byte>.Shared.Return(buffer);
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

            return part.MessageType is not WebSocketMessageType.Close && await HandleAsync(buffer.AsMemory(0, length), part.MessageType);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<bool> HandleAsync(ReadOnlyMemory<byte> message, WebSocketMessageType type)
    {
        Volatile.Write(ref _heardAt, rooms.Time.GetTimestamp());
        if (type is WebSocketMessageType.Text != client.IsJson)
        {
            Close(CloseCode.UnsupportedData);
            return false;
        }

        if (RoomFrame.Read(message.Span, client.IsJson) is not { } frame)
        {
            Close(CloseCode.InvalidData);
            return false;
        }

        try
        {
            await (frame.BodyCase switch
            {
                RoomClientFrame.BodyOneofCase.Signal => SignalAsync(frame.Request, frame.Signal),
                RoomClientFrame.BodyOneofCase.Join => JoinAsync(frame.Request, frame.Join),
                _ => HandleOtherAsync(frame),
            });
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            Refuse(frame.Request, ProtocolError.Unavailable);
        }

        return true;
    }

    private async Task JoinAsync(ulong request, JoinRoom join)
    {
        if (join.Capability.Length != Limits.RoomCapabilityBytes || _room is not null)
        {
            Refuse(request, ProtocolError.Malformed);
        }
        else if (await rooms.Door.AdmitAsync(client.Network, join.Proof, CancellationToken.None) is { } problem)
        {
            Write(new RoomFrame(new RoomServerFrame { Request = request, Problem = problem }));
        }
        else if ((_room = await rooms.JoinAsync(this, join.Capability.Memory, request, CancellationToken.None)) is null)
        {
            Refuse(request, ProtocolError.RoomFull);
        }
    }

    private async Task SignalAsync(ulong request, RoomSignal signal)
    {
        if (_room is not { } room || signal.Content.Length is 0 or > Limits.MaxSignalBytes)
        {
            Refuse(request, ProtocolError.Malformed);
            return;
        }

        var recipients = room.Recipients(Number, signal.Peer);
        if (await TakeSignalsAsync(Math.Max(1, recipients)) is var wait && wait > TimeSpan.Zero)
        {
            Refuse(request, ProtocolError.RateLimited, wait);
            return;
        }

        if (recipients is 0 && signal.Peer is not 0)
        {
            Refuse(request, ProtocolError.NotFound);
            return;
        }

        await room.SignalAsync(Number, signal.Peer, signal.Content, CancellationToken.None);
        rooms.CountSignal();
        if (request is not 0)
        {
            Write(new RoomFrame(new RoomServerFrame { Request = request, Sent = new SignalSent() }));
        }
    }

    // Leave, ping, and what this server does not know.
    private async Task HandleOtherAsync(RoomClientFrame frame)
    {
        if (await TakeFrameAsync() is var wait && wait > TimeSpan.Zero)
        {
            Refuse(frame.Request, ProtocolError.RateLimited, wait);
        }
        else if (frame.BodyCase is RoomClientFrame.BodyOneofCase.Ping)
        {
            Write(new RoomFrame(new RoomServerFrame { Request = frame.Request, Pong = new Pong() }));
        }
        else if (frame.BodyCase is RoomClientFrame.BodyOneofCase.Leave && _room is not null)
        {
            await LeaveAsync();
            Write(RoomFrame.PeerLeft(Number, frame.Request));
        }
        else
        {
            Refuse(frame.Request, ProtocolError.Malformed);
        }
    }

    private async Task LeaveAsync()
    {
        if (_room is { } room)
        {
            _room = null;
            await rooms.LeaveAsync(room, this);
        }
    }

    private void Refuse(ulong request, ProtocolError error, TimeSpan wait = default) => Write(RoomFrame.Refusal(request, error, wait));

    // In blocks: not every signal asks the hot store.
    private async ValueTask<TimeSpan> TakeSignalsAsync(int count)
    {
        if (_signalsInHand < count)
        {
            var wait = await rooms.Limiter.TakeAsync(RateLimits.RoomSignals, _name, RateLimits.RoomSignals.Least, CancellationToken.None);
            if (wait > TimeSpan.Zero)
            {
                return wait;
            }

            _signalsInHand += RateLimits.RoomSignals.Least;
        }

        _signalsInHand -= count;
        return TimeSpan.Zero;
    }

    private async ValueTask<TimeSpan> TakeFrameAsync()
    {
        if (_framesInHand is 0)
        {
            var wait = await rooms.Limiter.TakeAsync(RateLimits.RoomFrames, _name, RateLimits.RoomFrames.Least, CancellationToken.None);
            if (wait > TimeSpan.Zero)
            {
                return wait;
            }

            _framesInHand = RateLimits.RoomFrames.Least;
        }

        _framesInHand--;
        return TimeSpan.Zero;
    }

    private const int FirstBuffer = 4096;
}
