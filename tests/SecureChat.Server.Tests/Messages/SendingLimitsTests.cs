using System.Text;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>What a sender is told when there is no room, how long a message may ask to live, and what many recipients cost.</summary>
public sealed class SendingLimitsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task A_sender_is_told_that_a_queue_is_full_and_nothing_is_stored_or_lost_for_it(Stores stores)
    {
        await using var node = await StartAsync(stores, "--Storage:MaxQueueEnvelopes=10");
        var (alice, bob, carol) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        using var http = node.As(alice);
        for (var i = 0; i < 10; i++)
        {
            await from.SendMessageAsync(ChatSocket.Message($"{i}", bob));
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        var request = await from.SendMessageAsync(ChatSocket.Message("one too many", bob));
        var overSocket = await from.NextAsync();
        var overHttp = await http.PostAsync("/v1/messages", Message(null, bob));

        Assert.Equal((request, "queue_full", 507u), (overSocket.Request, overSocket.Problem.Code, overSocket.Problem.Status));
        Assert.Equal("507 queue_full", await overHttp.OutcomeAsync());
        Assert.Equal(10, await node.Get<IMessageQueue>().CountAsync(Ct));
        Assert.Equal("204", await (await http.PostAsync("/v1/messages", Message(null, carol))).OutcomeAsync());

        await using var to = await ChatSocket.ConnectAsync(node.SocketPort, bob);
        var first = await to.NextDeliveryAsync();
        await to.AckAsync(first.Position);
        Assert.Equal("204", await Eventually.IsAsync("204", async () =>
            await (await http.PostAsync("/v1/messages", Message(null, bob))).OutcomeAsync()));
        for (var i = 1; i < 10; i++)
        {
            Assert.Equal($"{i}", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        }
    }

    [Theory, EveryStore]
    public async Task A_message_that_asks_to_live_a_second_is_gone_after_it_and_its_neighbours_are_not(Stores stores)
    {
        await using var node = await StartAsync(stores);
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        using var http = node.As(alice);
        foreach (var (text, life) in new[] { ("before", 0u), ("brief", 1u), ("after", 7200u) })
        {
            var message = ChatSocket.Message(text, bob);
            message.ExpiresIn = life;
            await from.SendMessageAsync(message);
            Assert.NotNull((await from.NextAsync()).Accepted);
        }

        Assert.Equal("204", await (await http.PostAsync("/v1/messages", Message(1, bob))).OutcomeAsync());
        Assert.Equal(2, await Eventually.IsAsync(2, async () => (await node.Get<IMessageQueue>().ReadAsync(bob.Address, 0, 10, Ct)).Count));

        await using var to = await ChatSocket.ConnectAsync(node.SocketPort, bob);
        Assert.Equal("before", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.Equal("after", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.NotNull((await to.NextAsync()).QueueEmpty);
    }

    [Fact]
    public async Task A_life_beyond_the_servers_or_of_no_time_at_all_is_refused_and_nothing_is_stored()
    {
        await using var node = await LoopbackNode.StartAsync("--Messages:Life=00:30:00");
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        using var http = node.As(alice);

        var overHttp = new List<string>();
        foreach (var seconds in new[] { 0, -1, 1801, int.MaxValue })
        {
            overHttp.Add(await (await http.PostAsync("/v1/messages", Message(seconds, bob))).OutcomeAsync());
        }

        var overSocket = new List<string>();
        foreach (var seconds in new uint[] { 1801, int.MaxValue, uint.MaxValue })
        {
            var message = ChatSocket.Message("x", bob);
            message.ExpiresIn = seconds;
            await from.SendMessageAsync(message);
            overSocket.Add((await from.NextAsync()).Problem.Code);
        }

        Assert.All(overHttp, outcome => Assert.Equal("400 malformed", outcome));
        Assert.All(overSocket, code => Assert.Equal("malformed", code));
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
        Assert.Equal("204", await (await http.PostAsync("/v1/messages", Message(1800, bob))).OutcomeAsync());

        // In a frame, zero is how protobuf says that nothing was said: the server's life.
        await from.SendMessageAsync(ChatSocket.Message("x", bob));
        Assert.NotNull((await from.NextAsync()).Accepted);
        var deadlines = (await node.Get<IMessageQueue>().ReadAsync(bob.Address, 0, 10, Ct)).Select(mail => mail.Deadline).ToList();
        Assert.Equal(2, deadlines.Count);
        Assert.InRange(deadlines[1] - deadlines[0], TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_message_to_sixty_four_accounts_costs_as_much_as_sixty_four_messages(bool overSocket)
    {
        await using var node = await LoopbackNode.StartAsync(
            "--Limits:Scale=1", "--Limits:Overrides:send:Burst=64", "--Limits:Overrides:send:Every=01:00:00");
        var (many, few) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        var people = new List<ChatDevice>();
        for (var i = 0; i < 64; i++)
        {
            people.Add(await node.NewDeviceAsync());
        }

        var atOnce = await OneByOneAsync(node, many, overSocket, [[.. people], [people[0]]]);
        var oneByOne = await OneByOneAsync(node, few, overSocket, [.. people.Append(people[0]).Select(person => new[] { person })]);

        Assert.Equal(["accepted", "rate_limited"], atOnce);
        Assert.Equal([.. Enumerable.Repeat("accepted", 64), "rate_limited"], oneByOne);
        Assert.Equal(128, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    private static async Task<List<string>> OneByOneAsync(LoopbackNode node, ChatDevice sender, bool overSocket, IReadOnlyList<ChatDevice[]> sends)
    {
        using var http = node.As(sender);
        await using var socket = overSocket ? await ChatSocket.ReadyAsync(node.SocketPort, sender) : null;
        var outcomes = new List<string>();
        foreach (var to in sends)
        {
            if (socket is null)
            {
                var outcome = await (await http.PostAsync("/v1/messages", Message(null, to))).OutcomeAsync();
                outcomes.Add(outcome is "204" ? "accepted" : outcome.Split(' ')[1]);
                continue;
            }

            await socket.SendMessageAsync(ChatSocket.Message("x", to));
            var answer = await socket.NextAsync();
            outcomes.Add(answer.BodyCase is ServerFrame.BodyOneofCase.Accepted ? "accepted" : answer.Problem.Code);
        }

        return outcomes;
    }

    private static SendMessage Message(int? expiresIn, params ChatDevice[] to) => new(
        Ids.New(),
        [.. to.Select(device => new MessageRecipient(
            device.Address.Account, [new DeviceMessage(1, device.RegistrationId, 2, Encoding.UTF8.GetBytes("over http"))]))],
        1_700_000_000_000,
        expiresIn);

    private static async Task<LoopbackNode> StartAsync(Stores stores, params string[] settings) => await LoopbackNode.StartAsync(
        stores is Stores.Embedded
            ? settings
            : [.. (await TemporaryServers.NewStoresAsync()).Select(store => $"--{store.Name}={store.Value}"), .. settings]);
}
