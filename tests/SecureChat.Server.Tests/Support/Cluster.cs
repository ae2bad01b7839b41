using SecureChat.Tests;

namespace SecureChat.Server.Tests.Support;

/// <summary>Two nodes on one PostgreSQL, one Redis and one set of secrets.</summary>
internal sealed class Cluster(TemporaryPostgres postgres, TemporaryRedis redis, LoopbackNode a, LoopbackNode b) : IAsyncDisposable
{
    public LoopbackNode A => a;

    public LoopbackNode B => b;

    public static async Task<Cluster> StartAsync(params string[] settings)
    {
        var ct = TestContext.Current.CancellationToken;
        var postgres = await TemporaryPostgres.StartAsync(ct);
        var redis = await TemporaryRedis.StartAsync(ct);
        string[] shared =
            [$"--Storage:Postgres={await postgres.NewDatabaseAsync(ct)}", $"--Storage:Redis={redis.ConnectionString}", .. settings];
        var a = await LoopbackNode.StartAsync(shared);
        var b = await LoopbackNode.StartAsync([.. shared, $"--Storage:DataFolder={a.Folder}"]);
        return new Cluster(postgres, redis, a, b);
    }

    public async ValueTask DisposeAsync()
    {
        await b.DisposeAsync();
        await a.DisposeAsync();
        await redis.DisposeAsync();
        await postgres.DisposeAsync();
    }
}
