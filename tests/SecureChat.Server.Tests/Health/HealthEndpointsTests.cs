using System.Net;
using System.Net.Http.Json;
using SecureChat.Protocol.Health;
using SecureChat.Server.Health;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Health;

public sealed class HealthEndpointsTests(ObjectStore objects)
{
    [Fact]
    public async Task Readiness_names_the_store_that_does_not_answer_while_the_process_lives_on()
    {
        await using var node = await Node.StartAsync();
        var before = await node.Http.GetAsync(Ready, Ct);

        ((IDisposable)node.Get<IMessageQueue>()).Dispose();
        ((IDisposable)node.Get<IPushOutbox>()).Dispose();

        var after = await node.Http.GetAsync(Ready, Ct);
        var live = await node.Http.GetAsync(new Uri("/health/live", UriKind.Relative), Ct);
        var answer = await after.Content.ReadFromJsonAsync<ReadyAnswer>(Node.Json, Ct);
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, after.StatusCode);
        Assert.Equal(["queues", "push"], answer!.Failed);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [Fact]
    public async Task Readiness_names_the_shared_stores_that_went_away_and_recovers_with_them()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        var postgres = await TemporaryServers.NewPostgresDatabaseAsync();
        await using var node = await Node.StartAsync(clock: null, ("Storage:Postgres", postgres), ("Storage:Redis", redis.ConnectionString));

        Assert.Equal("", await FailedAsync(node));
        await redis.KillAsync(Ct);
        Assert.Equal("queues, hot, push", await Eventually.IsAsync("queues, hot, push", () => FailedAsync(node)));
        await redis.RestartAsync(Ct);
        Assert.Equal("", await Eventually.IsAsync("", () => FailedAsync(node)));
        await TemporaryServers.DropPostgresDatabaseAsync(postgres);
        Assert.Equal("directory", await Eventually.IsAsync("directory", () => FailedAsync(node)));
    }

    [Fact]
    public async Task Readiness_names_the_object_store_that_is_away()
    {
        var there = await objects.OptionsAsync(Ct);
        await using var with = await Node.StartAsync(Files(there.S3Endpoint));
        await using var without = await Node.StartAsync(Files($"http://127.0.0.1:{ChildProcess.FreePort()}"));

        Assert.Equal("", await FailedAsync(with));
        Assert.Equal("blobs", await FailedAsync(without));

        (string, string)[] Files(string endpoint) =>
        [
            ("Blobs:S3Endpoint", endpoint), ("Blobs:S3Bucket", there.S3Bucket), ("Blobs:S3AccessKey", there.S3AccessKey),
            ("Blobs:S3SecretKey", there.S3SecretKey),
        ];
    }

    [Fact]
    public async Task The_health_command_asks_where_the_settings_say_that_the_server_listens()
    {
        await using var node = await LoopbackNode.StartAsync();

        Assert.Equal(0, await AskAsync($"--Server:Api=http://*:{node.ApiPort}"));
        Assert.Equal(1, await AskAsync($"--Server:Api=http://127.0.0.1:{ChildProcess.FreePort()}"));
        Assert.Equal(2, await AskAsync("--Server:Api=nowhere"));

        static Task<int> AskAsync(string setting) => Task.Run(() => Server.Hosting.CommandLine.Run(["health", setting], HealthCommand.Create()), Ct);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task<string> FailedAsync(Node node)
    {
        using var response = await node.Http.GetAsync(Ready, Ct);
        var answer = await response.Content.ReadFromJsonAsync<ReadyAnswer>(Node.Json, Ct);
        Assert.Equal(answer!.Failed.Count == 0 ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, response.StatusCode);
        return string.Join(", ", answer.Failed);
    }

    private static readonly Uri Ready = new("/health/ready", UriKind.Relative);
}
