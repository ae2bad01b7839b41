using System.Net;
using System.Net.WebSockets;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.CallDemo;

public sealed class CallDemoTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_and_its_files_are_served_in_development_under_a_policy_without_exceptions()
    {
        await using var node = await Node.StartAsync();

        using var page = await node.Http.GetAsync(new Uri("/call-demo", UriKind.Relative), Ct);
        using var script = await node.Http.GetAsync(new Uri("/call-demo/room-socket.js", UriKind.Relative), Ct);
        using var other = await node.Http.GetAsync(new Uri("/call-demo/appsettings.json", UriKind.Relative), Ct);

        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        Assert.Equal("text/javascript", script.Content.Headers.ContentType?.MediaType);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Elsewhere_than_in_development_there_is_no_page()
    {
        await using var node = await Node.StartAsync(("Environment", "Production"));

        using var answer = await node.Http.GetAsync(new Uri("/call-demo", UriKind.Relative), Ct);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Theory]
    [InlineData("Development", "http://localhost", true)]
    [InlineData("Development", "http://localhost:81", false)]
    [InlineData("Development", "https://localhost", false)]
    [InlineData("Production", "http://localhost", false)]
    public async Task A_page_may_open_a_room_only_from_the_servers_own_origin_and_in_development(string environment, string origin, bool isLetIn)
    {
        await using var node = await Node.StartAsync(("Environment", environment));
        var sockets = node.Sockets;
        sockets.SubProtocols.Add("securechat.rooms.v1.json");
        sockets.ConfigureRequest = request => request.Headers.Origin = origin;

        var attempt = await Record.ExceptionAsync(async () =>
        {
            using var socket = await sockets.ConnectAsync(new Uri("ws://localhost/ws/rooms"), Ct);
            Assert.Equal(WebSocketState.Open, socket.State);
        });

        Assert.Equal(isLetIn, attempt is null);
    }
}
