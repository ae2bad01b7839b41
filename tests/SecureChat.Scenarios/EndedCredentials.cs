using System.Net;
using System.Net.WebSockets;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>What ends on one node ends on all.</summary>
public sealed class EndedCredentials(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Deleting_an_account_on_one_node_ends_its_socket_and_token_on_the_other()
    {
        await using var world = await worlds.StartAsync(StorePair.Shared, peer, Ct, nodes: 2);
        var bob = (await world.PersonAsync("bob", Ct, world.Nodes[1])).Primary;
        using var elsewhere = new Api(world.Nodes[0].Api) { AccessToken = bob.AccessToken };
        Assert.Equal(HttpStatusCode.OK, await bob.Api.StatusAsync(HttpMethod.Get, "/v1/account/data", null, Ct));

        await elsewhere.DeleteAsync("/v1/account", Ct);

        // The protocol promises two seconds; waiting longer than that says nothing about the machine the test runs on.
        await bob.Socket.Ended.WaitAsync(TimeSpan.FromSeconds(10), Ct);
        Assert.Equal(4401, bob.Socket.CloseCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await bob.Api.StatusAsync(HttpMethod.Get, "/v1/account/data", null, Ct));
        await Assert.ThrowsAsync<WebSocketException>(() => bob.ConnectAsync(Ct));
    }
}
