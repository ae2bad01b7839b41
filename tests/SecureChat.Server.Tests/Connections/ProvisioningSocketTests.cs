using System.Net.WebSockets;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>The socket of a device that is about to be linked, on both ports.</summary>
public sealed class ProvisioningSocketTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(false, false), InlineData(true, false), InlineData(false, true), InlineData(true, true)]
    public async Task A_new_device_gets_an_address_then_the_one_message_sent_there_then_the_end(bool bare, bool isJson)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var primary = node.As(await node.NewDeviceAsync());
        using var socket = await ConnectAsync(node, bare, isJson: isJson);

        var address = (await NextAsync(socket))!.Provisioning.Address.ToByteArray();
        var posted = await primary.SendAsync(HttpMethod.Put, "/v1/provisioning", new ProvisioningMessage(address, [1, 2, 3]));
        var message = (await NextAsync(socket))!.Provisioning.Message.ToByteArray();

        Assert.Equal("204", await posted.OutcomeAsync());
        Assert.Equal((16, 3), (address.Length, message.Length));
        Assert.Null(await NextAsync(socket));
        Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
        var again = await primary.SendAsync(HttpMethod.Put, "/v1/provisioning", new ProvisioningMessage(address, [4]));
        Assert.Equal("404 not_found", await again.OutcomeAsync());
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task An_address_ends_with_its_socket(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var primary = node.As(await node.NewDeviceAsync());
        using var socket = await ConnectAsync(node, bare);
        var address = (await NextAsync(socket))!.Provisioning.Address.ToByteArray();

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Ct);

        Assert.Equal("404 not_found", await Eventually.IsAsync("404 not_found", async () =>
            await (await primary.SendAsync(HttpMethod.Put, "/v1/provisioning", new ProvisioningMessage(address, [4]))).OutcomeAsync()));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_browser_may_open_one_only_from_a_listed_origin(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Server:AllowedOrigins:0=https://chat.example");

        using var listed = await ConnectAsync(node, bare, "https://chat.example");
        var refused = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(node, bare, "https://evil.example"));

        Assert.NotNull(await NextAsync(listed));
        Assert.Contains("403", refused.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_device_that_names_itself_is_told_and_gets_no_address(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync();
        var device = await node.NewDeviceAsync();

        var token = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(node, bare, token: device.AccessToken));
        var ticket = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(node, bare, query: "?ticket=any"));

        Assert.All([token, ticket], refused => Assert.Contains("400", refused.Message, StringComparison.Ordinal));
    }

    private static async Task<ClientWebSocket> ConnectAsync(
        LoopbackNode node, bool bare, string? origin = null, bool isJson = false, string? token = null, string query = "")
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(isJson ? "securechat.v1.json" : "securechat.v1.proto");
        if (token is not null)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        }

        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }

        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{(bare ? node.SocketPort : node.ApiPort)}/ws/provisioning{query}"), Ct);
        return socket;
    }

    private static async Task<ServerFrame?> NextAsync(ClientWebSocket socket)
    {
        var buffer = new byte[1024];
        var part = await socket.ReceiveAsync(buffer, Ct).WaitAsync(TimeSpan.FromSeconds(20), Ct);
        if (part.MessageType == WebSocketMessageType.Close)
        {
            return null;
        }

        var isJson = socket.SubProtocol == "securechat.v1.json";
        Assert.Equal(isJson ? WebSocketMessageType.Text : WebSocketMessageType.Binary, part.MessageType);
        return ChatSocket.Held(buffer[..part.Count], isJson);
    }
}
