using System.Data.Common;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>Looks through everything that one server holds: tables, hot store, files. Adds up what it finds over several looks.</summary>
/// <param name="withLogs">Whether to look at the bytes of database files too, which hold what was deleted until their logs are emptied.</param>
internal sealed class StoreScan(Node node, bool withLogs = true)
{
    private static readonly string[] KnownEndings = [".db", ".db-wal", ".db-shm", ".lock", ".key"];

    private const string Blobs = "blobs/";

    private readonly List<byte[]> _values = [];

    private static bool IsOwn(string table) => !table.StartsWith("schemaversions", StringComparison.OrdinalIgnoreCase);

    /// <summary>Columns of the directory that hold something, as table and column.</summary>
    public HashSet<string> DirectoryFields { get; } = [];

    /// <summary>The same of the other databases in the data folder.</summary>
    public HashSet<string> QueueFields { get; } = [];

    /// <summary>First parts of the names of keys and channels in the hot store.</summary>
    public HashSet<string> HotNames { get; } = [];

    /// <summary>Names of limits and of what detectors count, and what is kept under them.</summary>
    public List<byte[]> OfLimits { get; } = [];

    /// <summary>Kinds of blobs, by their folder.</summary>
    public HashSet<string> BlobAreas { get; } = [];

    /// <summary>Files in the data folder that are neither a database nor a key nor a blob.</summary>
    public HashSet<string> UnknownFiles { get; } = [];

    private string Folder => node.Get<IOptions<StorageOptions>>().Value.DataFolder;

    /// <summary>Whether any value or file of any look holds these bytes.</summary>
    public bool Holds(byte[] part) => _values.Exists(value => value.AsSpan().IndexOf(part) >= 0);

    /// <summary>Whether any of them names the account, as bytes or as text.</summary>
    public bool Names(Guid account) =>
        Holds(account.ToByteArray(bigEndian: true)) || Holds(account.ToByteArray())
        || Holds(Encoding.UTF8.GetBytes(account.ToString())) || Holds(Encoding.UTF8.GetBytes(account.ToString("N")));

    public async Task LookAsync(CancellationToken ct)
    {
        var database = node.Get<Database>();
        await using (var connection = await database.OpenAsync(ct))
        {
            await ReadAsync(connection, DirectoryFields, database.IsPostgres, ct);
        }

        foreach (var file in Directory.GetFiles(Folder, "*.db").Where(file => !file.EndsWith("directory.db", StringComparison.Ordinal)))
        {
            await using var connection = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
            await connection.OpenAsync(ct);
            await ReadAsync(connection, QueueFields, isPostgres: false, ct);
        }

        foreach (var file in Directory.GetFiles(Folder, "*", SearchOption.AllDirectories))
        {
            if (withLogs || !Path.GetFileName(file).Contains(".db", StringComparison.Ordinal))
            {
                _values.Add(await ReadAsync(file, ct));
            }

            if (Path.GetDirectoryName(Path.GetRelativePath(Folder, file)) is { } area && area.StartsWith(Blobs, StringComparison.Ordinal))
            {
                BlobAreas.Add(area[Blobs.Length..].Split('/')[0]);
            }
            else if (!KnownEndings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal)))
            {
                UnknownFiles.Add(Path.GetFileName(file));
            }
        }

        if (node.Get<IHotStore>() is MemoryHotStore memory)
        {
            HotNames.UnionWith(memory.Names.Select(First));
            OfLimits.AddRange(memory.Names.Where(IsOfLimits).Select(Encoding.UTF8.GetBytes));
            _values.AddRange(memory.Names.Select(Encoding.UTF8.GetBytes));
            _values.AddRange(memory.Values);
        }
        else
        {
            await ReadRedisAsync(ct);
        }
    }

    // What is there, and no more: the server may cut the file meanwhile.
    private static async Task<byte[]> ReadAsync(string file, CancellationToken ct)
    {
        await using var open = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var content = new MemoryStream();
        await open.CopyToAsync(content, ct);
        return content.ToArray();
    }

    private static bool IsOfLimits(string name) => First(name) is "limit" or "anomaly" or "anomaly-seen";

    private static string First(string name) =>
        name.Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal).Split(':')[0];

    private async Task ReadAsync(DbConnection connection, HashSet<string> fields, bool isPostgres, CancellationToken ct)
    {
        var tables = new List<string>();
        await using (var list = connection.CreateCommand())
        {
            list.CommandText = isPostgres
                ? "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
                : "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            await using var names = await list.ExecuteReaderAsync(ct);
            while (await names.ReadAsync(ct))
            {
                tables.Add(names.GetString(0));
            }
        }

        // The journal of migrations names scripts and nothing else.
        foreach (var table in tables.Where(IsOwn))
        {
            await using var select = connection.CreateCommand();
            select.CommandText = $"SELECT * FROM \"{table}\"";
            await using var rows = await select.ExecuteReaderAsync(ct);
            while (await rows.ReadAsync(ct))
            {
                for (var i = 0; i < rows.FieldCount; i++)
                {
                    if (!await rows.IsDBNullAsync(i, ct))
                    {
                        fields.Add($"{table}.{rows.GetName(i)}");
                        _values.Add(rows.GetValue(i) as byte[] ?? Encoding.UTF8.GetBytes($"{rows.GetValue(i)}"));
                    }
                }
            }
        }
    }

    private async Task ReadRedisAsync(CancellationToken ct)
    {
        var redis = node.Get<IConnectionMultiplexer>();
        var (store, server) = (redis.GetDatabase(), redis.GetServers()[0]);
        await foreach (var key in server.KeysAsync(store.Database).WithCancellation(ct))
        {
            HotNames.Add(First(key.ToString()));
            List<byte[]> kept = [(byte[])key!];
            kept.AddRange(await store.KeyTypeAsync(key) switch
            {
                RedisType.String => [(byte[]?)await store.StringGetAsync(key) ?? []],
                RedisType.Hash => (await store.HashGetAllAsync(key)).SelectMany(entry => new[] { (byte[])entry.Name!, (byte[])entry.Value! }),
                RedisType.SortedSet => (await store.SortedSetRangeByRankAsync(key)).Select(member => (byte[])member!),
                _ => (await store.SetMembersAsync(key)).Select(member => (byte[])member!),
            });
            _values.AddRange(kept);
            OfLimits.AddRange(IsOfLimits(key.ToString()) ? kept : []);
        }

        // Of the whole server, so other tests' too: what they are called is the same.
        HotNames.UnionWith((await server.SubscriptionChannelsAsync()).Select(channel => First(channel.ToString()))
            .Where(name => name.All(char.IsAsciiLetterLower)));
    }
}
