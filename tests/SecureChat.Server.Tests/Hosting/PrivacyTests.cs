using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Hosting;

/// <summary>Nothing that names a person is in a log or a metric, whatever is asked and however it fails.</summary>
public sealed class PrivacyTests
{
    private const string Email = "canary.bird@chat.example";
    private const string Number = "+41791234567";
    private const string Address = "198.51.100.77";
    private const string Agent = "CanaryBrowser/7.7";

    // All of them must have been met, or the test has not looked where it says.
    private static readonly int[] Expected = [200, 204, 400, 401, 404, 415, 500];

    private readonly List<string> _secrets = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M12_no_account_address_token_or_network_address_is_in_logs_or_metrics()
    {
        using var logs = new LogCapture();
        await using var node = await Node.StartAsync(("Logging:LogLevel:Default", "Trace"), ("Logging:Console:LogLevel:Default", "None"));
        node.Get<ILoggerFactory>().AddProvider(logs);
        node.Get<ILoggerFactory>().CreateLogger("SecureChat.Canary").Log(LogLevel.Trace, 0, Email, null, (text, _) => text);
        Assert.Contains(Email, logs.Text, StringComparison.Ordinal);
        using var alice = await Member.SignUpAsync(node, Email);
        using var bob = await Member.SignUpAsync(node, "b." + Email);
        await TalkAsync(alice, bob);

        var answered = await CallEveryRouteAsync(node, alice);
        await node.Get<Database>().ExecuteAsync($"DROP TABLE one_time_keys", Ct);
        await node.Get<Database>().ExecuteAsync($"DROP TABLE device_keys", Ct);
        answered.AddRange(await CallEveryRouteAsync(node, bob));
        await SweepAsync(node);
        var metrics = await MetricsAsync(node);

        Assert.Empty(Expected.Except(answered));
        Assert.Contains("DELETE", metrics, StringComparison.Ordinal);
        Assert.Contains("500", metrics, StringComparison.Ordinal);
        var names = Names(alice).Concat(Names(bob)).ToList();
        Assert.All(names, name => Assert.DoesNotContain(name, metrics, StringComparison.OrdinalIgnoreCase));
        var written = logs.Text.Replace($"SecureChat.Canary: {Email}  ", "", StringComparison.Ordinal);
        Assert.Contains("SecureChat.Server.", written, StringComparison.Ordinal);
        Assert.All(names, name => Assert.DoesNotContain(name, written, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task M12_nothing_of_a_conversation_over_sockets_or_long_polls_is_in_the_logs()
    {
        using var logs = new LogCapture();
        var management = ChildProcess.FreePort();
        await using var node = await LoopbackNode.StartAsync(
            "--Logging:LogLevel:Default=Trace", "--Logging:Console:LogLevel:Default=None", $"--Server:Management=http://127.0.0.1:{management}");
        node.Get<ILoggerFactory>().AddProvider(logs);
        node.Get<ILoggerFactory>().CreateLogger("SecureChat.Canary").Log(LogLevel.Trace, 0, Email, null, (text, _) => text);
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());

        foreach (var (port, isJson) in new[] { (node.SocketPort, false), (node.SocketPort, true), (node.ApiPort, false), (node.ApiPort, true) })
        {
            await using var from = await ChatSocket.ReadyAsync(port, alice, isJson);
            await using var to = await ChatSocket.ReadyAsync(port, bob, isJson);
            await from.SendMessageAsync(ChatSocket.Message(Email, bob));
            await to.AckAsync((await to.NextDeliveryAsync()).Position);
            await from.SendMessageAsync(ChatSocket.Message(Email, bob with { RegistrationId = bob.RegistrationId ^ 1 }));
            await from.SendMessageAsync(ChatSocket.Message(Email, bob with { Address = new(bob.Address.Account, 9) }));
            await from.SendTextAsync($"{Email} {bob.Address.Account} {bob.AccessToken}");
            await from.CloseCodeAsync();
        }

        using var http = node.As(bob);
        var poll = http.GetAsync(new Uri("/v1/messages?wait=10", UriKind.Relative), Ct);
        await using var last = await ChatSocket.ReadyAsync(node.SocketPort, alice);
        await last.SendMessageAsync(ChatSocket.Message(Email, bob));
        var polled = Assert.Single((await (await poll).ReadAsync<ReceivedMessages>()).Messages);
        Assert.Equal((Email, alice.Address.Account), (Encoding.UTF8.GetString(polled.Content), polled.SenderAccount));
        var metrics = await LinkAndMeasureAsync(node, bob, http, management);
        Assert.Contains("securechat_messages_accepted", metrics, StringComparison.Ordinal);
        await node.StopAsync();

        var written = logs.Text.Replace($"SecureChat.Canary: {Email}  ", "", StringComparison.Ordinal);
        Assert.NotEqual(logs.Text, written);
        Assert.Contains("SecureChat.Server.", written, StringComparison.Ordinal);
        foreach (var device in new[] { alice, bob })
        {
            var account = device.Address.Account;
            string[] names =
            [
                Email, Convert.ToBase64String(Encoding.UTF8.GetBytes(Email)), account.ToString(), account.ToString("N"),
                Convert.ToBase64String(account.ToByteArray(bigEndian: true)), device.AccessToken[^40..],
            ];
            Assert.All(names, name => Assert.DoesNotContain(name, written, StringComparison.OrdinalIgnoreCase));
            Assert.All(names, name => Assert.DoesNotContain(name, metrics, StringComparison.OrdinalIgnoreCase));
        }

        Assert.All(_secrets, secret => Assert.DoesNotContain(secret, written, StringComparison.OrdinalIgnoreCase));
        Assert.All(_secrets, secret => Assert.DoesNotContain(secret, metrics, StringComparison.OrdinalIgnoreCase));
    }

    // A new device waits at its address, gets the message that was sent there, signs in, refreshes twice and uses a token again.
    private async Task<string> LinkAndMeasureAsync(LoopbackNode node, ChatDevice primary, HttpClient http, int management)
    {
        using var waiting = new ClientWebSocket();
        waiting.Options.AddSubProtocol("securechat.v1.proto");
        await waiting.ConnectAsync(new Uri($"ws://127.0.0.1:{node.SocketPort}/ws/provisioning"), Ct);
        var address = (await NextAsync(waiting)).Provisioning.Address.ToByteArray();
        var sent = await http.SendAsync(HttpMethod.Put, "/v1/provisioning", new Protocol.Accounts.ProvisioningMessage(address, Encoding.UTF8.GetBytes(Email)));
        Assert.Equal("204", await sent.OutcomeAsync());
        Assert.Equal(Email, (await NextAsync(waiting)).Provisioning.Message.ToStringUtf8());

        var first = await node.Get<Database>().InTransactionAsync(
            transaction => node.Get<RefreshTokens>().StartAsync(transaction, primary.Address, Ct), Ct);
        var second = (await (await http.PostAsync("/v1/auth/refresh", new Refresh(first))).ReadAsync<Session>()).RefreshToken;
        await (await http.PostAsync("/v1/auth/refresh", new Refresh(second))).ReadAsync<Session>();
        Assert.Equal("401 unauthorized", await (await http.PostAsync("/v1/auth/refresh", new Refresh(first))).OutcomeAsync());
        _secrets.AddRange([Convert.ToBase64String(address), Convert.ToHexString(address), first, second]);

        using var scraper = new HttpClient();
        return await scraper.GetStringAsync(new Uri($"http://127.0.0.1:{management}/metrics"), Ct);
    }

    private static async Task<ServerFrame> NextAsync(ClientWebSocket socket)
    {
        var buffer = new byte[4096];
        var part = await socket.ReceiveAsync(buffer, Ct).WaitAsync(TimeSpan.FromSeconds(20), Ct);
        return ChatSocket.Held(buffer[..part.Count], isJson: false);
    }

    private static IEnumerable<string> Names(Member member) =>
    [
        Email, Email.Split('@')[0], Number, Number[1..], Address, Agent,
        member.Account.ToString(), member.Account.ToString("N"), Convert.ToBase64String(member.Account.ToByteArray(bigEndian: true)),
        Convert.ToBase64String(member.Person.IdentityKey), member.Session.AccessToken[^40..], member.Session.RefreshToken,
    ];

    // The ways that work, so that what is logged about success is seen too.
    private static async Task TalkAsync(Member alice, Member bob)
    {
        var keys = new PublishKeys(OneTimeKeys: [new OneTimeKey(1, bob.Person.IdentityKey)]);
        Assert.Equal("204", await (await bob.Http.SendAsync(HttpMethod.Put, "/v1/keys", keys)).OutcomeAsync());
        await (await alice.Http.PostAsync("/v1/keys/fetch", new FetchKeys(bob.Account))).ReadAsync<KeyBundles>();
        var message = new SendMessage(
            Guid.CreateVersion7(), [new MessageRecipient(bob.Account, [new DeviceMessage(1, 1, 2, Encoding.UTF8.GetBytes(Email))])], 1);
        Assert.StartsWith("41", await (await alice.Http.PostAsync("/v1/messages", message)).OutcomeAsync(), StringComparison.Ordinal);
    }

    /// <summary>Every route, with and without credentials, with bodies from nonsense to plausible; the statuses it got.</summary>
    private static async Task<List<int>> CallEveryRouteAsync(Node node, Member member)
    {
        var account = member.Account;
        string[] bodies =
        [
            $$"""{"email":"{{Email}}","phone":"{{Number}}","account":"{{account}}","code":"{{account}}","link":"{{account}}"}""",
            $$"""{"account":"{{account}}","refreshToken":"{{member.Session.RefreshToken}}x","hash":"{{Email}}","digest":7}""",
            $$"""{"email":"{{Email}}","account":"{{account}}""",
            $"{Email} {account} {member.Session.AccessToken}",
        ];
        var answered = new List<int>();
        foreach (var (method, path) in Routes(node, account))
        {
            foreach (var token in new[] { member.Session.AccessToken, member.Session.AccessToken + "x", "" })
            {
                foreach (var body in bodies)
                {
                    answered.Add(await CallAsync(node, method, path, token, body));
                }
            }
        }

        return answered;
    }

    // What ends the credentials comes last.
    private static List<(string Method, string Path)> Routes(Node node, Guid account) =>
        [.. node.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(endpoint => (endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                .Select(method => (Method: method, Path: PathOf(endpoint, account))))
            .Where(route => !route.Path.StartsWith("/docs", StringComparison.Ordinal) && !IsLongPoll(route.Method, route.Path))
            .Append(("GET", $"/v1/{account}"))
            .OrderBy(route => route is ("DELETE", "/v1/account") or (_, "/v1/auth/logout"))];

    private static bool IsLongPoll(string method, string path) => (method, path) is ("GET", "/v1/messages");

    private static string PathOf(RouteEndpoint endpoint, Guid account) => "/" + string.Join('/', endpoint.RoutePattern.PathSegments
        .Select(segment => segment.IsSimple && segment.Parts[0].IsParameter ? "5" : segment.IsSimple ? RawOf(segment) : $"{account}.json"));

    private static string RawOf(Microsoft.AspNetCore.Routing.Patterns.RoutePatternPathSegment segment) =>
        ((Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart)segment.Parts[0]).Content;

    private static async Task<int> CallAsync(Node node, string method, string path, string token, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var context = await ((TestServer)node.Get<IServer>()).SendAsync(
            call =>
            {
                var request = call.Request;
                call.Connection.RemoteIpAddress = IPAddress.Parse(Address);
                (request.Method, request.Path, request.QueryString) = (method, path, new QueryString($"?ticket={token}&who={Uri.EscapeDataString(Email)}"));
                request.Headers["X-Forwarded-For"] = Address;
                request.Headers.UserAgent = Agent;
                request.Headers.Origin = $"https://{Email}";
                request.Headers.Authorization = token.Length > 0 ? $"Bearer {token}" : default;
                if (method is not "GET")
                {
                    (request.ContentType, request.ContentLength, request.Body) =
                        (body.StartsWith('{') ? "application/json" : "text/plain", bytes.Length, new MemoryStream(bytes));
                }
            },
            Ct);
        await context.Response.Body.CopyToAsync(Stream.Null, Ct);
        return context.Response.StatusCode;
    }

    // Sweeps fail on the missing tables and must not say too much either.
    private static async Task SweepAsync(Node node)
    {
        node.Clock.Advance(TimeSpan.FromHours(2));
        foreach (var sweep in node.Get<IEnumerable<Sweep>>())
        {
            await Record.ExceptionAsync(() => sweep.RemoveAsync(Ct));
        }
    }

    private static async Task<string> MetricsAsync(Node node)
    {
        var context = await ((TestServer)node.Get<IServer>()).SendAsync(
            call => (call.Connection.LocalPort, call.Request.Method, call.Request.Path) = (9464, "GET", "/metrics"), Ct);
        using var reader = new StreamReader(context.Response.Body);
        return await reader.ReadToEndAsync(Ct);
    }
}
