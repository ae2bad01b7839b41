using System.Reflection;
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
