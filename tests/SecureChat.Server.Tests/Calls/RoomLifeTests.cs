using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Calls;

/// <summary>How peers of a room end: by silence, with their node, with the store; on a clock of the test's own.</summary>
public sealed class RoomLifeTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_is_silent_for_45_seconds_has_left()
    {
        await using var node = await Node.StartAsync(_clock);
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(node, room);
        await using var silent = await RoomClient.JoinAsync(node, room);
        Assert.Equal(silent.Peer, await ada.NextJoinedAsync());

        var code = silent.CloseCodeAsync();
        var left = LeftAsync(ada);
        await PassAsync(TimeSpan.FromSeconds(60), ada, () => code.IsCompleted && left.IsCompleted, read: false);

        Assert.Equal(4408, await code);
        Assert.Equal(silent.Peer, await left);
    }

    [Fact]
    public async Task A_socket_that_joins_no_room_ends_whatever_it_sends()
    {
        await using var node = await Node.StartAsync(_clock);
        await using var idler = await RoomClient.ConnectAsync(node);

        await PassAsync(TimeSpan.FromSeconds(40), idler, () => false);
        var code = idler.CloseCodeAsync();
        await PassAsync(TimeSpan.FromSeconds(10), null, () => code.IsCompleted);

        Assert.Equal(4408, await code);
    }

    [Fact]
    public async Task A_peer_that_pings_stays_for_as_long_as_it_likes()
    {
        await using var node = await Node.StartAsync(_clock);
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(node, room);

        await PassAsync(TimeSpan.FromMinutes(5), ada, () => false);
        await using var late = await RoomClient.JoinAsync(node, room);

        Assert.Equal([ada.Peer], late.Others);
        Assert.Equal(late.Peer, await ada.NextJoinedAsync());
    }

    [Fact]
    public async Task Peers_of_a_node_that_died_are_gone_within_a_minute()
    {
        var hot = new MemoryHotStore(_clock);
        var (storeOfA, storeOfB) = (new OneOfMany(hot), new OneOfMany(hot));
        await using var a = await StartAsync(storeOfA);
        await using var b = await StartAsync(storeOfB);
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(a, room);
        await using var bob = await RoomClient.JoinAsync(b, room);
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());

        storeOfB.IsAway = true;
        var left = LeftAsync(ada);
        await PassAsync(TimeSpan.FromSeconds(61), ada, () => left.IsCompleted, read: false);

        Assert.Equal(bob.Peer, await left);
    }

    [Fact]
    public async Task Who_joins_or_leaves_unheard_is_found_all_the_same()
    {
        var hot = new MemoryHotStore(_clock);
        var (storeOfA, storeOfB) = (new OneOfMany(hot), new OneOfMany(hot) { LosesNotices = true });
        await using var a = await StartAsync(storeOfA);
        await using var b = await StartAsync(storeOfB);
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(a, room);
        await using var bob = await RoomClient.JoinAsync(b, room);
        await using var eve = await RoomClient.JoinAsync(b, room);

        var joined = NextAsync(ada, frame => frame.PeerJoined?.Peer);
        await PassAsync(TimeSpan.FromSeconds(20), ada, () => joined.IsCompleted, read: false);
        storeOfB.LosesNotices = false;
        await bob.SendAsync(RoomClient.Signal(ada.Peer, "known by now"));
        var others = new[] { await joined, await NextAsync(ada, frame => frame.PeerJoined?.Peer) };
        var from = await NextAsync(ada, frame => frame.Signal?.Peer);
        storeOfB.LosesNotices = true;
        await eve.CloseAsync();
        var left = LeftAsync(ada);
        await PassAsync(TimeSpan.FromSeconds(20), ada, () => left.IsCompleted, read: false);

        Assert.Equal(new[] { bob.Peer, eve.Peer }.Order(), others.Order());
        Assert.Equal(bob.Peer, from);
        Assert.Equal(eve.Peer, await left);
    }

    [Fact]
    public async Task A_room_outlives_a_store_that_forgets_everything()
    {
        var hot = new MemoryHotStore(_clock);
        var store = new OneOfMany(hot);
        await using var node = await StartAsync(store);
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(node, room);
        await using var bob = await RoomClient.JoinAsync(node, room);
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());

        foreach (var name in hot.Names.ToList())
        {
            await hot.RemoveAsync(name, Ct);
        }

        store.IsAway = true;
        await bob.SendAsync(RoomClient.Signal(ada.Peer, "nobody was told of that"));
        Assert.Equal((bob.Peer, "nobody was told of that"), await ada.NextSignalAsync());
        await using var refused = await RoomClient.ConnectAsync(node);
        Assert.Equal("unavailable", (await refused.AskAsync(RoomClient.Join(room))).Problem.Code);
        store.IsAway = false;
        await PassAsync(TimeSpan.FromSeconds(20), ada, () => hot.Names.Count(name => name.Split(':') is ["room", _, _]) is 2);
        await refused.JoinAsync(room);

        Assert.Equal(new[] { ada.Peer, bob.Peer }.Order(), refused.Others.Order());
    }

    [Fact]
    public async Task When_the_server_stops_it_says_so()
    {
        var node = await LoopbackNode.StartAsync();
        await using var bare = await RoomClient.JoinAsync(node.SocketPort, RoomClient.NewCapability());
        await using var web = await RoomClient.JoinAsync(node.ApiPort, RoomClient.NewCapability(), isJson: true);

        var codes = Task.WhenAll(bare.CloseCodeAsync(), web.CloseCodeAsync());
        await Task.WhenAll(node.StopAsync(), FarewellAsync());

        Assert.All(await codes, code => Assert.Equal(1001, code));
        await node.DisposeAsync();

        async Task FarewellAsync()
        {
            await codes;
            await Task.WhenAll(bare.CloseAsync(), web.CloseAsync());
        }
    }

    private Task<Node> StartAsync(OneOfMany store) => Node.StartAsync(_clock, services =>
    {
        services.RemoveAll<IHotStore>();
        services.AddSingleton<IHotStore>(store);
    });

    // In steps, each with time for what it sets off; the client says that it is there.
    private async Task PassAsync(TimeSpan time, RoomClient? alive, Func<bool> isDone, bool read = true)
    {
        for (var passed = TimeSpan.Zero; passed < time && !isDone(); passed += Step)
        {
            _clock.Advance(Step);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Ct);
            if (alive is not null)
            {
                await alive.SendAsync(new RoomClientFrame { Request = 9, Ping = new Ping() });
                if (read)
                {
                    await NextAsync(alive, frame => frame.Pong is null ? null : 1u);
                }
            }
        }
    }

    private static Task<uint> LeftAsync(RoomClient client) => NextAsync(client, frame => frame.PeerLeft?.Peer);

    // Passes over the others.
    private static async Task<uint> NextAsync(RoomClient client, Func<RoomServerFrame, uint?> find)
    {
        while (true)
        {
            if (find(await client.NextAsync()) is { } found)
            {
                return found;
            }
        }
    }

    private static readonly TimeSpan Step = TimeSpan.FromSeconds(2);
}
