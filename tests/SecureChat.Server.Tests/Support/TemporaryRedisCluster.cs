using System.Globalization;
using SecureChat.Tests;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Support;

/// <summary>A Redis Cluster of three primaries on loopback ports, each holding a third of the slots.</summary>
internal sealed class TemporaryRedisCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-cluster-");
    private readonly List<Node> _nodes = [];

    private TemporaryRedisCluster()
    {
    }

    /// <summary>For StackExchange.Redis; allows flushing.</summary>
    public string ConnectionString =>
        string.Join(',', _nodes.Select(node => Address(node.Port))) + ",allowAdmin=true";

    public static async Task<TemporaryRedisCluster> StartAsync(CancellationToken ct)
    {
        const int slots = 16384;
        var cluster = new TemporaryRedisCluster();
        for (var i = 0; i < 3; i++)
        {
            var (process, port, _) = cluster.Launch();
            await process.WaitUntilAsync(() => AnswersAsync(port, "PONG", "PING"), ct);
            await CommandAsync(port, "CLUSTER", "ADDSLOTSRANGE", i * slots / 3, ((i + 1) * slots / 3) - 1);
            await CommandAsync(port, "CLUSTER", "MEET", "127.0.0.1", cluster._nodes[0].Port, cluster._nodes[0].BusPort);
        }

        foreach (var (process, port, _) in cluster._nodes)
        {
            await process.WaitUntilAsync(() => AnswersAsync(port, "cluster_state:ok", "CLUSTER", "INFO"), ct);
            await process.WaitUntilAsync(() => AnswersAsync(port, "cluster_known_nodes:3", "CLUSTER", "INFO"), ct);
        }

        return cluster;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (process, _, _) in _nodes)
        {
            await process.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private static string Address(int port) => "127.0.0.1:" + Text(port);

    private static async Task<bool> AnswersAsync(int port, string expected, string command, params object[] arguments)
    {
        try
        {
            return ((string?)await CommandAsync(port, command, arguments))!.Contains(expected, StringComparison.Ordinal);
        }
        catch (RedisException)
        {
            return false;
        }
    }

    // Asks this one node, whatever it knows of the cluster so far.
    private static async Task<RedisResult> CommandAsync(int port, string command, params object[] arguments)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(Address(port) + ",connectTimeout=1000,allowAdmin=true");
        return await redis.GetServer(redis.GetEndPoints()[0]).ExecuteAsync(command, arguments);
    }

    // By default the bus takes the port plus 10,000, which need not exist.
    private Node Launch()
    {
        var (port, busPort) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        var folder = _folder.CreateSubdirectory(Text(port)).FullName;
        var process = ChildProcess.Start(
            ["redis-server", "--port", Text(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                "--cluster-enabled", "yes", "--cluster-port", Text(busPort)],
            Path.Combine(folder, "redis.log"));
        var node = new Node(process, port, busPort);
        _nodes.Add(node);
        return node;
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    private readonly record struct Node(ChildProcess Process, int Port, int BusPort);
}
