using System.Net;
using SecureChat.Bench.Load;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench.Rooms;

/// <summary>A server that passes signals in rooms of eight, on the server that another target starts.</summary>
internal sealed class RoomsTarget(Target server, string name, string description) : Target
{
    private RoomSeats? _seats;

    /// <summary>Signals go to all seven others.</summary>
    public bool ToAll { get; set; }

    public override string Name => name;

    public override string Description => description;

    public override string Version => server.Version;

    public override IPEndPoint EndPoint => server.EndPoint;

    public override ServerProcess Server => server.Server;

    public override IReadOnlyList<ServerProcess> Stores => server.Stores;

    private bool IsOurs => server is SecureChatTarget;

    public override void Start(int? core, int pairs, CancellationToken ct)
    {
        // Nobody has an account here.
        server.Start(core, 0, ct);
        Renew(pairs);
    }

    /// <summary>Rooms that nobody was in before.</summary>
    public void Renew(int pairs) => _seats = new RoomSeats(pairs);

    public override ChatConnection Connect(Traffic traffic, int pair, bool sends) => IsOurs
        ? new RoomConnection(traffic, pair, _seats!, sends, ToAll)
        : new SocketIoRoomConnection(traffic, pair, sends, ToAll);

    public override byte[] MakeContent(int size) => server.MakeContent(size);

    public override void Stop() => server.Stop();
}
