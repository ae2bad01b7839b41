using System.Globalization;
using Npgsql;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

[assembly: AssemblyFixture(typeof(TemporaryServers))]

namespace SecureChat.Server.Tests.Support;

/// <summary>The PostgreSQL and Redis servers of one test run: started when first asked for, stopped at the end.</summary>
public sealed class TemporaryServers : IAsyncDisposable
{
    private static readonly Lazy<Task<TemporaryPostgres>> Postgres =
        new(() => TemporaryPostgres.StartAsync(CancellationToken.None));

    private static readonly Lazy<Task<string>> Migrated = new(NewTemplateAsync);

    private static readonly Lazy<Task<TemporaryRedis>> Redis =
        new(() => TemporaryRedis.StartAsync(CancellationToken.None));

    private static readonly Lazy<Task<TemporaryRedisCluster>> Cluster =
        new(() => TemporaryRedisCluster.StartAsync(CancellationToken.None));

    private static int _redisDatabases;

    /// <summary>Why PostgreSQL cannot be tested here, or null.</summary>
    internal static string? PostgresMissing =>
        Directory.Exists("/usr/lib/postgresql") || Finds("initdb") ? null : "PostgreSQL is not installed here (no initdb)";

    /// <summary>Why Redis cannot be tested here, or null.</summary>
    internal static string? RedisMissing =>
        Finds("redis-server") ? null : "Redis is not installed here (no redis-server)";

    /// <summary>The connection string of a fresh database, empty or with every migration.</summary>
    internal static async Task<string> NewPostgresDatabaseAsync(bool migrated = true) =>
        migrated
            ? await (await Postgres.Value).NewDatabaseAsync(CancellationToken.None, await Migrated.Value)
            : await (await Postgres.Value).NewDatabaseAsync(CancellationToken.None);

    internal static async Task DropPostgresDatabaseAsync(string connection) =>
        await (await Postgres.Value).DropDatabaseAsync(
            new NpgsqlConnectionStringBuilder(connection).Database!, CancellationToken.None);

    /// <summary>The connection string of an empty logical database of the one Redis server.</summary>
    internal static async Task<string> NewRedisDatabaseAsync()
    {
        var server = await Redis.Value;
        var number = Interlocked.Increment(ref _redisDatabases).ToString(CultureInfo.InvariantCulture);
        return $"{server.ConnectionString},defaultDatabase={number}";
    }

    /// <summary>The connection string of a cluster of three primaries. Tests share it.</summary>
    internal static async Task<string> RedisClusterAsync() => (await Cluster.Value).ConnectionString;

    /// <summary>Settings for nodes that share fresh stores.</summary>
    internal static async Task<(string Name, string Value)[]> NewStoresAsync() =>
    [
        ("Storage:Postgres", await NewPostgresDatabaseAsync()), ("Storage:Redis", await NewRedisDatabaseAsync()),
    ];

    public async ValueTask DisposeAsync()
    {
        await DisposeAsync(Postgres);
        await DisposeAsync(Redis);
        await DisposeAsync(Cluster);
    }

    // What failed to start has failed the tests that asked for it already, and its guard ends it.
    private static async Task DisposeAsync<T>(Lazy<Task<T>> server)
        where T : IAsyncDisposable
    {
        if (server.IsValueCreated && server.Value.IsCompletedSuccessfully)
        {
            await (await server.Value).DisposeAsync();
        }
    }

    // Copying a migrated database is much faster than migrating each.
    private static async Task<string> NewTemplateAsync()
    {
        var connection = new NpgsqlConnectionStringBuilder(await NewPostgresDatabaseAsync(migrated: false)) { Pooling = false };
        Migrations.Apply(connection.ConnectionString, "");
        return connection.Database!;
    }

    private static bool Finds(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
