using System.Reflection;
using SecureChat.Tests;
using Xunit.Sdk;
using Xunit.v3;

namespace SecureChat.Server.Tests.Support;

/// <summary>The two ways to run.</summary>
public enum Stores
{
    /// <summary>SQLite and process memory.</summary>
    Embedded,

    /// <summary>PostgreSQL and Redis.</summary>
    Shared,
}

/// <summary>Runs a test on both pairs of stores.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EveryStoreAttribute : DataAttribute
{
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([new TheoryDataRow(Stores.Embedded), new TheoryDataRow(Stores.Shared)]);

    public override bool SupportsDiscoveryEnumeration() => true;
}

/// <summary>PostgreSQL and Redis of this test run, started when the first test asks.</summary>
internal static class SharedStores
{
    private static readonly Lazy<Task<TemporaryPostgres>> Postgres = new(() => TemporaryPostgres.StartAsync(CancellationToken.None));
    private static readonly Lazy<Task<TemporaryRedis>> Redis = new(() => TemporaryRedis.StartAsync(CancellationToken.None));

    /// <summary>Settings for nodes that share a fresh database.</summary>
    public static async Task<(string Name, string Value)[]> NewAsync()
    {
        var (postgres, redis) = (await Postgres.Value, await Redis.Value);
        return
        [
            ("Storage:Postgres", await postgres.NewDatabaseAsync(TestContext.Current.CancellationToken)),
            ("Storage:Redis", redis.ConnectionString),
        ];
    }
}
