using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Abuse;
using SecureChat.Server.Calls;
using SecureChat.Server.Connections;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Architecture;

/// <summary>No door without a lock and a limit.</summary>
public sealed partial class RouteTests
{
    /// <summary>What a stranger may call, each with its reason.</summary>
    private static readonly Dictionary<string, string> OpenToStrangers = new()
    {
        ["GET /health/live"] = "asked by orchestrators",
        ["GET /health/ready"] = "asked by orchestrators",
        ["GET /.well-known/data-held.json"] = "what the server stores is nobody's secret",
        ["GET /version"] = "says nothing secret",
        ["GET /v1/senders/root"] = "a public key, for whoever is about to sign up",
        ["GET /openapi/{documentName}.json"] = "public documentation",
        ["GET /.well-known/jwks.json"] = "public keys",
        ["POST /v1/auth/otp"] = "the caller has no account yet",
        ["POST /v1/auth/register"] = "the code or the invite is the credential",
        ["POST /v1/auth/refresh"] = "the refresh token is the credential",
        ["POST /v1/devices/link"] = "the link code is the credential",
        ["POST /v1/keys/fetch"] = "a sealed sender must not name itself",
        ["POST /v1/sealed/messages"] = "the recipient's right to send stands in for the sender's name",
        ["POST /v1/sealed/many"] = "as above, for each recipient",
        ["GET /v1/backups"] = "the backup's key signs",
        ["PUT /v1/backups"] = "the backup's key signs",
        ["DELETE /v1/backups"] = "the backup's key signs",
        ["PUT /v1/backups/chunks/{upload}/{number}"] = "the backup's key signs",
        ["GET /v1/backups/chunks/{number}"] = "the backup's key signs",
        ["GET /v1/groups/state"] = "the group's key signs",
        ["PUT /v1/groups/state"] = "the group's key signs",
        ["DELETE /v1/groups/state"] = "the group's key signs",
        ["GET /v1/groups/preview"] = "the invite link's key signs",
        ["POST /v1/groups/requests"] = "the invite link's key signs",
        ["GET /v1/groups/requests"] = "the group's key signs",
        ["DELETE /v1/groups/requests/{id}"] = "the group's key signs",
        ["OPTIONS /v1/media"] = "what the server can do is nobody's secret",
        ["HEAD /v1/media/uploads/{key}"] = "the unguessable key stands in for the uploader, so that nothing links the two",
        ["PATCH /v1/media/uploads/{key}"] = "as above",
        ["DELETE /v1/media/uploads/{key}"] = "as above",
        ["POST /v1/media/uploads/{key}"] = "as above, for clients that cannot send the other methods",
        ["GET /v1/media/{id}"] = "the unguessable id is the right to download",
        ["DELETE /v1/media/{id}"] = "as above, with the claim of a download",
        ["GET /call-demo"] = "a page, in Development only",
        ["GET /call-demo/{file}"] = "as above, its files",
        ["POST /call-demo/media"] = "as above, which has no account",
        ["GET /ws"] = "the ticket or the header is checked by the handshake itself",
        ["GET /ws/provisioning"] = "a new device has no credentials yet",
        ["GET /ws/rooms"] = "a peer of a group call must not name itself; the handshake refuses credentials",
    };

    /// <summary>What a stranger may call and whoever has a name as well: nothing there could link the two.</summary>
    private static readonly Dictionary<string, string> OpenToEverybody = new()
    {
        ["GET /health/live"] = "says nothing of anybody",
        ["GET /health/ready"] = "as above",
        ["GET /.well-known/data-held.json"] = "as above",
        ["GET /.well-known/jwks.json"] = "as above",
        ["GET /version"] = "as above",
        ["GET /v1/senders/root"] = "as above",
        ["GET /openapi/{documentName}.json"] = "as above",
        ["OPTIONS /v1/media"] = "as above",
        ["GET /call-demo"] = "as above",
        ["GET /call-demo/{file}"] = "as above",
        ["POST /v1/auth/otp"] = "the caller becomes somebody here",
        ["POST /v1/auth/register"] = "as above",
        ["POST /v1/auth/refresh"] = "as above",
        ["POST /v1/devices/link"] = "as above",
        ["POST /v1/keys/fetch"] = "with a name or without, each with its own budget",
        ["HEAD /v1/media/uploads/{key}"] = "tus clients send the headers of the announcement along with every part; nobody reads them there",
        ["PATCH /v1/media/uploads/{key}"] = "as above",
        ["DELETE /v1/media/uploads/{key}"] = "as above",
        ["POST /v1/media/uploads/{key}"] = "as above",
        ["GET /ws"] = "the handshake reads them itself",
    };

    /// <summary>Sockets, which are short-circuited past what refuses; their handshakes do, and have tests of their own.</summary>
    private static readonly string[] AnonymousSockets = ["GET /ws/provisioning", "GET /ws/rooms"];

    [Fact]
    public async Task M3_every_door_of_strangers_refuses_names_or_is_on_the_list_of_those_where_they_link_nothing()
    {
        await using var node = await Node.StartAsync();
        using var member = await Member.SignUpAsync(node, "ada@chat.example");
        var routes = RoutesOf(node).Where(route => OpenToStrangers.ContainsKey(route.Name)).ToList();

        var anonymous = routes.Where(route => route.Endpoint.Metadata.GetMetadata<RefuseCredentialsExtensions.Anonymous>() is not null).ToList();

        Assert.Equal(
            routes.Select(route => route.Name).Except(OpenToEverybody.Keys).Except(AnonymousSockets).Order(),
            anonymous.Select(route => route.Name).Order());
        foreach (var (name, endpoint) in anonymous)
        {
            var type = endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes[0] ?? "application/json";
            var (method, path) = (name.Split(' ')[0], Braces().Replace(name.Split(' ')[1], "1"));
            foreach (var (header, value) in new[] { ("Authorization", $"Bearer {member.Session.AccessToken}"), ("Cookie", "a=b") })
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = new ByteArrayContent([]) { Headers = { ContentType = new(type) } } };
                request.Headers.Add(header, value);
                using var answer = await node.Http.SendAsync(request, TestContext.Current.CancellationToken);
                Assert.Equal((name, "400 credentials_refused"), (name, await answer.OutcomeAsync()));
            }
        }
    }

    [Fact]
    public async Task M9_no_answer_of_any_door_may_be_stored()
    {
        await using var node = await Node.StartAsync();

        // Public keys that are the same for everybody: whoever has them from a cache has learnt that somebody asked this server for its keys.
        foreach (var (name, _) in RoutesOf(node).Where(route => !IsDocs(route.Name) && route.Name is not "GET /.well-known/jwks.json"))
        {
            var path = Braces().Replace(name.Split(' ')[1], "1");
            using var request = new HttpRequestMessage(new HttpMethod(name.Split(' ')[0]), path);
            using var answer = await node.Http.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.True(answer.Headers.CacheControl?.NoStore, $"{name}: {(int)answer.StatusCode} {answer.Headers.CacheControl}");
        }
    }

    [Fact]
    public async Task Every_route_asks_for_credentials_or_is_on_the_list_of_open_ones()
    {
        await using var node = await Node.StartAsync();

        var open = RoutesOf(node)
            .Where(route => route.Endpoint.Metadata.GetMetadata<IAuthorizeData>() is null
                || route.Endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            .Select(route => route.Name)
            .Where(name => !IsDocs(name))
            .ToHashSet();

        Assert.Contains("POST /v1/auth/otp", open);
        Assert.Empty(open.Except(OpenToStrangers.Keys));
    }

    [Fact]
    public async Task Every_route_has_a_named_limit()
    {
        await using var node = await Node.StartAsync();

        var unlimited = RoutesOf(node)
            .Where(route => route.Endpoint.Metadata.GetMetadata<RateLimit>() is null && !IsDocs(route.Name))
            .Select(route => route.Name);

        Assert.Empty(unlimited);
    }

    [Fact]
    public async Task Every_frame_that_a_client_may_send_has_a_named_limit()
    {
        await using var node = await Node.StartAsync();

        var limited = node.Get<IEnumerable<IFrameHandler>>().SelectMany(handler => handler.Fields).ToDictionary();
        var frames = ClientFrame.Descriptor.FindFieldByNumber(ClientFrame.PingFieldNumber).ContainingOneof.Fields
            .Select(field => field.FieldNumber);

        // The session answers a ping itself, under the limit of all frames.
        Assert.Equal(frames.Except([ClientFrame.PingFieldNumber]).Order(), limited.Keys.Order());
        Assert.All(limited.Values, limit => Assert.NotEmpty(limit.Name));
    }

    [Fact]
    public void Every_frame_of_a_room_has_a_named_limit()
    {
        var frames = RoomClientFrame.Descriptor.FindFieldByNumber(RoomClientFrame.PingFieldNumber).ContainingOneof.Fields
            .Select(field => field.FieldNumber);

        Assert.Equal(frames.Order(), RoomSocket.Fields.Keys.Order());
        Assert.All(RoomSocket.Fields.Values, limit => Assert.Contains(limit, RateLimits.All));
    }

    // The reference page and its files, in Development only.
    private static bool IsDocs(string name) => name.StartsWith("GET /docs", StringComparison.Ordinal);

    [GeneratedRegex("\\{[^}]*\\}")]
    private static partial Regex Braces();

    private static List<(string Name, RouteEndpoint Endpoint)> RoutesOf(Node node)
    {
        var routes = node.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(endpoint => (endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                .Select(method => ($"{method} /{endpoint.RoutePattern.RawText!.Trim('/')}", endpoint)))
            .ToList();
        Assert.NotEmpty(routes);
        return routes;
    }
}
