using System.Net;
using System.Net.WebSockets;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>Who may open a socket, on both ports.</summary>
public sealed class SocketAdmissionTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task T1_a_ticket_opens_one_socket(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var http = node.As(await node.NewDeviceAsync());
        var ticket = await (await http.PostAsync("/v1/auth/ws-ticket", null, Ct)).ReadAsync<SocketTicket>();

        Assert.Equal(30, ticket.ExpiresIn);
        Assert.Equal(101, await ConnectAsync(node, bare, $"?ticket={ticket.Ticket}"));
        Assert.Equal(401, await ConnectAsync(node, bare, $"?ticket={ticket.Ticket}"));
    }

    [Fact]
    public async Task T1_a_ticket_is_worth_nothing_after_thirty_seconds()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@chat.example");
        var (early, late) = (await TicketsAsync(ada, 2), await TicketsAsync(ada, 2));

        node.Clock.Advance(TimeSpan.FromSeconds(29));
        var inTime = await StatusesAsync(node, early);
        node.Clock.Advance(TimeSpan.FromSeconds(2));
        var tooLate = await StatusesAsync(node, late);

        Assert.Equal((101, 101), inTime);
        Assert.Equal((401, 401), tooLate);
    }

    [Theory]
    [InlineData("10.1.2.3", "203.0.113.7, {0}, 10.9.9.9", 401)]
    [InlineData("192.0.2.1", "{0}", 429)]
    public async Task A7_the_sockets_port_believes_only_a_listed_proxy_about_its_clients(string peer, string chain, int otherClient)
    {
        await using var node = await Node.StartAsync(
            ("Server:TrustedProxies:0", "10.0.0.0/8"), ("Limits:Scale", "1"), ("Limits:Overrides:socket:Burst", "2"));

        async Task<int> AskAsync(string client) => await BareConnection.StatusAsync(
            node, from: IPAddress.Parse(peer), headers: $"X-Forwarded-For: {chain.Replace("{0}", client, StringComparison.Ordinal)}\r\n");

        Assert.Equal(401, await AskAsync("198.51.100.1"));
        Assert.Equal(401, await AskAsync("198.51.100.2"));
        Assert.Equal(429, await AskAsync("198.51.100.3"));
        Assert.Equal(otherClient, await AskAsync("198.51.101.1"));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task T1_no_credentials_or_wrong_ones_open_nothing(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        var device = await node.NewDeviceAsync();

        Assert.Equal(401, await ConnectAsync(node, bare));
        Assert.Equal(401, await ConnectAsync(node, bare, "?ticket=" + new string('A', 43)));
        Assert.Equal(401, await ConnectAsync(node, bare, token: device.AccessToken[..^20] + new string('A', 20)));
        Assert.Equal(400, await ConnectAsync(node, bare, token: device.AccessToken, protocol: "chat"));
        Assert.Equal(101, await ConnectAsync(node, bare, token: device.AccessToken));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task T1_a_browser_may_connect_only_from_a_listed_origin(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Server:AllowedOrigins:0=https://chat.example");
        var token = (await node.NewDeviceAsync()).AccessToken;

        Assert.Equal(403, await ConnectAsync(node, bare, token: token, origin: "https://evil.example"));
        Assert.Equal(403, await ConnectAsync(node, bare, token: token, origin: "null"));
        Assert.Equal(403, await ConnectAsync(node, bare, token: token, origin: "https://chat.example.evil.example"));
        Assert.Equal(101, await ConnectAsync(node, bare, token: token, origin: "https://chat.example"));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Sockets_from_one_network_are_limited(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync(
            "--Limits:Scale=1", "--Limits:Overrides:socket:Burst=1", "--Limits:Overrides:socket:Every=00:30:00");
        var token = (await node.NewDeviceAsync()).AccessToken;

        Assert.Equal(101, await ConnectAsync(node, bare, token: token));
        Assert.Equal(429, await ConnectAsync(node, bare, token: token));
    }

    private static async Task<string[]> TicketsAsync(Member member, int count)
    {
        var tickets = new string[count];
        for (var i = 0; i < count; i++)
        {
            tickets[i] = (await (await member.Http.PostAsync("/v1/auth/ws-ticket", null, Ct)).ReadAsync<SocketTicket>()).Ticket;
        }

        return tickets;
    }

    // Of the API's port with the first ticket, of the socket's own with the second.
    private static async Task<(int Api, int Bare)> StatusesAsync(Node node, string[] tickets) =>
        (await OpenAsync(node, tickets[0]), await BareConnection.StatusAsync(node, $"/ws?ticket={tickets[1]}"));

    private static async Task<int> OpenAsync(Node node, string ticket)
    {
        var client = node.Sockets;
        client.SubProtocols.Add("securechat.v1.proto");
        try
        {
            using var socket = await client.ConnectAsync(new Uri($"ws://localhost/ws?ticket={ticket}"), Ct);
            return 101;
        }
        catch (InvalidOperationException refused) when (refused.Message.Contains("401", StringComparison.Ordinal))
        {
            return 401;
        }
    }

    private static async Task<int> ConnectAsync(
        LoopbackNode node, bool bare, string query = "", string? token = null, string? origin = null, string protocol = "securechat.v1.proto")
    {
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.AddSubProtocol(protocol);
        if (token is not null)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        }

        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }

        try
        {
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{(bare ? node.SocketPort : node.ApiPort)}/ws{query}"), Ct);
        }
        catch (WebSocketException)
        {
            // The status tells.
        }

        return (int)socket.HttpStatusCode;
    }
}
