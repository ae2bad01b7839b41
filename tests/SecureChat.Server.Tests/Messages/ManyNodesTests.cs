using System.Net.WebSockets;
using System.Security.Cryptography;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>Two nodes on one PostgreSQL and one Redis.</summary>
public sealed class ManyNodesTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_sent_on_one_node_reaches_a_socket_on_another()
    {
        await using var cluster = await Cluster.StartAsync();
        var (alice, bob) = (await cluster.A.NewDeviceAsync(), await cluster.A.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(cluster.A.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(cluster.B.SocketPort, bob);

        await from.SendMessageAsync(ChatSocket.Message("across", bob));

        Assert.Equal("across", (await to.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.NotNull((await from.NextAsync()).Accepted);

        var typing = ChatSocket.Message("typing", bob);
        typing.Ephemeral = true;
        await from.SendMessageAsync(typing);
        Assert.Equal(("typing", 0ul), (await to.NextDeliveryAsync()) is var live ? (live.Envelope.Content.ToStringUtf8(), live.Position) : default);
    }

    [Fact]
    public async Task Credentials_that_end_on_one_node_end_the_socket_on_another()
    {
        await using var cluster = await Cluster.StartAsync();
        var bob = await cluster.A.NewDeviceAsync();
        await using var socket = await ChatSocket.ReadyAsync(cluster.B.SocketPort, bob);

        await cluster.A.Get<AccountNotices>().PublishAsync(bob.Address.Account, [bob.Epoch], Ct);

        Assert.Equal(4401, await socket.CloseCodeAsync());
    }

    [Fact]
    public async Task A_newer_socket_on_another_node_displaces_the_older_and_gets_its_mail()
    {
        await using var cluster = await Cluster.StartAsync();
        var (alice, bob) = (await cluster.A.NewDeviceAsync(), await cluster.A.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(cluster.A.SocketPort, alice);
        await using var older = await ChatSocket.ReadyAsync(cluster.A.SocketPort, bob);
        await from.SendMessageAsync(ChatSocket.Message("not acknowledged", bob));
        await older.NextDeliveryAsync();

        await using var newer = await ChatSocket.ConnectAsync(cluster.B.SocketPort, bob);

        Assert.Equal("not acknowledged", (await newer.NextDeliveryAsync()).Envelope.Content.ToStringUtf8());
        Assert.Equal(4409, await older.CloseCodeAsync());
    }

    [Fact]
    public async Task A_device_that_keeps_changing_nodes_gets_every_message_once_and_in_order()
    {
        await using var cluster = await Cluster.StartAsync();
        var (alice, bob) = (await cluster.A.NewDeviceAsync(), await cluster.A.NewDeviceAsync());
        await using var from = await ChatSocket.ReadyAsync(cluster.A.SocketPort, alice);
        const int Count = 600;
        var sending = Task.Run(
            async () =>
            {
                for (var i = 0; i < Count; i++)
                {
                    await from.SendMessageAsync(ChatSocket.Message(BitConverter.GetBytes(i), bob));
                    if (i % 8 == 7)
                    {
                        for (var answer = 0; answer < 8; answer++)
                        {
                            Assert.NotNull((await from.NextAsync()).Accepted);
                        }
                    }
                }
            },
            Ct);

        var received = new List<int>();
        while (received.Count < Count)
        {
            var node = RandomNumberGenerator.GetInt32(2) == 0 ? cluster.A : cluster.B;
            await using var to = await ChatSocket.ConnectAsync(node.SocketPort, bob);
            for (var take = RandomNumberGenerator.GetInt32(1, 60); take > 0 && received.Count < Count; take--)
            {
                var frame = await to.NextAsync();
                if (frame.Deliver is not { } delivered)
                {
                    continue;
                }

                // As the client's store does: what is there already is only acknowledged.
                var number = BitConverter.ToInt32(delivered.Envelope.Content.Span);
                if (!received.Contains(number))
                {
                    received.Add(number);
                }

                await to.AckAsync(delivered.Position);
            }

            to.Abort();
        }

        await sending;
        Assert.Equal(Enumerable.Range(0, Count), received);
    }

    [Fact]
    public async Task A_node_that_stops_amid_a_conversation_sends_both_sides_to_the_other_and_nothing_is_lost_or_doubled()
    {
        await using var cluster = await Cluster.StartAsync();
        var (alice, bob) = (await cluster.A.NewDeviceAsync(), await cluster.A.NewDeviceAsync());
        const int Count = 400;
        var (stopped, codes) = (new TaskCompletionSource(), new List<int>());
        var listening = ReceiveAllAsync(cluster, bob, Count, stopped.Task, codes);

        var (from, stopping) = (await ChatSocket.ReadyAsync(cluster.A.SocketPort, alice), Task.CompletedTask);
        for (var i = 0; i < Count; i++)
        {
            if (i == Count / 2)
            {
                stopped.SetResult();
                stopping = cluster.A.StopAsync();
            }

            // Whatever was not said to be accepted goes again under its own id, as a client's outbox does.
            var message = ChatSocket.Message(BitConverter.GetBytes(i), bob);
            while (!await IsAcceptedAsync(from, message))
            {
                await from.DisposeAsync();
                from = await ChatSocket.ConnectAsync(cluster.B.SocketPort, alice);
            }
        }

        var received = await listening;
        await from.DisposeAsync();
        await stopping;

        Assert.Equal(Enumerable.Range(0, Count), received);
        Assert.Equal([1001], codes);
        Assert.Equal(0, await Eventually.IsAsync(0, async () => (int)await cluster.B.Get<IMessageQueue>().CountAsync(Ct)));
    }

    // At the first node until it says that it goes, then at the other.
    private static async Task<List<int>> ReceiveAllAsync(Cluster cluster, ChatDevice bob, int count, Task stopped, List<int> codes)
    {
        var (received, positions) = (new List<int>(), new HashSet<int>());
        var to = await ChatSocket.ReadyAsync(cluster.A.SocketPort, bob);
        while (received.Count < count)
        {
            if (await to.TryNextAsync() is not { } frame)
            {
                Assert.True(stopped.IsCompleted);
                codes.Add((int)to.CloseStatus!.Value);
                await to.DisposeAsync();
                to = await ChatSocket.ConnectAsync(cluster.B.SocketPort, bob);
            }
            else if (frame.Deliver is { } delivered)
            {
                // An acknowledgement that the end overtook brings the message again; its number tells.
                var number = BitConverter.ToInt32(delivered.Envelope.Content.Span);
                if (positions.Add(number))
                {
                    received.Add(number);
                }

                await to.AckAsync(delivered.Position);
            }
        }

        await to.SendAsync(new ClientFrame { Request = 1, Ping = new Ping() });
        while ((await to.NextAsync()).Pong is null)
        {
        }

        await to.DisposeAsync();
        return received;
    }

    // False: the socket ended first.
    private static async Task<bool> IsAcceptedAsync(ChatSocket socket, Send message)
    {
        try
        {
            var request = await socket.SendMessageAsync(message);
            while (await socket.TryNextAsync() is { } frame)
            {
                if (frame.Request == request)
                {
                    Assert.NotNull(frame.Accepted);
                    return true;
                }
            }
        }
        catch (WebSocketException)
        {
            // Sent into its end.
        }

        return false;
    }
}
