using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>Why sockets end, and that nothing is lost when they do.</summary>
public sealed class SessionEndTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_newer_socket_of_the_same_device_displaces_the_older_and_gets_what_it_had_not_acknowledged(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        var port = bare ? node.SocketPort : node.ApiPort;
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(port, alice);
        await using var older = await ChatSocket.ReadyAsync(port, bob);
        await from.SendMessageAsync(ChatSocket.Message("not acknowledged", bob));
        await older.NextDeliveryAsync();

        await using var newer = await ChatSocket.ConnectAsync(port, bob);

        Assert.Equal("not acknowledged", (await newer.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.Equal(4409, await older.CloseCodeAsync());
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_socket_ends_when_its_credentials_do(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        var port = bare ? node.SocketPort : node.ApiPort;
        var (bob, other) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var socket = await ChatSocket.ReadyAsync(port, bob);
        await using var untouched = await ChatSocket.ReadyAsync(port, other);

        await node.Get<AccountNotices>().PublishAsync(bob.Address.Account, [bob.Epoch], Ct);

        Assert.Equal(4401, await socket.CloseCodeAsync());
        await untouched.SendAsync(new ClientFrame { Ping = new Ping() });
        Assert.NotNull((await untouched.NextAsync()).Pong);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_server_that_stops_says_so(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        await using var socket = await ChatSocket.ReadyAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        var stopping = node.StopAsync();

        Assert.Equal(1001, await socket.CloseCodeAsync());
        socket.Abort();
        await stopping;
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Who_closes_right_after_an_acknowledgement_and_comes_back_at_once_gets_nothing_twice(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync(
            [.. (await TemporaryServers.NewStoresAsync()).Select(setting => $"--{setting.Name}={setting.Value}")]);
        var port = bare ? node.SocketPort : node.ApiPort;
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(port, alice);
        for (var i = 0; i < 100; i++)
        {
            // Ready: nothing but the end of the queue came.
            await using var to = await ChatSocket.ReadyAsync(port, bob);
            await from.SendMessageAsync(ChatSocket.Message($"{i}", bob));
            await to.AckAsync((await to.NextDeliveryAsync()).Position);
            Assert.NotNull((await from.NextAsync()).Accepted);
            await to.CloseAsync();
        }
    }

    [Fact]
    public async Task Messages_that_are_never_acknowledged_fill_the_window_and_one_acknowledgement_lets_one_more_through()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(node.SocketPort, bob);
        for (var i = 0; i < 258; i++)
        {
            await from.SendMessageAsync(ChatSocket.Message($"{i}", bob));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        var positions = new List<ulong>();
        for (var i = 0; i < 256; i++)
        {
            positions.Add((await to.NextDeliveryAsync()).Position);
        }

        await to.SendAsync(new ClientFrame { Ping = new Ping() });
        Assert.NotNull((await to.NextAsync()).Pong);

        // Any one of them: a stuck message at the front holds up nobody.
        await to.AckAsync(positions[100]);

        Assert.Equal("256", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        await to.AckAsync(positions[255], positions[0]);
        Assert.Equal("257", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
    }

    [Fact]
    public async Task An_acknowledgement_out_of_range_is_refused()
    {
        await using var node = await LoopbackNode.StartAsync();
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, await node.NewDeviceAsync());
        var ack = new Ack();
        ack.Positions.AddRange(Enumerable.Range(1, 257).Select(position => (ulong)position));

        await socket.SendAsync(new ClientFrame { Request = 3, Ack = ack });
        Assert.Equal("malformed", (await socket.NextAsync()).Problem.Code);
        await socket.SendAsync(new ClientFrame { Request = 4, Ack = new Ack { Positions = { 1, 2, 3 } } });
        Assert.Equal((4ul, ServerFrame.BodyOneofCase.Accepted), ((await socket.NextAsync()) is var answer ? (answer.Request, answer.BodyCase) : default));
    }

    [Fact]
    public async Task What_this_version_does_not_know_is_refused_by_request()
    {
        await using var node = await LoopbackNode.StartAsync();
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, await node.NewDeviceAsync());

        // Field 60, from a newer schema.
        await socket.SendBinaryAsync([0x08, 0x07, 0xE2, 0x03, 0x00]);

        var answer = await socket.NextAsync();
        Assert.Equal((7ul, "malformed"), (answer.Request, answer.Problem.Code));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task T10_a_device_that_says_too_much_is_told_to_wait_and_stays_connected(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=0.02");
        await using var socket = await ChatSocket.ReadyAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        var answers = new List<ServerFrame>();
        for (var i = 0; i < 600; i++)
        {
            await socket.SendAsync(new ClientFrame { Request = (ulong)i + 1, Ping = new Ping() });
            answers.Add(await socket.NextAsync());
        }

        Assert.NotNull(answers[0].Pong);
        var refused = answers.First(answer => answer.Problem is not null);
        Assert.Equal("rate_limited", refused.Problem.Code);
        Assert.True(refused.Problem.RetryAfter > 0);
    }
}
