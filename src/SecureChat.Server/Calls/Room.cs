using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Calls;

/// <summary>A room as one node sees it: the peers whose sockets are here, and those that are elsewhere. Spec: docs/protocol/calls.md#rooms.</summary>
/// <remarks>
/// <para>Who is in the room stands in <see cref="RoomSlots"/>; the channel <c>room:name</c> says what changes, and carries signals between nodes. A notice may be
/// lost: every node compares with the slots now and then, and whoever is heard of for the first time has joined.</para>
/// <para>A notice is node (8), kind (1), from (4), to (4), content.</para>
/// </remarks>
internal sealed class Room(string name, ulong node, IHotStore hot, RoomSlots slots) : IAsyncDisposable
{
    // Joining, leaving and comparing wait for each other; signals wait for nobody.
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _gate = new();
    private volatile Seat[] _here = [];
    private volatile RoomPeer[] _elsewhere = [];
    private IAsyncDisposable? _subscription;

    // Who left while somebody looks at the slots: the look may be older than that.
    private readonly HashSet<RoomPeer> _left = [];

    public string Name => name;

    /// <summary>Timestamp of the last look at the slots.</summary>
    public long RenewedAt { get; set; }

    /// <summary>Sockets that are in it or on their way; guarded by <see cref="Rooms"/>.</summary>
    public int Users { get; set; }

    /// <summary>Enters, answers the socket, and tells the others; false: the room is full.</summary>
    public async Task<bool> JoinAsync(RoomSocket socket, ulong request, IEnumerable<IceServer> relays, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            // First, so that nothing is missed between the look and the first notice.
            _subscription ??= hot.IsShared ? await hot.SubscribeAsync(Channel, OnNotice, ct) : null;
            var me = new RoomPeer(NewNumber(await slots.ReadAsync(name, ct)), node);
            if (await slots.TakeAsync(name, me, ct) is not { } slot)
            {
                return false;
            }

            var seat = new Seat(me.Number, socket) { Slot = slot };
            await CompareAsync(ct);
            Enter(seat, request, relays);
            await AnnounceAsync(NoticeKind.Joined, me.Number, ct);
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Leaves and tells the others.</summary>
    public async Task LeaveAsync(RoomSocket socket, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            Seat? seat;
            lock (_gate)
            {
                seat = Array.Find(_here, one => one.Socket == socket);
                if (seat is null)
                {
                    return;
                }

                _here = [.. _here.Where(one => one != seat)];
                Tell(RoomFrame.PeerLeft(seat.Number));
            }

            Flush();
            await slots.FreeAsync(name, seat.Slot, new RoomPeer(seat.Number, node), ct);
            await AnnounceAsync(NoticeKind.Left, seat.Number, ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>How many would receive a signal.</summary>
    public int Recipients(uint from, uint to) => to is 0
        ? _here.Length + _elsewhere.Length - 1
        : to != from && (Array.Exists(_here, seat => seat.Number == to) || Array.Exists(_elsewhere, peer => peer.Number == to)) ? 1 : 0;

    /// <summary>Hands a signal to one peer, or with 0 to all others.</summary>
    public Task SignalAsync(uint from, uint to, ByteString content, CancellationToken ct)
    {
        Hand(from, to, content);
        return Array.Exists(_elsewhere, peer => to is 0 || peer.Number == to)
            ? PublishAsync(NoticeKind.Signal, from, to, content.Memory, ct)
            : Task.CompletedTask;
    }

    /// <summary>Keeps the slots of the peers that are here, and finds out who is elsewhere now.</summary>
    public async Task RenewAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var held = await CompareAsync(ct);
            foreach (var seat in _here)
            {
                var me = new RoomPeer(seat.Number, node);
                if (await slots.RenewAsync(name, seat.Slot, held[seat.Slot], me, ct) is { } slot)
                {
                    seat.Slot = slot;
                }
                else
                {
                    // The store lost the room and others were quicker: what is full stays full.
                    seat.Socket.Close(Connections.CloseCode.GoingAway);
                }
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_subscription is not null)
        {
            await _subscription.DisposeAsync();
        }
    }

    private string Channel => $"{HotKeys.Room}:{name}";

    private void Enter(Seat seat, ulong request, IEnumerable<IceServer> relays)
    {
        lock (_gate)
        {
            var joined = new JoinedRoom { Peer = seat.Number };
            joined.Peers.AddRange(_here.Select(one => one.Number).Concat(_elsewhere.Select(peer => peer.Number)).Order());
            joined.Relays.AddRange(relays);
            Tell(RoomFrame.PeerJoined(seat.Number));
            seat.Socket.Enqueue(new RoomFrame(new RoomServerFrame { Request = request, Joined = joined }));
            seat.Socket.Number = seat.Number;
            _here = [.. _here, seat];
        }

        Flush();
    }

    // What was heard during the look is newer than the look, and stands.
    private async Task<RoomPeer?[]> CompareAsync(CancellationToken ct)
    {
        RoomPeer[] before;
        lock (_gate)
        {
            before = _elsewhere;
            _left.Clear();
        }

        var held = await slots.ReadAsync(name, ct);
        var others = held.OfType<RoomPeer>().Where(peer => peer.Node != node).ToArray();
        lock (_gate)
        {
            var gone = _elsewhere.Intersect(before.Except(others)).ToArray();
            var come = others.Except(_elsewhere).Except(_left).ToArray();
            Array.ForEach(gone, peer => Tell(RoomFrame.PeerLeft(peer.Number)));
            Array.ForEach(come, peer => Tell(RoomFrame.PeerJoined(peer.Number)));
            _elsewhere = [.. _elsewhere.Except(gone), .. come];
        }

        Flush();
        return held;
    }

    private void OnNotice(ReadOnlyMemory<byte> notice)
    {
        var head = notice.Span;
        if (head.Length < NoticeHead || BinaryPrimitives.ReadUInt64BigEndian(head) is var sender && sender == node)
        {
            return;
        }

        var (from, to) = (BinaryPrimitives.ReadUInt32BigEndian(head[9..]), BinaryPrimitives.ReadUInt32BigEndian(head[13..]));
        lock (_gate)
        {
            var peer = new RoomPeer(from, sender);
            var isKnown = _elsewhere.Contains(peer);
            switch ((NoticeKind)head[8])
            {
                case NoticeKind.Left:
                    _left.Add(peer);
                    if (!isKnown)
                    {
                        break;
                    }

                    _elsewhere = [.. _elsewhere.Where(one => one != peer)];
                    Tell(RoomFrame.PeerLeft(from));
                    break;
                case NoticeKind.Joined or NoticeKind.Signal when !isKnown:
                    _elsewhere = [.. _elsewhere, peer];
                    Tell(RoomFrame.PeerJoined(from));
                    break;
            }
        }

        Flush();
        if ((NoticeKind)head[8] is NoticeKind.Signal)
        {
            Hand(from, to, ByteString.CopyFrom(head[NoticeHead..]));
        }
    }

    private void Hand(uint from, uint to, ByteString content)
    {
        var frame = RoomFrame.Signal(from, content);
        foreach (var seat in _here)
        {
            if (seat.Number != from && (to is 0 || to == seat.Number))
            {
                seat.Socket.Write(frame);
            }
        }
    }

    // Where it is not heard it is found in the slots.
    private async Task AnnounceAsync(NoticeKind kind, uint peer, CancellationToken ct)
    {
        try
        {
            await PublishAsync(kind, peer, 0, default, ct);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            // The store went away between two steps.
        }
    }

    private Task PublishAsync(NoticeKind kind, uint from, uint to, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        if (!hot.IsShared)
        {
            return Task.CompletedTask;
        }

        var notice = new byte[NoticeHead + content.Length];
        BinaryPrimitives.WriteUInt64BigEndian(notice, node);
        notice[8] = (byte)kind;
        BinaryPrimitives.WriteUInt32BigEndian(notice.AsSpan(9), from);
        BinaryPrimitives.WriteUInt32BigEndian(notice.AsSpan(13), to);
        content.CopyTo(notice.AsMemory(NoticeHead));
        return hot.PublishAsync(Channel, notice, ct);
    }

    // The gate is held.
    private void Tell(RoomFrame frame) => Array.ForEach(_here, seat => seat.Socket.Enqueue(frame));

    // Sending may run on this thread, so never under the gate.
    private void Flush() => Array.ForEach(_here, seat => seat.Socket.Flush());

    private static uint NewNumber(RoomPeer?[] taken)
    {
        uint number;
        do
        {
            number = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
        }
        while (taken.Any(peer => peer?.Number == number));

        return number;
    }

    private const int NoticeHead = 8 + 1 + 4 + 4;

    private enum NoticeKind : byte
    {
        Joined = 1,
        Left = 2,
        Signal = 3,
    }

    private sealed class Seat(uint number, RoomSocket socket)
    {
        public uint Number => number;

        public RoomSocket Socket => socket;

        public int Slot { get; set; }
    }
}
