using System.Reflection;
using SecureChat.Server.Storage;
using Xunit.Sdk;
using Xunit.v3;

namespace SecureChat.Server.Tests.Support;

/// <summary>Runs a theory once per kind of store; every parameter is filled by its type with something fresh and empty.</summary>
/// <remarks>
/// Parameters: <see cref="Database"/> (migrated), <see cref="IMessageQueue"/>, <see cref="IHotStore"/>, <see cref="TestClock"/>,
/// <see cref="TestStores"/>. They are internal types, so the test method is <c>internal</c> too. A store that is not installed
/// shows as skipped with its reason; with <c>CI=true</c> it fails.
/// </remarks>
[AttributeUsage(AttributeTargets.Method)]
public abstract class FreshStoresAttribute : DataAttribute
{
    /// <summary>Label and kind of each run.</summary>
    private protected abstract IEnumerable<(string Label, StoreKind Kind)> Runs { get; }

    /// <summary>Whether the kind brings a clock of its own, as Redis does.</summary>
    private protected abstract bool HasOwnClock(StoreKind kind);

    private protected abstract string? Missing(StoreKind kind);

    public override bool SupportsDiscoveryEnumeration() => false;

    public override async ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(
        MethodInfo testMethod, DisposalTracker disposalTracker)
    {
        var rows = new List<ITheoryDataRow>();
        foreach (var (label, kind) in Runs)
        {
            if (Missing(kind) is { } reason && Environment.GetEnvironmentVariable("CI") != "true")
            {
                rows.Add(new TheoryDataRow(new object?[testMethod.GetParameters().Length]) { Label = label, Skip = reason });
                continue;
            }

            var stores = new TestStores(kind, new TestClock(HasOwnClock(kind)));
            disposalTracker.Add(stores);
            var arguments = new List<object?>();
            foreach (var parameter in testMethod.GetParameters())
            {
                arguments.Add(await FillAsync(parameter.ParameterType, stores));
            }

            rows.Add(new TheoryDataRow([.. arguments]) { Label = label });
        }

        return rows;
    }

    private static async Task<object> FillAsync(Type type, TestStores stores) =>
        type == typeof(Database) ? await stores.DatabaseAsync()
        : type == typeof(IMessageQueue) ? await stores.QueueAsync()
        : type == typeof(IHotStore) ? await stores.HotStoreAsync()
        : type == typeof(TestClock) ? stores.Clock
        : type == typeof(TestStores) ? stores
        : throw new NotSupportedException($"No store gives a {type.Name}.");
}

/// <summary>SQLite and PostgreSQL. The clock is stepped.</summary>
public sealed class EveryDatabaseAttribute : FreshStoresAttribute
{
    private protected override IEnumerable<(string Label, StoreKind Kind)> Runs =>
        [("SQLite", StoreKind.Embedded), ("PostgreSQL", StoreKind.Distributed)];

    private protected override bool HasOwnClock(StoreKind kind) => false;

    private protected override string? Missing(StoreKind kind) =>
        kind == StoreKind.Embedded ? null : TemporaryServers.PostgresMissing;
}

/// <summary>SQLite, Redis and a Redis cluster. The clock is stepped, beside which Redis ends the keys on its own.</summary>
public sealed class EveryQueueAttribute : FreshStoresAttribute
{
    private protected override IEnumerable<(string Label, StoreKind Kind)> Runs =>
        [("SQLite", StoreKind.Embedded), ("Redis", StoreKind.Distributed), ("Redis Cluster", StoreKind.Cluster)];

    private protected override bool HasOwnClock(StoreKind kind) => false;

    private protected override string? Missing(StoreKind kind) =>
        kind == StoreKind.Embedded ? null : TemporaryServers.RedisMissing;
}

/// <summary>Process memory, Redis and a Redis cluster.</summary>
public sealed class EveryHotStoreAttribute : FreshStoresAttribute
{
    private protected override IEnumerable<(string Label, StoreKind Kind)> Runs =>
        [("memory", StoreKind.Embedded), ("Redis", StoreKind.Distributed), ("Redis Cluster", StoreKind.Cluster)];

    private protected override bool HasOwnClock(StoreKind kind) => kind != StoreKind.Embedded;

    private protected override string? Missing(StoreKind kind) =>
        kind == StoreKind.Embedded ? null : TemporaryServers.RedisMissing;
}
