using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Calls;

/// <summary>Rooms on two nodes and one Redis.</summary>
public sealed class ManyNodesTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Peers_on_two_nodes_meet_talk_in_order_and_part_and_nothing_is_left()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        await using var a = await LoopbackNode.StartAsync($"--Storage:Redis={redis.ConnectionString}");
        await using var b = await LoopbackNode.StartAsync($"--Storage:Redis={redis.ConnectionString}");
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(a.SocketPort, room);
        await using var bob = await RoomClient.JoinAsync(b.SocketPort, room);
        await using var eve = await RoomClient.JoinAsync(b.ApiPort, room, isJson: true);

        Assert.Equal([ada.Peer], bob.Others);
        Assert.Equal([bob.Peer, eve.Peer], [await ada.NextJoinedAsync(), await ada.NextJoinedAsync()]);
        Assert.Equal(eve.Peer, await bob.NextJoinedAsync());
        for (var i = 0; i < 500; i++)
        {
            await ada.SendAsync(RoomClient.Signal(i % 2 == 0 ? 0 : bob.Peer, $"{i}"));
        }

        for (var i = 0; i < 500; i++)
        {
            Assert.Equal((ada.Peer, $"{i}"), await bob.NextSignalAsync());
        }

        for (var i = 0; i < 500; i += 2)
        {
            Assert.Equal((ada.Peer, $"{i}"), await eve.NextSignalAsync());
        }

        await bob.SendAsync(RoomClient.Signal(ada.Peer, "and back"));
        Assert.Equal((bob.Peer, "and back"), await ada.NextSignalAsync());
        await ada.AskAsync(new RoomClientFrame { Leave = new LeaveRoom() });
        Assert.Equal([ada.Peer, ada.Peer], [await bob.NextLeftAsync(), await eve.NextLeftAsync()]);
        bob.Abort();
        Assert.Equal(bob.Peer, await eve.NextLeftAsync());
        await eve.CloseAsync();

        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        Assert.Equal(0, await Eventually.IsAsync(0, () => Task.FromResult(connection.GetServers()[0].Keys(pattern: "room:*").Count())));
        Assert.Empty(connection.GetServers()[0].SubscriptionChannels(RedisChannel.Pattern("room:*")));
    }

    [Fact]
    public async Task Of_many_who_join_on_both_nodes_at_once_eight_get_in()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        await using var a = await LoopbackNode.StartAsync($"--Storage:Redis={redis.ConnectionString}");
        await using var b = await LoopbackNode.StartAsync($"--Storage:Redis={redis.ConnectionString}");
        var room = RoomClient.NewCapability();
        var clients = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => RoomClient.ConnectAsync(i % 2 == 0 ? a.SocketPort : b.SocketPort)));

        var answers = await Task.WhenAll(clients.Select(async client =>
        {
            await client.SendAsync(new RoomClientFrame { Request = 1, Join = RoomClient.Join(room).Join });
            return (Client: client, Answer: await client.NextAsync());
        }));

        var inside = answers.Where(one => one.Answer.Joined is not null).ToList();
        Assert.Equal(Limits.MaxRoomPeers, inside.Count);
        foreach (var (client, answer) in inside)
        {
            var known = new HashSet<uint>(answer.Joined.Peers);
            while (known.Count < Limits.MaxRoomPeers - 1)
            {
                Assert.True(known.Add(await client.NextJoinedAsync()));
            }

            Assert.True(known.SetEquals(inside.Select(one => one.Answer.Joined.Peer).Except([answer.Joined.Peer])));
        }

        Array.ForEach(clients, client => client.Abort());
    }
}
