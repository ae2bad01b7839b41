using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Calls;

/// <summary>Rooms of group calls on one node, on both ports. Spec: docs/protocol/calls.md#rooms.</summary>
public sealed class RoomTests(SharedNode shared) : IClassFixture<SharedNode>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private LoopbackNode Node => shared.Node;

    [Fact]
    public async Task Peers_of_a_room_are_told_who_is_there_who_comes_and_who_leaves_on_either_port_and_subprotocol()
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var bob = await RoomClient.JoinAsync(Node.ApiPort, room, isJson: true);
        await using var eve = await RoomClient.JoinAsync(Node.SocketPort, RoomClient.NewCapability(), isJson: true);

        Assert.Empty(ada.Others);
        Assert.Equal([ada.Peer], bob.Others);
        Assert.Empty(eve.Others);
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());

        await bob.CloseAsync();
        Assert.Equal(bob.Peer, await ada.NextLeftAsync());
    }

    [Fact]
    public async Task A_signal_reaches_one_peer_or_all_others_in_order_and_names_its_sender()
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var bob = await RoomClient.JoinAsync(Node.ApiPort, room, isJson: true);
        await using var eve = await RoomClient.JoinAsync(Node.SocketPort, room);
        Assert.Equal([bob.Peer, eve.Peer], [await ada.NextJoinedAsync(), await ada.NextJoinedAsync()]);
        Assert.Equal(eve.Peer, await bob.NextJoinedAsync());

        for (var i = 0; i < 50; i++)
        {
            await ada.SendAsync(RoomClient.Signal(bob.Peer, $"for bob {i}"));
        }

        await ada.SendAsync(RoomClient.Signal(0, "for all"));
        Assert.NotNull((await ada.AskAsync(RoomClient.Signal(eve.Peer, "for eve"))).Sent);

        for (var i = 0; i < 50; i++)
        {
            Assert.Equal((ada.Peer, $"for bob {i}"), await bob.NextSignalAsync());
        }

        Assert.Equal((ada.Peer, "for all"), await bob.NextSignalAsync());
        Assert.Equal((ada.Peer, "for all"), await eve.NextSignalAsync());
        Assert.Equal((ada.Peer, "for eve"), await eve.NextSignalAsync());
    }

    [Fact]
    public async Task The_ninth_peer_is_refused_until_somebody_has_left()
    {
        var room = RoomClient.NewCapability();
        var peers = new List<RoomClient>();
        for (var i = 0; i < Limits.MaxRoomPeers; i++)
        {
            peers.Add(await RoomClient.JoinAsync(Node.SocketPort, room));
        }

        await using var ninth = await RoomClient.ConnectAsync(Node.SocketPort);
        var refused = (await ninth.AskAsync(RoomClient.Join(room))).Problem;
        await peers[3].CloseAsync();
        Assert.Equal(peers[3].Peer, await NextLeftAsync(peers[0]));
        await ninth.JoinAsync(room);

        Assert.Equal(("room_full", 409u), (refused.Code, refused.Status));
        Assert.Equal(Limits.MaxRoomPeers - 1, ninth.Others.Count);
        Assert.DoesNotContain(peers[3].Peer, ninth.Others);
        peers.ForEach(peer => peer.Abort());
    }

    [Fact]
    public async Task Of_twenty_who_join_at_once_eight_get_in_and_all_of_them_know_each_other()
    {
        var room = RoomClient.NewCapability();
        var clients = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => RoomClient.ConnectAsync(i % 2 == 0 ? Node.SocketPort : Node.ApiPort)));

        var answers = await Task.WhenAll(clients.Select(async client =>
        {
            await client.SendAsync(new RoomClientFrame { Request = 1, Join = RoomClient.Join(room).Join });
            return (Client: client, Answer: await client.NextAsync());
        }));

        var inside = answers.Where(one => one.Answer.Joined is not null).ToList();
        Assert.Equal(Limits.MaxRoomPeers, inside.Count);
        Assert.All(answers.Except(inside), one => Assert.Equal("room_full", one.Answer.Problem.Code));
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

    [Fact]
    public async Task Who_leaves_may_join_again_under_another_number()
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var bob = await RoomClient.JoinAsync(Node.SocketPort, room);
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());
        var before = bob.Peer;

        var left = await bob.AskAsync(new RoomClientFrame { Leave = new LeaveRoom() });
        var outside = await bob.AskAsync(RoomClient.Signal(0, "anybody?"));
        await bob.JoinAsync(room);

        Assert.Equal(before, left.PeerLeft.Peer);
        Assert.Equal("malformed", outside.Problem.Code);
        Assert.Equal(before, await ada.NextLeftAsync());
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());
        Assert.NotEqual(before, bob.Peer);
    }

    [Fact]
    public async Task What_is_out_of_range_is_refused_and_the_socket_stays()
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var eve = await RoomClient.ConnectAsync(Node.SocketPort);

        Assert.Equal("malformed", (await eve.AskAsync(RoomClient.Join(new byte[31]))).Problem.Code);
        Assert.Equal("malformed", (await eve.AskAsync(RoomClient.Join(new byte[33]))).Problem.Code);
        Assert.Equal("malformed", (await eve.AskAsync(RoomClient.Signal(ada.Peer, "from outside"))).Problem.Code);
        Assert.Equal("malformed", (await eve.AskAsync(new RoomClientFrame { Leave = new LeaveRoom() })).Problem.Code);
        Assert.Equal("malformed", (await eve.AskAsync(new RoomClientFrame())).Problem.Code);
        Assert.Equal("malformed", (await ada.AskAsync(RoomClient.Join(room))).Problem.Code);
        Assert.Equal("malformed", (await ada.AskAsync(RoomClient.Signal(0, ""))).Problem.Code);
        Assert.Equal("malformed", (await ada.AskAsync(RoomClient.Signal(0, new string('x', Limits.MaxSignalBytes + 1)))).Problem.Code);
        Assert.Equal("not_found", (await ada.AskAsync(RoomClient.Signal(ada.Peer, "to myself"))).Problem.Code);
        Assert.Equal("not_found", (await ada.AskAsync(RoomClient.Signal(ada.Peer ^ 1, "to nobody"))).Problem.Code);
        Assert.NotNull((await ada.AskAsync(RoomClient.Signal(0, new string('x', Limits.MaxSignalBytes)))).Sent);
        Assert.NotNull((await eve.AskAsync(new RoomClientFrame { Ping = new Ping() })).Pong);
    }

    [Theory]
    [InlineData(false, "AQ", true, 1003)]
    [InlineData(true, "CAE=", false, 1003)]
    [InlineData(false, "CAE/", false, 1007)]
    [InlineData(true, "eyJkYW5jZSI6", true, 1007)]
    public async Task What_is_no_frame_ends_the_socket(bool isJson, string message, bool isText, int code)
    {
        await using var client = await RoomClient.ConnectAsync(Node.SocketPort, isJson);

        await client.SendAsync(Convert.FromBase64String(message.PadRight((message.Length + 3) / 4 * 4, '=')), isText);

        Assert.Equal(code, await client.CloseCodeAsync());
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_frame_that_is_too_large_ends_the_socket(bool bare)
    {
        await using var client = await RoomClient.ConnectAsync(bare ? Node.SocketPort : Node.ApiPort);

        await client.SendAsync(new RoomClientFrame { Signal = new RoomSignal { Content = ByteString.CopyFrom(new byte[Limits.MaxFrameBytes]) } });

        Assert.Equal(1009, await client.CloseCodeAsync());
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_and_the_others_go_on()
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var bob = await RoomClient.JoinAsync(Node.SocketPort, room);
        await using var sleeper = await RoomClient.JoinAsync(Node.SocketPort, room);
        Assert.Equal([bob.Peer, sleeper.Peer], [await ada.NextJoinedAsync(), await ada.NextJoinedAsync()]);
        var flood = RoomClient.Signal(sleeper.Peer, new string('x', Limits.MaxSignalBytes));

        // Answers may come while somebody leaves, so none is asked for.
        var flooding = Task.Run(
            async () =>
            {
                for (var i = 0; i < 2000; i++)
                {
                    await ada.SendAsync(flood);
                }
            },
            Ct);

        Assert.Equal(sleeper.Peer, await NextLeftAsync(bob));
        await flooding;
        await ada.SendAsync(RoomClient.Signal(bob.Peer, "still here"));
        Assert.Equal((ada.Peer, "still here"), await bob.NextSignalAsync());
    }

    // Whoever else comes is of no interest.
    private static async Task<uint> NextLeftAsync(RoomClient client)
    {
        while (true)
        {
            if ((await client.NextAsync()).PeerLeft is { } left)
            {
                return left.Peer;
            }
        }
    }
}
