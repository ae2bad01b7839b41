using System.Net;
using System.Net.Http.Json;
using SecureChat.Protocol.Health;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Health;

public sealed class HealthEndpointsTests
{
    [Fact]
    public async Task Readiness_names_the_store_that_does_not_answer_while_the_process_lives_on()
    {
        await using var node = await Node.StartAsync();
        var before = await node.Http.GetAsync(Ready, TestContext.Current.CancellationToken);

        ((IDisposable)node.Get<IMessageQueue>()).Dispose();

        var after = await node.Http.GetAsync(Ready, TestContext.Current.CancellationToken);
        var live = await node.Http.GetAsync(new Uri("/health/live", UriKind.Relative), TestContext.Current.CancellationToken);
        var answer = await after.Content.ReadFromJsonAsync<ReadyAnswer>(Node.Json, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, after.StatusCode);
        Assert.Equal(["queues"], answer!.Failed);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    private static readonly Uri Ready = new("/health/ready", UriKind.Relative);
}
