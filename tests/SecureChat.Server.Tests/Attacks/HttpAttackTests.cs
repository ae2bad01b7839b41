using System.Net;
using System.Net.Sockets;
using System.Text;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>Requests that are cut, hidden or held back, byte by byte.</summary>
public sealed class HttpAttackTests
{
    private const string Hidden = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // What a proxy in front and the server behind it might cut at different places.
    public static TheoryData<string> Smuggled =>
    [
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   " + Hidden,
        "Content-Length: 2, 7\r\n\r\n{}" + Hidden,
        "Content-Length: -2\r\n\r\n" + Hidden,
        "Content-Length: 2 2\r\n\r\n{}" + Hidden,
        "Content-Length: 0x2\r\n\r\n{}" + Hidden,
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n0\r\n\r\n" + Hidden,
        "Content-Length: 2\r\nTransfer-Encoding: xchunked\r\n\r\n{}" + Hidden,
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n" + Hidden,
        "Content-Length: 2\r\nTransfer-Encoding : chunked\r\n\r\n{}" + Hidden,
        "Content-Length: 2\r\nTransfer-Encoding:\r\n chunked\r\n\r\n{}" + Hidden,
        "Content-Length: 2\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n{}" + Hidden,
        "Content-Length: 2\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n{}" + Hidden,
        "Content-Length: 2\r\nX: a\0b\r\n\r\n{}" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n2;\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n2;a=\rb\r\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + Hidden,
        "Transfer-Encoding: chunked\r\n\r\n100000002\r\n{}\r\n0\r\n\r\n" + Hidden,
    ];

    [Theory, MemberData(nameof(Smuggled))]
    public async Task T3_a_request_that_two_servers_would_cut_differently_hides_no_other(string rest)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, node.ApiPort, Ct);
        var stream = client.GetStream();

        await stream.WriteAsync(
            Encoding.Latin1.GetBytes("POST /v1/keys/fetch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + rest), Ct);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        var answer = await new StreamReader(stream, Encoding.Latin1).ReadToEndAsync(patience.Token);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Equal(1, answer.Split("HTTP/1.1 ").Length - 1);
    }

    [Fact]
    public async Task T2_a_thousand_half_open_connections_hold_up_nobody_and_are_closed()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        var halfOpen = new List<TcpClient>();
        for (var i = 0; i < 1000; i++)
        {
            var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, i % 2 == 0 ? node.ApiPort : node.SocketPort, Ct);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(i % 4 < 2 ? "GET /ws HTTP/1.1\r\nHost: a\r\nX-" : "G"), Ct);
            halfOpen.Add(client);
        }

        await using var from = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await using var to = await ChatSocket.ReadyAsync(node.ApiPort, bob);
        await from.SendMessageAsync(ChatSocket.Message("still here", bob));
        await to.AckAsync((await to.NextDeliveryAsync()).Position);
        Assert.NotNull((await from.NextAsync()).Accepted);

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        var closed = await Task.WhenAll(halfOpen.Select(client => IsClosedAsync(client, patience.Token)));
        Assert.DoesNotContain(false, closed);
        halfOpen.ForEach(client => client.Dispose());
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task T2_a_port_keeps_as_many_connections_as_it_may_and_closes_the_next(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Server:MaxConnections=10");
        var (port, device) = (bare ? node.SocketPort : node.ApiPort, await node.NewDeviceAsync());
        var open = new List<TcpClient>();
        for (var i = 0; i < 10; i++)
        {
            open.Add(new TcpClient());
            await open[i].ConnectAsync(IPAddress.Loopback, port, Ct);
            await open[i].GetStream().WriteAsync("G"u8.ToArray(), Ct);
        }

        using var oneMore = new TcpClient();
        await oneMore.ConnectAsync(IPAddress.Loopback, port, Ct);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        Assert.True(await IsClosedAsync(oneMore, patience.Token));

        // It was not its silence: those that have been silent for longer are still there.
        Assert.All(open, client => Assert.False(client.Client.Poll(0, SelectMode.SelectRead)));
        open.ForEach(client => client.Dispose());

        await using var socket = await Eventually.ComesAsync(() => ChatSocket.ReadyAsync(port, device));
        await socket.CloseAsync();
    }

    // The server may say why before it hangs up.
    internal static async Task<bool> IsClosedAsync(TcpClient client, CancellationToken ct)
    {
        try
        {
            await client.GetStream().CopyToAsync(Stream.Null, ct);
            return true;
        }
        catch (IOException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
