using System.Globalization;
using System.Net;
using SecureChat.Bench.Load;
using SecureChat.Bench.Wire;

namespace SecureChat.Bench.Targets;

/// <summary>This repository's server, Release build, with a data folder of its own.</summary>
/// <param name="name">The name on the command line.</param>
/// <param name="bare">The socket on its bare connection handler; else the one that ASP.NET's WebSockets serve.</param>
/// <param name="redis">Queues in a Redis of its own; else in SQLite.</param>
internal sealed class SecureChatTarget(string name, bool bare, bool redis) : Target
{
    // Shared by all runs of this process: making ten thousand accounts takes seconds.
    private static TestAccounts? _accounts;

    private TemporaryFolder? _data;
    private ServerProcess? _server;
    private ServerProcess? _redis;
    private IPEndPoint _endPoint = new(IPAddress.Loopback, 0);

    public override string Name => name;

    public override string Description =>
        $"secureChat, {(bare ? "bare socket port" : "ASP.NET WebSockets")}, " +
        $"queues in {(redis ? "Redis, append-only file written every second" : "SQLite")}, rate limits off";

    public override string Version =>
        $"this commit{(redis ? ", " + Repository.FirstLine("redis-server", "--version").Split(" sha=")[0] : "")}";

    public override IPEndPoint EndPoint => _endPoint;

    public override ServerProcess Server => _server ?? throw new InvalidOperationException("Not started.");

    public override IReadOnlyList<ServerProcess> Stores => _redis is null ? [] : [_redis];

    public override void Start(int? core, int pairs, CancellationToken ct)
    {
        if (_accounts is null || _accounts.Devices.Count < pairs * 2)
        {
            _accounts?.Dispose();
            _accounts = TestAccounts.CreateAsync(pairs * 2, ct).GetAwaiter().GetResult();
        }

        _data = new TemporaryFolder();
        _accounts.CopyTo(_data);
        var ports = ServerProcess.FreePorts(3);
        var api = new IPEndPoint(IPAddress.Loopback, ports[0]);
        var socket = new IPEndPoint(IPAddress.Loopback, ports[1]);
        var settings = new Dictionary<string, string>(TestAccounts.Settings)
        {
            ["Server:Api"] = $"http://{api}",
            ["Server:Socket"] = $"http://{socket}",
            ["Server:Management"] = "",
            ["Storage:DataFolder"] = _data.Path,
            ["Limits:Scale"] = "0",
        };
        if (redis)
        {
            settings["Storage:Redis"] = StartRedis(core, ports[2], ct);
        }

        var program = Path.Combine(Repository.Root, "src", "SecureChat.Server", "bin", "Release", "net10.0", "securechat-server.dll");
        _server = new(
            core,
            ["dotnet", program, .. settings.SelectMany(setting => new[] { "--" + setting.Key, setting.Value })],
            new Dictionary<string, string>());
        _server.AwaitPort(api.Port, ct);
        _server.AwaitPort(socket.Port, ct);
        _endPoint = bare ? socket : api;
    }

    public override ChatConnection Connect(Traffic traffic, int pair, bool sends)
    {
        var devices = _accounts!.Devices;
        return sends
            ? new SecureChatConnection(traffic, pair, devices[pair * 2], devices[(pair * 2) + 1])
            : new SecureChatConnection(traffic, pair, devices[(pair * 2) + 1], devices[pair * 2]);
    }

    // What the server relays is ciphertext.
    public override byte[] MakeContent(int size) => System.Security.Cryptography.RandomNumberGenerator.GetBytes(size);

    public override void Stop()
    {
        _server?.Dispose();
        _redis?.Dispose();
        _data?.Dispose();
        _server = _redis = null;
        _data = null;
    }

    private string StartRedis(int? core, int port, CancellationToken ct)
    {
        _redis = new(
            core,
            [
                "redis-server", "--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1",
                "--dir", _data!.Path, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            ],
            new Dictionary<string, string>());
        _redis.AwaitPort(port, ct);
        return $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
    }
}
