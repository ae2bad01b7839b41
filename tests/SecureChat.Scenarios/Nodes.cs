using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Two servers on one PostgreSQL and one Redis.</summary>
public sealed class Nodes(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_sent_on_one_node_reaches_a_connection_on_the_other()
    {
        await using var world = await worlds.StartAsync(StorePair.Shared, peer, Ct, nodes: 2);
        var (alice, bob) = await OnTwoNodesAsync(world);

        await alice.SendAsync(bob.Owner, "from node to node", Ct);
        var heard = await bob.NextTextAsync(Ct);
        await bob.SendAsync(alice.Owner, "and back", Ct);
        var answered = await alice.NextTextAsync(Ct);

        Assert.Equal(("from node to node", "and back"), (heard, answered));
    }

    [Fact]
    public async Task Killing_the_recipients_node_loses_nothing()
    {
        await using var world = await worlds.StartAsync(StorePair.Shared, peer, Ct, nodes: 2);
        var (alice, bob) = await OnTwoNodesAsync(world);
        await alice.SendAsync(bob.Owner, "delivered, never acknowledged", Ct);
        await bob.Socket.Delivered.WaitToReadAsync(Ct);

        await world.Nodes[1].KillAsync(Ct);
        await alice.SendAsync(bob.Owner, "sent while the node was dead", Ct);
        await bob.DisconnectAsync();
        await bob.ConnectAsync(Ct, world.Nodes[0]);

        Assert.Equal("delivered, never acknowledged", await bob.NextTextAsync(Ct));
        Assert.Equal("sent while the node was dead", await bob.NextTextAsync(Ct));
    }

    private static async Task<(Device Alice, Device Bob)> OnTwoNodesAsync(World world) => (
        (await world.PersonAsync("alice", Ct, world.Nodes[0])).Primary,
        (await world.PersonAsync("bob", Ct, world.Nodes[1])).Primary);
}
