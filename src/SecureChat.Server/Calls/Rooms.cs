using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net.WebSockets;
using System.Security.Cryptography;
using SecureChat.Protocol.Calls;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Calls;

/// <summary>The rooms that have peers on this node, and every socket on <c>/ws/rooms</c>. Spec: docs/protocol/calls.md#rooms.</summary>
internal sealed class Rooms : BackgroundService
{
    public const string Path = "/ws/rooms";
    public const string Protocol = "securechat.rooms.v1";

    private readonly ulong _node = BinaryPrimitives.ReadUInt64BigEndian(RandomNumberGenerator.GetBytes(8));
    private readonly Dictionary<string, Room> _rooms = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<RoomSocket, byte> _sockets = new();
    private readonly IHotStore _hot;
    private readonly RoomSlots _slots;
    private readonly RelayCredentials _relays;
    private readonly ILogger<Rooms> _log;
    private readonly Counter<long> _signals;
    private readonly Counter<long> _slowReaders;
    private volatile bool _draining;

    public Rooms(
        IHotStore hot, RoomDoor door, RelayCredentials relays, RateLimiter limiter, IHostApplicationLifetime life, IMeterFactory meters, TimeProvider time, ILogger<Rooms> log)
    {
        (_hot, _slots, _relays, Door, Limiter, Time, _log) = (hot, new RoomSlots(hot), relays, door, limiter, time, log);
        var meter = meters.Create("SecureChat.Calls");
        meter.CreateObservableUpDownCounter("securechat.rooms", () => RoomCount, "{room}", "Rooms with a peer on this node.");
        meter.CreateObservableUpDownCounter("securechat.rooms.sockets", () => _sockets.Count, "{connection}", "Open sockets of rooms.");
        _signals = meter.CreateCounter<long>("securechat.rooms.signals", "{signal}", "Signals handed on, before they are copied for each recipient.");
        _slowReaders = meter.CreateCounter<long>("securechat.rooms.slow_readers", "{connection}", "Sockets of rooms cut off for not reading.");
        life.ApplicationStopping.Register(Drain);
    }

    public RoomDoor Door { get; }

    public RateLimiter Limiter { get; }

    public TimeProvider Time { get; }

    /// <summary>Relays for whoever joins a room, with credentials of its own.</summary>
    private IEnumerable<IceServer> Relays => _relays.AreForRooms ? _relays.Issue().IceServers.Select(InRoom) : [];

    public int RoomCount
    {
        get
        {
            lock (_rooms)
            {
                return _rooms.Count;
            }
        }
    }

    public async Task RunAsync(WebSocket socket, AnonymousClient client)
    {
        var peer = new RoomSocket(socket, client, this);
        _sockets.TryAdd(peer, 0);
        try
        {
            if (_draining)
            {
                peer.Close(CloseCode.GoingAway);
            }

            await peer.RunAsync();
        }
        finally
        {
            _sockets.TryRemove(peer, out _);
        }
    }

    /// <summary>Enters the room that the capability leads to. The answer is in the socket's queue when this returns; null: the room is full.</summary>
    /// <exception cref="RedisException">The store cannot be reached.</exception>
    public async Task<Room?> JoinAsync(RoomSocket socket, ReadOnlyMemory<byte> capability, ulong request, CancellationToken ct)
    {
        var room = Hold(RoomSlots.NameOf(capability.Span));
        var isIn = false;
        try
        {
            isIn = await room.JoinAsync(socket, request, Relays, ct);
            return isIn ? room : null;
        }
        finally
        {
            if (!isIn)
            {
                await LetGoAsync(room);
            }
        }
    }

    public async Task LeaveAsync(Room room, RoomSocket socket)
    {
        try
        {
            await room.LeaveAsync(socket, CancellationToken.None);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            // Its slot ends by itself, and the other nodes will see that.
            _log.RoomsNotKept(failure.GetType().Name);
        }
        finally
        {
            await LetGoAsync(room);
        }
    }

    public void CountSignal() => _signals.Add(1);

    public void CountSlowReader() => _slowReaders.Add(1);

    protected override Task ExecuteAsync(CancellationToken ct) => Task.WhenAll(
        EverySecondAsync(Tick, ct), EverySecondAsync(() => RenewAsync(ct), ct));

    private async Task EverySecondAsync(Func<Task> doAsync, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), Time);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                await doAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops; Drain has told the clients.
        }
    }

    private Task Tick()
    {
        var now = Time.GetTimestamp();
        foreach (var (socket, _) in _sockets)
        {
            try
            {
                socket.Tick(now);
            }
            catch (Exception failure)
            {
                _log.LookingAfterFailed(failure.GetType().Name);
            }
        }

        return Task.CompletedTask;
    }

    private async Task RenewAsync(CancellationToken ct)
    {
        Room[] due;
        lock (_rooms)
        {
            due = [.. _rooms.Values.Where(room => Time.GetElapsedTime(room.RenewedAt) >= RenewEvery)];
        }

        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = ct }, async (room, token) =>
        {
            room.RenewedAt = Time.GetTimestamp();
            try
            {
                await room.RenewAsync(token);
            }
            catch (Exception failure) when (!token.IsCancellationRequested)
            {
                _log.RoomsNotKept(failure.GetType().Name);
            }
        });
    }

    private static IceServer InRoom(RelayServer server)
    {
        var shown = new IceServer { Username = server.Username ?? "", Credential = server.Credential ?? "" };
        shown.Urls.AddRange(server.Urls);
        return shown;
    }

    private Room Hold(string name)
    {
        lock (_rooms)
        {
            if (!_rooms.TryGetValue(name, out var room))
            {
                _rooms[name] = room = new Room(name, _node, _hot, _slots) { RenewedAt = Time.GetTimestamp() };
            }

            room.Users++;
            return room;
        }
    }

    private async Task LetGoAsync(Room room)
    {
        lock (_rooms)
        {
            if (--room.Users > 0)
            {
                return;
            }

            _rooms.Remove(room.Name);
        }

        try
        {
            await room.DisposeAsync();
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            _log.RoomsNotKept(failure.GetType().Name);
        }
    }

    private void Drain()
    {
        _draining = true;
        foreach (var (socket, _) in _sockets)
        {
            socket.Close(CloseCode.GoingAway);
        }
    }

    private static readonly TimeSpan RenewEvery = RoomSlots.Life / 3;
}
