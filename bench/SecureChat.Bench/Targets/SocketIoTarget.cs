using System.Globalization;
using System.Net;
using System.Text.Json;
using SecureChat.Bench.Load;
using SecureChat.Bench.Wire;

namespace SecureChat.Bench.Targets;

/// <summary>socket.io on Node, relaying in memory: nothing is stored, and a message to somebody offline is lost.</summary>
/// <param name="script">What runs, of the files beside its package.</param>
internal sealed class SocketIoTarget(string script = "server.mjs") : Target
{
    private readonly string _folder = Path.Combine(Repository.Root, "bench", "peers", "socketio");
    private ServerProcess? _server;
    private int _port;

    public override string Name => "socketio";

    public override string Description => "socket.io, memory only";

    public override string Version
    {
        get
        {
            using var package = JsonDocument.Parse(
                File.ReadAllBytes(Path.Combine(_folder, "node_modules", "socket.io", "package.json")));
            return $"socket.io {package.RootElement.GetProperty("version").GetString()} on Node {Repository.FirstLine("node", "--version")}";
        }
    }

    public override IPEndPoint EndPoint => new(IPAddress.Loopback, _port);

    public override ServerProcess Server => _server ?? throw new InvalidOperationException("Not started.");

    public override void Start(int? core, int pairs, CancellationToken ct)
    {
        if (!Directory.Exists(Path.Combine(_folder, "node_modules")))
        {
            throw new BenchException("socket.io is not installed: run `npm ci` in bench/peers/socketio.");
        }

        _port = ServerProcess.FreePorts(1)[0];
        var environment = new Dictionary<string, string> { ["NODE_ENV"] = "production" };
        _server = new(
            core, ["node", Path.Combine(_folder, script), _port.ToString(CultureInfo.InvariantCulture)], environment);
        _server.AwaitPort(_port, ct);
    }

    public override ChatConnection Connect(Traffic traffic, int pair, bool sends) =>
        new SocketIoConnection(traffic, pair, sends);

    public override void Stop()
    {
        _server?.Dispose();
        _server = null;
    }
}
