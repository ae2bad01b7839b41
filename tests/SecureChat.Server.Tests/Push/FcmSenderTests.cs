using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Push;

/// <summary>Against a server that speaks Google's OAuth token exchange and FCM HTTP v1.</summary>
public sealed class FcmSenderTests(ITestOutputHelper output) : IAsyncDisposable
{
    private readonly RSA _key = RSA.Create(2048);
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly string _file = Path.GetTempFileName();
    private readonly FakePushService _service = FakePushService.StartAsync().GetAwaiter().GetResult();
    private (int Status, string Body) _answer = (200, """{"name":"projects/p/messages/1"}""");
    private int _exchanges;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_carries_a_token_from_the_exchange_and_nothing_but_the_wake_up()
    {
        using var fcm = Start();

        var outcomes = new[] { await fcm.SendAsync(Target("one"), Ct), await fcm.SendAsync(Target("two"), Ct) };

        Assert.All(outcomes, outcome => Assert.Equal(PushResult.Sent, outcome.Result));
        var sent = _service.Received.Where(request => request.Path == "/v1/projects/our-project/messages:send").ToList();
        Assert.Equal(["Bearer access-1", "Bearer access-1"], sent.Select(request => request.Headers["Authorization"]));
        Assert.Equal(
            """{"message":{"token":"one","data":{"wake":"1"},"android":{"priority":"HIGH","ttl":"7200s","collapse_key":"wake"}}}""",
            System.Text.Encoding.UTF8.GetString(sent[0].Body));
        Assert.Equal(sent[0].Body.Length, sent[1].Body.Length);
        output.WritePush("FCM HTTP v1", sent[0], "one");
        _clock.Advance(TimeSpan.FromMinutes(60));
        await fcm.SendAsync(Target("three"), Ct);
        Assert.Equal(2, _exchanges);
    }

    [Theory]
    [InlineData(404, """{"error":{"code":404,"details":[{"errorCode":"UNREGISTERED"}]}}""", nameof(PushResult.Gone))]
    [InlineData(403, """{"error":{"code":403,"details":[{"errorCode":"SENDER_ID_MISMATCH"}]}}""", nameof(PushResult.Gone))]
    [InlineData(404, """{"error":{"code":404,"status":"NOT_FOUND"}}""", nameof(PushResult.Refused))]
    [InlineData(404, "not json", nameof(PushResult.Refused))]
    [InlineData(404, """{"error":{"details":[{"errorCode":7}]}}""", nameof(PushResult.Refused))]
    [InlineData(400, "[]", nameof(PushResult.Refused))]
    [InlineData(429, "{}", nameof(PushResult.Later))]
    [InlineData(503, "{}", nameof(PushResult.Later))]
    public async Task Only_a_token_that_is_called_dead_is_gone(int status, string body, string result)
    {
        using var fcm = Start();
        _answer = (status, body);

        var outcome = await fcm.SendAsync(Target("t"), Ct);

        Assert.Equal(result, outcome.Result.ToString());
        Assert.Equal(result is "Later" ? TimeSpan.FromSeconds(77) : null, outcome.Wait);
    }

    [Fact]
    public async Task A_refused_access_token_is_exchanged_anew()
    {
        using var fcm = Start();
        _answer = (401, "{}");
        Assert.Equal(PushResult.Later, (await fcm.SendAsync(Target("t"), Ct)).Result);
        _answer = (200, "{}");

        Assert.Equal(PushResult.Sent, (await fcm.SendAsync(Target("t"), Ct)).Result);

        Assert.Equal("Bearer access-2", _service.Received[^1].Headers["Authorization"]);
    }

    [Fact]
    public void A_wrong_service_account_stops_the_start_with_a_sentence()
    {
        File.WriteAllText(_file, """{"project_id":"p"}""");

        var result = new PushOptionsValidator().Validate(null, new PushOptions { FcmServiceAccountFile = _file, ApnsKeyFile = _file });

        Assert.Contains(result.Failures!, sentence => sentence.StartsWith("Push:FcmServiceAccountFile must", StringComparison.Ordinal));
        Assert.Contains(result.Failures!, sentence => sentence.StartsWith("Push:ApnsKeyFile must", StringComparison.Ordinal));
        Assert.Contains(result.Failures!, sentence => sentence.StartsWith("Push:ApnsKeyId", StringComparison.Ordinal));
        Assert.True(new PushOptionsValidator().Validate(null, new PushOptions()).Succeeded);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        _key.Dispose();
        File.Delete(_file);
    }

    private static PushTarget Target(string token) => new(PushKind.Fcm, token, [], []);

    private FcmSender Start()
    {
        File.WriteAllText(_file, JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["type"] = "service_account",
            ["project_id"] = "our-project",
            ["client_email"] = "push@our-project.iam.example",
            ["private_key"] = _key.ExportPkcs8PrivateKeyPem(),
            ["token_uri"] = $"{_service.Url}/token",
        }));
        _service.Answer = AnswerAsync;
        var options = new PushOptions { FcmServiceAccountFile = _file, FcmUrl = new Uri(_service.Url) };
        Assert.True(new PushOptionsValidator().Validate(null, options).Succeeded);
        return new FcmSender(Options.Create(options), Options.Create(new MailOptions()), _clock);
    }

    private async Task AnswerAsync(ReceivedPush request, HttpContext context)
    {
        context.Response.ContentType = "application/json";
        if (request.Path is "/token")
        {
            await VerifyAssertionAsync(request);
            await context.Response.WriteAsync(
                $$"""{"access_token":"access-{{++_exchanges}}","expires_in":3600,"token_type":"Bearer"}""", Ct);
            return;
        }

        context.Response.StatusCode = _answer.Status;
        context.Response.Headers.RetryAfter = "77";
        await context.Response.WriteAsync(_answer.Body, Ct);
    }

    private async Task VerifyAssertionAsync(ReceivedPush request)
    {
        var form = QueryHelpers.ParseQuery(System.Text.Encoding.UTF8.GetString(request.Body));
        Assert.Equal("urn:ietf:params:oauth:grant-type:jwt-bearer", form["grant_type"]);
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(form["assertion"], new TokenValidationParameters
        {
            ValidAlgorithms = ["RS256"],
            IssuerSigningKey = new RsaSecurityKey(_key),
            ValidIssuer = "push@our-project.iam.example",
            ValidAudience = $"{_service.Url}/token",
            LifetimeValidator = (_, expires, _, _) => expires == _clock.GetUtcNow().UtcDateTime + TimeSpan.FromHours(1),
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        Assert.Equal("https://www.googleapis.com/auth/firebase.messaging", result.Claims["scope"]);
    }
}
