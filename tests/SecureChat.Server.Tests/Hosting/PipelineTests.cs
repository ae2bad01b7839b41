using System.Net;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using SecureChat.Protocol.Health;
using SecureChat.Protocol.Keys;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Hosting;

/// <summary>What every request meets before its slice: refusals as problems, headers, origins, proxies, the management port.</summary>
public sealed class PipelineTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("POST", "/v1/auth/otp", "application/json", "{", "400 malformed")]
    [InlineData("POST", "/v1/auth/otp", "application/json", "", "400 malformed")]
    [InlineData("POST", "/v1/auth/otp", "application/json", "null", "400 malformed")]
    [InlineData("POST", "/v1/auth/otp", "application/json", """{"email":"a@b.example","email":"c@d.example"}""", "400 malformed")]
    [InlineData("POST", "/v1/keys/fetch", "application/json", """{"account":"me"}""", "400 malformed")]
    [InlineData("POST", "/v1/keys/fetch", "application/json", "{}", "400 malformed")]
    [InlineData("POST", "/v1/auth/otp", "text/plain", "{}", "415 unsupported_media_type")]
    [InlineData("DELETE", "/v1/auth/otp", "application/json", "", "405 method_not_allowed")]
    [InlineData("GET", "/v1/nothing", "application/json", "", "404 not_found")]
    [InlineData("GET", "/v1/keys", "application/json", "", "401 unauthorized")]
    public async Task Every_refusal_is_a_problem_with_a_code_in_every_environment(
        string method, string path, string type, string body, string outcome)
    {
        foreach (var environment in new[] { "Development", "Production" })
        {
            await using var node = await Node.StartAsync(("Environment", environment));
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Content = method is "GET" ? null : new StringContent(body, Encoding.UTF8, type);

            using var answer = await node.Http.SendAsync(request, Ct);

            Assert.Equal(outcome, await answer.OutcomeAsync());
        }
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused()
    {
        await using var node = await LoopbackNode.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };
        using var body = new StringContent($"{{\"email\":\"{new string('a', 4 << 20)}\"}}", Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/auth/otp") { Content = body };
        request.Headers.ExpectContinue = true;

        using var answer = await http.SendAsync(request, Ct);

        Assert.Equal("413 too_large", await answer.OutcomeAsync());
    }

    [Fact]
    public async Task A_failure_of_the_server_answers_500_and_tells_nothing_of_it()
    {
        await using var node = await Node.StartAsync(("Environment", "Development"), ("Logging:LogLevel:Microsoft", "None"));
        await node.Get<Database>().ExecuteAsync($"DROP TABLE device_keys", Ct);

        var answer = await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(Guid.CreateVersion7()));

        Assert.Equal("500 internal", await answer.OutcomeAsync());
        Assert.DoesNotContain("device_keys", await answer.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task M9_every_answer_carries_the_security_headers_and_HSTS_only_over_TLS()
    {
        await using var node = await Node.StartAsync();

        using var plain = await node.Http.GetAsync(new Uri("/version", UriKind.Relative), Ct);
        using var refused = await node.Http.GetAsync(new Uri("https://localhost/v1/nothing"), Ct);

        foreach (var answer in new[] { plain, refused })
        {
            Assert.Equal("no-store", Assert.Single(answer.Headers.GetValues("Cache-Control")));
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.StartsWith("default-src 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        }

        Assert.False(plain.Headers.Contains("Strict-Transport-Security"));
        Assert.True(refused.Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task Browsers_of_other_origins_are_let_in_only_from_the_list()
    {
        await using var closed = await Node.StartAsync();
        await using var listed = await Node.StartAsync(("Server:AllowedOrigins:0", "https://chat.example"));

        Assert.Null(await AllowedAsync(closed, "https://chat.example"));
        Assert.Null(await AllowedAsync(listed, "https://evil.example"));
        Assert.Equal("https://chat.example", await AllowedAsync(listed, "https://chat.example"));
    }

    [Fact]
    public async Task A7_only_a_listed_proxy_is_believed_about_its_clients()
    {
        await using var node = await Node.StartAsync(("Server:TrustedProxies:0", "10.0.0.0/8"), ("Limits:Scale", "1"));

        var fromStranger = new List<int>();
        var fromProxy = new List<int>();
        for (var i = 0; i < 1000; i++)
        {
            fromStranger.Add((await SendAsync(node, "192.0.2.1", $"198.{i / 250}.{i % 250}.7")).StatusCode);
            fromProxy.Add((await SendAsync(node, "10.1.2.3", $"198.{i / 250}.{i % 250}.7")).StatusCode);
        }

        // One bucket of 120 for the stranger, whatever it claims.
        Assert.Equal((120, 880), (fromStranger.Count(status => status is 200), fromStranger.Count(status => status is 429)));
        Assert.DoesNotContain(429, fromProxy);
    }

    [Fact]
    public async Task A6_the_management_port_answers_metrics_and_nothing_else_and_no_other_port_answers_them()
    {
        await using var node = await Node.StartAsync();
        await SendAsync(node, "192.0.2.1");

        var metrics = await SendAsync(node, "127.0.0.1", path: "/metrics", port: 9464);
        var api = await SendAsync(node, "127.0.0.1", path: "/version", port: 9464);
        var elsewhere = await SendAsync(node, "127.0.0.1", path: "/metrics", port: 8080);

        Assert.Equal((200, 404, 404), (metrics.StatusCode, api.StatusCode, elsewhere.StatusCode));

        // A request is measured when all of it has ended, which is after its answer.
        Assert.True(await Eventually.IsAsync(true, async () =>
        {
            var text = await TextAsync(await SendAsync(node, "127.0.0.1", path: "/metrics", port: 9464));
            return text.Contains("http_server_request_duration", StringComparison.Ordinal);
        }));
    }

    [Fact]
    public async Task The_served_description_of_the_API_is_the_committed_one()
    {
        await using var node = await Node.StartAsync(("Environment", "Production"));

        using var served = await node.Http.GetAsync(new Uri("/openapi/v1.json", UriKind.Relative), Ct);

        var committed = await File.ReadAllTextAsync(Path.Combine(Architecture.Sources.Root, "docs/openapi.json"), Ct);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
        Assert.Equal(committed.ReplaceLineEndings("\n").Trim(), (await served.TextAsync()).ReplaceLineEndings("\n").Trim());
        Assert.Contains("\"openapi\": \"3.1", committed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_version_is_told_to_whoever_asks()
    {
        await using var node = await Node.StartAsync(("Environment", "Production"));

        using var answer = await node.Http.GetAsync(new Uri("/version", UriKind.Relative), Ct);

        var said = await answer.ReadAsync<VersionAnswer>();
        Assert.Equal(("secureChat", Server.Hosting.Server.Version), (said.Name, said.Version));
        Assert.Matches(@"^\d+\.\d+\.\d+", said.Version);
    }

    [Theory]
    [InlineData("Development", 200)]
    [InlineData("Production", 404)]
    public async Task The_reference_page_is_there_in_development_alone(string environment, int status)
    {
        await using var node = await Node.StartAsync(("Environment", environment));

        using var page = await node.Http.GetAsync(new Uri("/docs/", UriKind.Relative), Ct);
        using var description = await node.Http.GetAsync(new Uri("/openapi/v1.json", UriKind.Relative), Ct);

        Assert.Equal((status, 200), ((int)page.StatusCode, (int)description.StatusCode));
        Assert.Equal(status is 200, (await page.TextAsync()).Contains("<html", StringComparison.OrdinalIgnoreCase));
    }

    private static async Task<string?> AllowedAsync(Node node, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/version") { Headers = { { "Origin", origin } } };
        using var answer = await node.Http.SendAsync(request, Ct);
        return answer.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single() : null;
    }

    private static async Task<HttpResponse> SendAsync(
        Node node, string address, string? forwardedFor = null, string path = "/version", int port = 8080)
    {
        var context = await ((TestServer)node.Get<IServer>()).SendAsync(
            request =>
            {
                request.Connection.RemoteIpAddress = IPAddress.Parse(address);
                request.Connection.LocalPort = port;
                request.Request.Path = path;
                request.Request.Method = "GET";
                request.Request.Headers["X-Forwarded-For"] = forwardedFor;
            },
            Ct);
        return context.Response;
    }

    private static async Task<string> TextAsync(HttpResponse response)
    {
        using var reader = new StreamReader(response.Body);
        return await reader.ReadToEndAsync(Ct);
    }
}
