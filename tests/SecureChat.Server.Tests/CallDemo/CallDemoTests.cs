using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using SecureChat.Protocol;
using SecureChat.Server.Tests.Media;
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

    [Fact]
    public async Task In_development_the_page_announces_a_file_without_an_account_and_all_else_goes_by_the_uploads_key()
    {
        await using var node = await Node.StartAsync();
        var stranger = new FileSender(node.Http, node.Http);
        var content = FileSender.SomeBytes(10_000);

        using var announced = await AnnounceAsync(node, content.Length);
        var (upload, download) = (announced.Headers.Location!.OriginalString, "/v1/media/" + FileSender.Header(announced, "Media-Id"));
        using var appended = await stranger.AppendAsync(upload, 0, content);

        Assert.Equal("201 204", $"{await announced.OutcomeAsync()} {await appended.OutcomeAsync()}");
        Assert.Equal(content, await stranger.ReadAsync(download));
        Assert.Equal("410 gone", await stranger.ReadAsync(download));
    }

    [Theory]
    [InlineData("Development", null, "201")]
    [InlineData("Development", "http://localhost", "201")]
    [InlineData("Development", "http://localhost:81", "403 forbidden")]
    [InlineData("Development", "https://localhost", "403 forbidden")]
    [InlineData("Production", "http://localhost", "404 not_found")]
    public async Task A_file_is_announced_only_from_the_servers_own_origin_and_in_development(string environment, string? origin, string outcome)
    {
        await using var node = await Node.StartAsync(("Environment", environment));

        using var answer = await AnnounceAsync(node, 1000, origin);

        Assert.Equal(outcome, await answer.OutcomeAsync());
    }

    [Fact]
    public async Task What_pages_announce_is_bounded_as_for_one_account_whoever_does_it()
    {
        await using var node = await Node.StartAsync(("Media:BytesPerDay", $"{Limits.MaxMediaBytes + 1000}"), ("Media:UploadsInFlight", "3"));

        string[] lengths = ["0", $"{Limits.MaxMediaBytes + 1}", $"{Limits.MaxMediaBytes}", "1001", "500", "400", "100"];
        var outcomes = new List<string>();
        foreach (var length in lengths)
        {
            using var answer = await AnnounceAsync(node, long.Parse(length, CultureInfo.InvariantCulture));
            outcomes.Add(await answer.OutcomeAsync());
        }

        Assert.Equal(["400 malformed", "413 too_large", "201", "429 quota_used_up", "201", "201", "429 too_many_uploads"], outcomes);
    }

    [Fact]
    public async Task One_network_announces_so_many_files_and_no_more()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Limits:Overrides:call-demo-media:Burst", "2"));

        var outcomes = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            using var answer = await AnnounceAsync(node, 1000);
            outcomes.Add(await answer.OutcomeAsync());
        }

        Assert.Equal(["201", "201", "429 rate_limited"], outcomes);
    }

    private static async Task<HttpResponseMessage> AnnounceAsync(Node node, long length, string? origin = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/call-demo/media");
        request.Headers.Add("Tus-Resumable", "1.0.0");
        request.Headers.Add("Upload-Length", length.ToString(CultureInfo.InvariantCulture));
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        return await node.Http.SendAsync(request, Ct);
    }
}
