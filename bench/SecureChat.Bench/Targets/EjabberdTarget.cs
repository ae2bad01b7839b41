using System.Globalization;
using System.Net;
using SecureChat.Bench.Load;
using SecureChat.Bench.Wire;

namespace SecureChat.Bench.Targets;

/// <summary>ejabberd from Debian's package, stream management on, plain TCP on loopback.</summary>
internal sealed class EjabberdTarget : Target
{
    private readonly string _folder = Path.Combine(Repository.Root, "bench", "peers", "ejabberd");
    private TemporaryFolder? _data;
    private ServerProcess? _server;
    private int _port;

    public override string Name => "ejabberd";

    public override string Description => "ejabberd, stream management, memory only";

    public override string Version =>
        $"ejabberd {Repository.FirstLine("dpkg-query", "-W", "-f=${Version}", "ejabberd")} (Debian)";

    public override IPEndPoint EndPoint => new(IPAddress.Loopback, _port);

    public override ServerProcess Server => _server ?? throw new InvalidOperationException("Not started.");

    public override void Start(int? core, int pairs, CancellationToken ct)
    {
        var pinned = File.ReadAllText(Path.Combine(_folder, "VERSION")).Trim();
        var installed = Repository.FirstLine("dpkg-query", "-W", "-f=${Version}", "ejabberd");
        if (installed != pinned)
        {
            throw new BenchException(
                $"This comparison is made with ejabberd {pinned}, found '{installed}': run `apt-get install ejabberd={pinned}`.");
        }

        _port = ServerProcess.FreePorts(1)[0];
        _data = new TemporaryFolder();
        var configuration = _data.File("ejabberd.yml");
        File.WriteAllText(
            configuration,
            File.ReadAllText(Path.Combine(_folder, "ejabberd.yml"))
                .Replace("BENCH_PORT", _port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        var environment = new Dictionary<string, string>
        {
            ["ERL_LIBS"] = Directory.GetDirectories("/usr/lib", "ejabberd-*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
                .Select(found => Path.GetDirectoryName(found)!)
                .First(),
            ["ERL_MAX_PORTS"] = "32000",
            ["ERL_CRASH_DUMP"] = _data.File("crash"),
            ["EJABBERD_CONFIG_PATH"] = configuration,
            ["EJABBERD_LOG_PATH"] = _data.File("ejabberd.log"),
        };

        // As the package starts it, less the node name (no epmd) and less busy waiting, which would count as its CPU.
        _server = new(
            core,
            [
                "erl", "+K", "true", "+P", "250000", "+Q", "65536", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
                "-mnesia", "dir", $"\"{_data.File("spool")}\"", "-noinput", "-s", "ejabberd",
            ],
            environment);
        _server.AwaitPort(_port, ct);
    }

    public override ChatConnection Connect(Traffic traffic, int pair, bool sends) =>
        new XmppConnection(traffic, pair, sends);

    public override void Stop()
    {
        _server?.Dispose();
        _server = null;
        _data?.Dispose();
        _data = null;
    }
}
