using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>The same promises on both ports and in both subprotocols.</summary>
public sealed class RelayTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<bool, bool> Transports => new() { { false, false }, { false, true }, { true, false }, { true, true } };

    [Theory, MemberData(nameof(Transports))]
    public async Task A_message_reaches_a_connected_device_and_leaves_the_server_when_acknowledged(bool bare, bool json)
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(Port(node, bare), alice, json);
        await using var to = await ChatSocket.ReadyAsync(Port(node, bare), bob, json);

        var message = ChatSocket.Message("hello", bob);
        var request = await from.SendMessageAsync(message);
        var delivered = await to.NextDeliveryAsync();
        var accepted = await from.NextAsync();

        Assert.Equal((request, ServerFrame.BodyOneofCase.Accepted), (accepted.Request, accepted.BodyCase));
        Assert.Equal("hello", delivered.Envelope.Content.ToStringUtf8());
        Assert.Equal(message.Id, delivered.Envelope.Id);
        Assert.Equal(alice.Address.Account.ToByteArray(bigEndian: true), delivered.Envelope.SenderAccount.ToByteArray());
        Assert.Equal(1u, delivered.Envelope.SenderDevice);
        Assert.Equal(message.Timestamp, delivered.Envelope.Timestamp);
        Assert.Equal(0ul, delivered.Envelope.ServerTime % 60);
        Assert.Equal(1, await node.Get<IMessageQueue>().CountAsync(Ct));

        await to.AckAsync(delivered.Position);
        await to.SendAsync(new ClientFrame { Request = 9, Ping = new Ping() });

        Assert.Equal(9ul, (await to.NextAsync()).Request);
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Theory, MemberData(nameof(Transports))]
    public async Task What_waited_comes_in_order_and_then_the_queue_is_said_to_be_empty_once(bool bare, bool json)
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(Port(node, bare), alice, json);
        for (var i = 0; i < 100; i++)
        {
            await from.SendMessageAsync(ChatSocket.Message($"{i}", bob));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        await using var to = await ChatSocket.ConnectAsync(Port(node, bare), bob, json);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal($"{i}", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        }

        Assert.NotNull((await to.NextAsync()).QueueEmpty);
        await from.SendMessageAsync(ChatSocket.Message("live", bob));
        Assert.Equal("live", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
    }

    [Fact]
    public async Task What_was_not_acknowledged_comes_again_on_the_next_connection_and_what_was_does_not()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        foreach (var text in (string[])["kept", "lost on the way"])
        {
            await from.SendMessageAsync(ChatSocket.Message(text, bob));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        await using (var to = await ChatSocket.ConnectAsync(node.SocketPort, bob))
        {
            await to.AckAsync((await to.NextDeliveryAsync()).Position);
            await to.NextDeliveryAsync();
            Assert.NotNull((await to.NextAsync()).QueueEmpty);
            await to.SendAsync(new ClientFrame { Ping = new Ping() });
            Assert.NotNull((await to.NextAsync()).Pong);
            to.Abort();
        }

        await using var again = await ChatSocket.ConnectAsync(node.SocketPort, bob);

        Assert.Equal("lost on the way", (await again.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.NotNull((await again.NextAsync()).QueueEmpty);
    }

    [Fact]
    public async Task A_message_sent_twice_under_one_id_is_delivered_once()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        var message = ChatSocket.Message("once", bob);

        await from.SendMessageAsync(message);
        Assert.NotNull((await from.NextAsync()).Accepted);
        await from.SendMessageAsync(message);
        Assert.NotNull((await from.NextAsync()).Accepted);

        await using var to = await ChatSocket.ConnectAsync(node.SocketPort, bob);
        Assert.Equal("once", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.NotNull((await to.NextAsync()).QueueEmpty);
    }

    [Fact]
    public async Task A_wrong_device_set_is_refused_with_what_is_wrong_and_nothing_is_stored()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewAccountAsync(1, 2));
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        var stranger = bob[1] with { Address = bob[1].Address with { Device = 7 } };

        await from.SendMessageAsync(ChatSocket.Message("to the wrong ones", bob[0], stranger));

        var problem = (await from.NextAsync()).Problem;
        Assert.Equal(("mismatched_devices", 409u), (problem.Code, problem.Status));
        var mismatch = Assert.Single(problem.Mismatches);
        Assert.Equal([2u], mismatch.Missing);
        Assert.Equal([7u], mismatch.Extra);
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Fact]
    public async Task One_stale_recipient_of_many_keeps_the_whole_message_from_being_stored()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, carol) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);

        await from.SendMessageAsync(ChatSocket.Message("x", bob, carol with { RegistrationId = (carol.RegistrationId % 16383) + 1 }));

        var problem = (await from.NextAsync()).Problem;
        Assert.Equal(("stale_devices", 410u), (problem.Code, problem.Status));
        Assert.Equal([1u], Assert.Single(problem.Mismatches).Stale);
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Fact]
    public async Task A_sync_message_goes_to_all_own_devices_but_the_sender()
    {
        await using var node = await LoopbackNode.StartAsync();
        var alice = await node.NewAccountAsync(1, 2, 3);
        await using var phone = await ChatSocket.ReadyAsync(node.SocketPort, alice[0]);
        await using var laptop = await ChatSocket.ReadyAsync(node.SocketPort, alice[1]);
        await using var tablet = await ChatSocket.ReadyAsync(node.SocketPort, alice[2]);

        await phone.SendMessageAsync(ChatSocket.Message("sent from my phone", alice[1], alice[2]));

        Assert.Equal("sent from my phone", (await laptop.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.Equal("sent from my phone", (await tablet.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.NotNull((await phone.NextAsync()).Accepted);
        await phone.SendMessageAsync(ChatSocket.Message("to myself", alice));
        Assert.Equal([1u], Assert.Single((await phone.NextAsync()).Problem.Mismatches).Extra);
    }

    [Fact]
    public async Task An_ephemeral_message_reaches_who_is_there_and_is_stored_nowhere()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, carol) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(node.SocketPort, bob);
        var typing = ChatSocket.Message("typing", bob, carol);
        typing.Ephemeral = true;

        await from.SendMessageAsync(typing);

        Assert.NotNull((await from.NextAsync()).Accepted);
        var delivered = await to.NextDeliveryAsync();
        Assert.Equal((0ul, true), (delivered.Position, delivered.Envelope.Ephemeral));
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Fact]
    public async Task A_sealed_message_carries_no_sender()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(node.SocketPort, bob);
        var message = ChatSocket.Message("who is this from?", bob);
        message.Recipients[0].Devices[0].Type = ContentType.Sealed;

        await from.SendMessageAsync(message);

        var envelope = (await to.NextDeliveryAsync()).Envelope;
        Assert.Equal((true, 0u), (envelope.SenderAccount.IsEmpty, envelope.SenderDevice));
    }

    public static TheoryData<string> Mistakes =>
        ["short id", "no recipient", "no device", "device 0", "device 128", "registration id 0", "unknown type", "too large", "too long a life", "same device twice", "same account twice", "unknown account"];

    [Theory, MemberData(nameof(Mistakes))]
    public async Task A_message_with_a_mistake_is_refused_and_the_socket_lives_on(string mistake)
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        var message = ChatSocket.Message("x", bob);
        var code = Spoil(message, mistake);

        var request = await from.SendMessageAsync(message);

        var answer = await from.NextAsync();
        Assert.Equal((request, code), (answer.Request, answer.Problem.Code));
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
        await from.SendMessageAsync(ChatSocket.Message("still here", bob));
        Assert.NotNull((await from.NextAsync()).Accepted);
    }

    private static int Port(LoopbackNode node, bool bare) => bare ? node.SocketPort : node.ApiPort;

    private static string Spoil(Send message, string mistake)
    {
        var device = message.Recipients[0].Devices[0];
        switch (mistake)
        {
            case "short id":
                message.Id = ByteString.CopyFrom(new byte[15]);
                break;
            case "no recipient":
                message.Recipients.Clear();
                break;
            case "no device":
                message.Recipients[0].Devices.Clear();
                return "mismatched_devices";
            case "device 0":
                device.Device = 0;
                break;
            case "device 128":
                device.Device = 128;
                break;
            case "registration id 0":
                device.RegistrationId = 0;
                break;
            case "unknown type":
                device.Type = ContentType.Event;
                break;
            case "too large":
                device.Content = ByteString.CopyFrom(new byte[(96 * 1024) + 1]);
                return "too_large";
            case "too long a life":
                message.ExpiresIn = (120 * 60) + 1;
                break;
            case "same device twice":
                message.Recipients[0].Devices.Add(device);
                break;
            case "same account twice":
                message.Recipients.Add(message.Recipients[0]);
                break;
            case "unknown account":
                message.Recipients[0].Account = ByteString.CopyFrom(Ids.New().ToByteArray());
                return "not_found";
        }

        return "malformed";
    }
}
