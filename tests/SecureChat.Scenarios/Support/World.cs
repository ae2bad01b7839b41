using SecureChat.Signal.Keys;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>Real servers on real stores, and the people who use them.</summary>
internal sealed class World(LibsignalPeer peer, TemporaryRedis? redis, TemporaryPostgres? postgres) : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-world-");
    private readonly List<ServerProcess> _nodes = [];
    private readonly List<Device> _devices = [];

    public LibsignalPeer Peer => peer;

    /// <summary>The first server, and the only one in most scenarios.</summary>
    public ServerProcess Server => _nodes[0];

    public IReadOnlyList<ServerProcess> Nodes => _nodes;

    /// <summary>Only on shared stores.</summary>
    public TemporaryRedis Redis => redis!;

    /// <summary>Signs somebody up with an e-mail address, publishes keys and connects.</summary>
    public async Task<Person> PersonAsync(string name, CancellationToken ct, ServerProcess? node = null)
    {
        var person = new Person(this, name, node ?? Server);
        await person.RegisterAsync(ct);
        return person;
    }

    /// <summary>Two people who are signed up and connected.</summary>
    public async Task<(Device Alice, Device Bob)> FriendsAsync(CancellationToken ct) =>
        ((await PersonAsync("alice", ct)).Primary, (await PersonAsync("bob", ct)).Primary);

    /// <summary>Every file that the servers, Redis and PostgreSQL wrote, by path.</summary>
    public IEnumerable<string> FilesWritten() =>
        new[] { _folder.FullName, redis?.Folder, redis is null ? null : postgres?.Folder }
            .OfType<string>()
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));

    /// <summary>What sender certificates are signed under, serialised: the operator would have built it into the apps.</summary>
    public byte[] TrustRoot
    {
        get
        {
            var file = FilesWritten().First(path => path.EndsWith("sender-root.key", StringComparison.Ordinal));
            using var root = PrivateKey.Parse(Convert.FromBase64String(File.ReadAllText(file).Trim()));
            return root.PublicKey.Serialize();
        }
    }

    /// <summary>Closed with the world.</summary>
    public void Keep(Device device) => _devices.Add(device);

    public async Task AddNodeAsync(IReadOnlyDictionary<string, string> settings, CancellationToken ct)
    {
        var name = $"node{_nodes.Count + 1}";
        _nodes.Add(await ServerProcess.StartAsync(_folder.FullName, name, settings, ct));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var device in _devices)
        {
            await device.DisposeAsync();
        }

        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        if (redis is not null)
        {
            await redis.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }
}
