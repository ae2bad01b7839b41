using System.Net.WebSockets;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Abuse;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Calls;

/// <summary>Who may open a room's socket, join, and how often.</summary>
public sealed class RoomDoorTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task M3_a_rooms_socket_takes_no_credentials_and_only_listed_origins(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Server:AllowedOrigins:0=https://chat.example");
        var port = bare ? node.SocketPort : node.ApiPort;
        var device = await node.NewDeviceAsync();

        await using var listed = await RoomClient.ConnectAsync(port, false, ("Origin", "https://chat.example"));
        await using var withCookie = await RoomClient.ConnectAsync(port, false, ("Cookie", "of=another page"));

        Assert.Equal(403, await RefusalAsync(port, "/ws/rooms", "securechat.rooms.v1.json", ("Origin", "https://evil.example")));
        Assert.Equal(400, await RefusalAsync(port, "/ws/rooms", "securechat.rooms.v1.json", ("Authorization", $"Bearer {device.AccessToken}")));
        Assert.Equal(400, await RefusalAsync(port, "/ws/rooms?ticket=any", "securechat.rooms.v1.json"));
        Assert.Equal(400, await RefusalAsync(port, "/ws/rooms", "securechat.v1.json"));
        Assert.Equal(400, await RefusalAsync(port, "/ws/rooms", "securechat.rooms.v1"));
        Assert.Equal(400, await RefusalAsync(port, "/ws", "securechat.rooms.v1.json", ("Authorization", $"Bearer {device.AccessToken}")));
    }

    [Fact]
    public async Task The_server_keeps_nothing_from_which_the_room_could_be_joined()
    {
        await using var node = await Node.StartAsync();
        var capability = RoomClient.NewCapability();
        await using var client = await RoomClient.JoinAsync(node, capability);
        var hot = Assert.IsType<MemoryHotStore>(node.Get<IHotStore>());

        var kept = Assert.Single(hot.Names, name => name.StartsWith("room:", StringComparison.Ordinal));

        Assert.DoesNotContain(Convert.ToHexString(capability), kept, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(System.Buffers.Text.Base64Url.EncodeToString(capability)[..20], kept, StringComparison.Ordinal);
        Assert.Equal(12, (await hot.GetAsync(kept, Ct))!.Length);
        await client.CloseAsync();
        Assert.Empty(await Eventually.IsAsync(0, () => Task.FromResult(hot.Names.Count(IsRoom))) is 0 ? [] : hot.Names.Where(IsRoom));
    }

    [Fact]
    public async Task Whoever_joins_again_and_again_works_for_it_and_waits_at_last()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var anomalies = node.Get<Anomalies>();
        var network = RateLimiter.Network(System.Net.IPAddress.Loopback);
        await using var client = await RoomClient.ConnectAsync(node.SocketPort, isJson: true);
        await AnomaliesTests.ObserveAsync(anomalies, Detectors.RoomJoinStorm, network, Detectors.RoomJoinStorm.Prove + 20);

        var asked = (await client.AskAsync(RoomClient.Join(RoomClient.NewCapability()))).Problem;
        var wrong = (await client.AskAsync(RoomClient.Join(RoomClient.NewCapability(), asked.Challenge + ".AAAA"))).Problem;
        var proof = ProofOfWorkTests.Solve(wrong.Challenge, (int)wrong.Difficulty);
        var joined = await client.AskAsync(RoomClient.Join(RoomClient.NewCapability(), proof));
        await client.AskAsync(new RoomClientFrame { Leave = new LeaveRoom() });
        var again = (await client.AskAsync(RoomClient.Join(RoomClient.NewCapability(), proof))).Problem;
        await AnomaliesTests.ObserveAsync(anomalies, Detectors.RoomJoinStorm, network, Detectors.RoomJoinStorm.Refuse);
        var refused = (await client.AskAsync(RoomClient.Join(RoomClient.NewCapability(), proof))).Problem;

        Assert.All([asked, wrong, again], problem => Assert.Equal(("proof_of_work_required", 428u), (problem.Code, problem.Status)));
        Assert.InRange(asked.Difficulty, 18u, 22u);
        Assert.NotNull(joined.Joined);
        Assert.Equal("rate_limited", refused.Code);
        Assert.True(refused.RetryAfter > 0);
    }

    [Fact]
    public async Task Joins_are_counted_for_the_network_and_ordinary_use_is_not_hindered()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        for (var call = 0; call < 20; call++)
        {
            await using var client = await RoomClient.JoinAsync(node, RoomClient.NewCapability());
            Assert.NotNull((await client.AskAsync(RoomClient.Signal(0, "hello"))).Sent);
            Assert.NotNull((await client.AskAsync(new RoomClientFrame { Ping = new Ping() })).Pong);
        }

        await node.Get<Anomalies>().FlushAsync(Ct);

        Assert.Contains(((MemoryHotStore)node.Get<IHotStore>()).Names, name => name.StartsWith("anomaly:room-join-storm:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_130_joins_from_one_network_120_come_in_and_the_others_are_told_to_wait()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));

        var answers = new List<RoomServerFrame>();
        for (var join = 0; join < 130; join++)
        {
            await using var client = await RoomClient.ConnectAsync(node);
            answers.Add(await client.AskAsync(RoomClient.Join(RoomClient.NewCapability())));
        }

        Assert.All(answers[..120], answer => Assert.NotNull(answer.Joined));
        Assert.All(answers[120..], answer => Assert.Equal("rate_limited", answer.Problem?.Code));
        Assert.All(answers[120..], answer => Assert.True(answer.Problem.RetryAfter > 0));
    }

    [Fact]
    public async Task T10_who_floods_a_room_is_told_to_wait_and_stays()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        var room = RoomClient.NewCapability();
        await using var flooder = await RoomClient.JoinAsync(node, room);
        await using var other = await RoomClient.JoinAsync(node, room);
        Assert.Equal(other.Peer, await flooder.NextJoinedAsync());

        var (handed, answer) = (0, new RoomServerFrame());
        while ((answer = await flooder.AskAsync(RoomClient.Signal(other.Peer, "x"))).Sent is not null)
        {
            Assert.True(++handed <= RateLimits.RoomSignals.Bucket.Size);
        }

        var pongs = 0;
        while ((await flooder.AskAsync(new RoomClientFrame { Ping = new Ping() })).Pong is not null)
        {
            Assert.True(++pongs <= RateLimits.RoomFrames.Bucket.Size);
        }

        Assert.Equal("rate_limited", answer.Problem.Code);
        Assert.True(handed > RateLimits.RoomSignals.Bucket.Size / 2);
        node.Clock.Advance(TimeSpan.FromSeconds(30));
        Assert.NotNull((await flooder.AskAsync(RoomClient.Signal(other.Peer, "again"))).Sent);
    }

    [Fact]
    public async Task A_signal_to_all_costs_as_much_as_one_to_each()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        var room = RoomClient.NewCapability();
        await using var flooder = await RoomClient.JoinAsync(node, room);
        var others = new List<RoomClient>();
        for (var i = 0; i < 3; i++)
        {
            others.Add(await RoomClient.JoinAsync(node, room));
            await flooder.NextJoinedAsync();
        }

        var handed = 0;
        while ((await flooder.AskAsync(RoomClient.Signal(0, "x"))).Sent is not null)
        {
            Assert.True(++handed <= RateLimits.RoomSignals.Bucket.Size / 3);
        }

        others.ForEach(other => other.Abort());
    }

    private static bool IsRoom(string name) => name.StartsWith("room:", StringComparison.Ordinal);

    private static async Task<int> RefusalAsync(int port, string target, string protocol, params (string Name, string Value)[] headers)
    {
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.AddSubProtocol(protocol);
        foreach (var (name, value) in headers)
        {
            socket.Options.SetRequestHeader(name, value);
        }

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}{target}"), Ct));
        return (int)socket.HttpStatusCode;
    }
}
