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
