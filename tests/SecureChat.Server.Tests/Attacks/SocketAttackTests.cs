using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Connections;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>Floods over the socket: of bytes, of connections, of signals.</summary>
/// <remarks><c>CHAT_TEST_CONNECTIONS</c> says how many of each thousand connections are opened (default 200; 1000 is all of them).</remarks>
public sealed class SocketAttackTests(ITestOutputHelper output)
{
    private const int Fragment = 16 * 1024;
    private const int Offers = 2500;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static int OfEachThousand =>
        int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_CONNECTIONS") ?? "200", CultureInfo.InvariantCulture);

    [Theory, InlineData(false), InlineData(true)]
    public async Task T4_of_a_gigabyte_in_fragments_the_server_reads_less_than_512_kilobytes(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        await using var wire = await RawSocket.OpenAsync(bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());

        // A ping behind each fragment: whoever has read it has read all before it, and nothing waits in the system between.
        var read = 0L;
        for (var opcode = 0x02; read < 1L << 30; opcode = 0x00, read += Fragment)
        {
            await wire.SendAsync([.. FramingTests.Frame((byte)opcode, new byte[Fragment]), .. FramingTests.Frame(0x89, [])]);
            var (answer, payload) = await wire.NextAsync();
            if (answer is 0x88)
            {
                Assert.Equal([0x03, 0xF1], payload[..2]);
                break;
            }

            Assert.Equal(0x8A, answer);
        }

        Assert.InRange(read, 1, 512 * 1024);
    }

    [Fact]
    public async Task T4_on_its_own_port_the_socket_refuses_a_frame_that_says_it_has_a_gigabyte_before_it_comes()
    {
        await using var node = await LoopbackNode.StartAsync();
        await using var wire = await RawSocket.OpenAsync(node.SocketPort, await node.NewDeviceAsync());

        await wire.SendAsync([0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]);

        Assert.Equal(1009, await wire.CloseCodeAsync());
    }

    [Fact]
    public async Task T2_half_open_connections_and_readers_that_take_nothing_hold_up_nobody_and_are_closed()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, began) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), Environment.WorkingSet);
        var halfOpen = await Task.WhenAll(Enumerable.Range(0, 5 * OfEachThousand).Select(i => HalfOpenAsync(i % 2 == 0 ? node.ApiPort : node.SocketPort, i)));
        var stuck = await StuckAsync(node, OfEachThousand);
        await Eventually.IsAsync(stuck.Count, () => Task.FromResult(node.Get<SessionTable>().Count));

        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(node.ApiPort, bob);
        var times = new List<double>();
        for (var i = 0; i < 100; i++)
        {
            var sent = Stopwatch.GetTimestamp();
            await from.SendMessageAsync(ChatSocket.Message("still here", bob));
            await to.AckAsync((await to.NextDeliveryAsync()).Position);
            Assert.NotNull((await from.NextAsync()).Accepted);
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{halfOpen.Length} half-open, {stuck.Count} that take nothing: p99 {times.Order().ElementAt(98):F0} ms, {(Environment.WorkingSet - began) >> 20} MiB more for both ends"));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromMinutes(3));
        Assert.DoesNotContain(false, await Task.WhenAll(halfOpen.Select(client => HttpAttackTests.IsClosedAsync(client, patience.Token))));
        while (node.Get<SessionTable>().Count > 2)
        {
            // Who is there and says nothing for so long would be closed too.
            await from.SendAsync(new ClientFrame { Ping = new Ping() });
            await to.SendAsync(new ClientFrame { Ping = new Ping() });
            Assert.NotNull((await from.NextAsync()).Pong);
            Assert.NotNull((await to.NextAsync()).Pong);
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, patience.Token);
        }

        Array.ForEach(halfOpen, client => client.Dispose());
        stuck.ForEach(socket => socket.Abort());
    }

    [Fact]
    public async Task T10_of_a_thousand_offers_a_second_of_one_account_few_are_handed_on_and_the_calls_of_others_are_set_up()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var (flooder, victim) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await using var flood = await ChatSocket.ReadyAsync(node.SocketPort, flooder);
        await using var flooded = await ChatSocket.ReadyAsync(node.SocketPort, victim);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var (flooding, handed) = (FloodAsync(flood, victim, ended.Token), CountAsync(flooded));

        var times = new List<double>();
        for (var call = 0; call < 20; call++)
        {
            await using var caller = await ChatSocket.ReadyAsync(node.SocketPort, await node.NewDeviceAsync());
            var at = await node.NewDeviceAsync();
            await using var callee = await ChatSocket.ReadyAsync(node.SocketPort, at);
            var began = Stopwatch.GetTimestamp();
            await caller.SendMessageAsync(Signal(at));
            Assert.Equal("offer", (await callee.NextDeliveryAsync()).Envelope.Content.ToStringUtf8()[..5]);
            Assert.NotNull((await caller.NextAsync()).Accepted);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        await ended.CancelAsync();
        var (sent, refused) = await flooding;
        flooded.Abort();
        var arrived = await handed;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{sent} offers of one account: {refused} told to wait, {arrived} arrived; others' offers: p95 {times.Order().ElementAt(18):F1} ms"));
        Assert.True(sent >= Offers);
        Assert.True(refused > 0);
        Assert.InRange(arrived, 1, sent - refused);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A4_a_used_refresh_token_that_comes_back_closes_the_devices_open_socket(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Tokens:RefreshGrace=00:00:01");
        var device = await node.NewDeviceAsync();
        var tokens = node.Get<Server.Accounts.RefreshTokens>();
        var first = await node.Get<Database>().InTransactionAsync(transaction => tokens.StartAsync(transaction, device.Address, Ct), Ct);
        await using var socket = await ChatSocket.ReadyAsync(bare ? node.SocketPort : node.ApiPort, device);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        Assert.Equal("200", await (await http.PostAsync("/v1/auth/refresh", new Protocol.Accounts.Refresh(first))).OutcomeAsync());
        await Task.Delay(TimeSpan.FromSeconds(1.1), TimeProvider.System, Ct);

        Assert.Equal("401 unauthorized", await (await http.PostAsync("/v1/auth/refresh", new Protocol.Accounts.Refresh(first))).OutcomeAsync());

        Assert.Equal(4401, await socket.CloseCodeAsync());
    }

    private static async Task<TcpClient> HalfOpenAsync(int port, int number)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Ct);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(number % 4 < 2 ? "GET /ws HTTP/1.1\r\nHost: a\r\nX-" : "G"), Ct);
        return client;
    }

    // Their mail is one body for all: a window of it each, and the disk holds it once.
    private static async Task<List<ChatSocket>> StuckAsync(LoopbackNode node, int count)
    {
        var (mailbox, deadline) = (node.Get<Mailbox>(), TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1));
        var devices = new List<ChatDevice>();
        for (var i = 0; i < count; i++)
        {
            devices.Add(await node.NewDeviceAsync());
        }

        for (var i = 0; i < 10; i++)
        {
            var shared = new SharedBody(RandomNumberGenerator.GetBytes(90_000), count);
            await mailbox.ShareAsync(shared, deadline, Ct);
            var start = new Envelope { Type = ContentType.Sealed }.ToByteArray();
            foreach (var device in devices)
            {
                Assert.True(await mailbox.PostAsync([SomeMail.To(device.Address, start, deadline) with { Shared = shared }], Ct));
            }
        }

        var stuck = new List<ChatSocket>();
        foreach (var device in devices)
        {
            stuck.Add(await ChatSocket.ConnectAsync(node.SocketPort, device, receiveBuffer: 4096));
        }

        return stuck;
    }

    private static Send Signal(ChatDevice to)
    {
        var signal = ChatSocket.Message("offer" + new string('x', 2000), to);
        signal.Ephemeral = true;
        return signal;
    }

    // A thousand a second, or as many as this machine makes.
    private static async Task<(int Sent, int Refused)> FloodAsync(ChatSocket from, ChatDevice to, CancellationToken ended)
    {
        var (sent, refused, began) = (0, 0, Stopwatch.GetTimestamp());
        while (!ended.IsCancellationRequested || sent < Offers)
        {
            await from.SendMessageAsync(Signal(to));
            refused += (await from.NextAsync()).Problem?.Code is "rate_limited" ? 1 : 0;
            if (++sent % 100 is 0 && Stopwatch.GetElapsedTime(began) is var passed && passed < TimeSpan.FromMilliseconds(sent))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(sent) - passed, TimeProvider.System, Ct);
            }
        }

        return (sent, refused);
    }

    private static async Task<int> CountAsync(ChatSocket at)
    {
        for (var arrived = 0; ; arrived++)
        {
            try
            {
                if (await at.TryNextAsync() is null)
                {
                    return arrived;
                }
            }
            catch (Exception ended) when (ended is System.Net.WebSockets.WebSocketException or OperationCanceledException or ObjectDisposedException)
            {
                return arrived;
            }
        }
    }
}
