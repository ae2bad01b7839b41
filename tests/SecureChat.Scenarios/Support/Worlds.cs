using SecureChat.Scenarios.Support;
using SecureChat.Tests;

[assembly: AssemblyFixture(typeof(ObjectStore))]
[assembly: AssemblyFixture(typeof(Worlds))]
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace SecureChat.Scenarios.Support;

/// <summary>Makes a world for a scenario. PostgreSQL is started by the first that needs it and shared by all.</summary>
public sealed class Worlds : IAsyncDisposable
{
    private TemporaryPostgres? _postgres;

    /// <summary>Starts servers with nothing in them.</summary>
    /// <param name="nodes">How many servers share the stores; more than one needs <see cref="StorePair.Shared"/>.</param>
    internal async Task<World> StartAsync(
        StorePair stores, LibsignalPeer peer, CancellationToken ct, int nodes = 1, string rateLimits = "100000",
        IReadOnlyDictionary<string, string>? settings = null)
    {
        var all = new Dictionary<string, string>(settings ?? new Dictionary<string, string>()) { ["SECURECHAT_LIMITS__SCALE"] = rateLimits };
        TemporaryRedis? redis = null;
        if (stores is StorePair.Shared)
        {
            _postgres ??= await TemporaryPostgres.StartAsync(ct);
            redis = await TemporaryRedis.StartAsync(ct);
            all["SECURECHAT_STORAGE__POSTGRES"] = await _postgres.NewDatabaseAsync(ct);
            all["SECURECHAT_STORAGE__REDIS"] = redis.ConnectionString;
        }

        var world = new World(peer, redis, _postgres);
        try
        {
            for (var i = 1; i <= nodes; i++)
            {
                await world.AddNodeAsync(all, ct);
            }

            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }
    }
}
