using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Push;

/// <summary>Against a server that speaks HTTP/2 only, as Apple's does.</summary>
public sealed class ApnsSenderTests(ITestOutputHelper output) : IAsyncDisposable
{
    private const string Device = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly string _file = Path.GetTempFileName();
    private readonly FakePushService _service = FakePushService.StartAsync(HttpProtocols.Http2).GetAwaiter().GetResult();
    private (int Status, string Body) _answer = (200, "");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_push_is_what_the_service_asks_for_and_always_the_same()
    {
        using var apns = Start();

        Assert.Equal(PushResult.Sent, (await apns.SendAsync(Target(Device), Ct)).Result);
        Assert.Equal(PushResult.Sent, (await apns.SendAsync(Target(new string('a', 64)), Ct)).Result);

        var push = _service.Received[0];
        Assert.Equal(("POST", "/3/device/" + Device, "HTTP/2"), (push.Method, push.Path, push.Protocol));
        Assert.Equal(
            ("org.example.chat", "alert", "10", "wake"),
            (push.Headers["apns-topic"], push.Headers["apns-push-type"], push.Headers["apns-priority"], push.Headers["apns-collapse-id"]));
        Assert.Equal($"{(_clock.GetUtcNow() + TimeSpan.FromHours(2)).ToUnixTimeSeconds()}", push.Headers["apns-expiration"]);
        Assert.Equal("""{"aps":{"alert":{"loc-key":"wake"},"mutable-content":1}}""", System.Text.Encoding.UTF8.GetString(push.Body));
        Assert.Equal(push.Body, _service.Received[1].Body);
        output.WritePush("APNs", push, Device);
        await VerifyAsync(push);
    }

    [Fact]
    public async Task A_provider_token_is_used_for_forty_minutes()
    {
        using var apns = Start();
        foreach (var minutes in (int[])[0, 1, 39, 2])
        {
            _clock.Advance(TimeSpan.FromMinutes(minutes));
            await apns.SendAsync(Target(Device), Ct);
        }

        var tokens = _service.Received.Select(push => push.Headers["Authorization"]).ToList();

        Assert.Equal((tokens[0], tokens[0], true), (tokens[1], tokens[2], tokens[3] != tokens[0]));
        await VerifyAsync(_service.Received[3]);
    }

    [Theory]
    [InlineData(410, """{"reason":"Unregistered","timestamp":1}""", nameof(PushResult.Gone))]
    [InlineData(400, """{"reason":"BadDeviceToken"}""", nameof(PushResult.Gone))]
    [InlineData(400, """{"reason":"DeviceTokenNotForTopic"}""", nameof(PushResult.Gone))]
    [InlineData(400, """{"reason":"BadTopic"}""", nameof(PushResult.Refused))]
    [InlineData(404, """{"reason":"BadPath"}""", nameof(PushResult.Refused))]
    [InlineData(403, """{"reason":"InvalidProviderToken"}""", nameof(PushResult.Refused))]
    [InlineData(429, """{"reason":"TooManyRequests"}""", nameof(PushResult.Later))]
    [InlineData(503, "no json", nameof(PushResult.Later))]
    public async Task Only_a_token_that_is_called_dead_is_gone(int status, string body, string result)
    {
        using var apns = Start();
        _answer = (status, body);

        var outcome = await apns.SendAsync(Target(Device), Ct);

        Assert.Equal(result, outcome.Result.ToString());
        Assert.Equal(result is "Later" ? TimeSpan.FromSeconds(77) : null, outcome.Wait);
    }

    [Fact]
    public async Task A_refused_provider_token_is_made_anew()
    {
        using var apns = Start();
        _answer = (403, """{"reason":"ExpiredProviderToken"}""");
        Assert.Equal(PushResult.Later, (await apns.SendAsync(Target(Device), Ct)).Result);
        _answer = (200, "");

        await apns.SendAsync(Target(Device), Ct);

        Assert.NotEqual(_service.Received[0].Headers["Authorization"], _service.Received[1].Headers["Authorization"]);
    }

    [Fact]
    public async Task Nothing_is_sent_to_a_server_without_http_2()
    {
        await using var old = await FakePushService.StartAsync();
        using var apns = Start(old);

        await Assert.ThrowsAsync<HttpRequestException>(() => apns.SendAsync(Target(Device), Ct));

        Assert.Empty(old.Received);
    }

    [Fact]
    public async Task Nothing_is_sent_to_a_server_that_nobody_vouches_for()
    {
        var request = new CertificateRequest("CN=localhost", _key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(_clock.GetUtcNow().AddYears(-1), _clock.GetUtcNow().AddYears(9));
        await using var impostor = await FakePushService.StartAsync(HttpProtocols.Http2, certificate: certificate);
        using var apns = Start(impostor, $"https://localhost:{impostor.Port}");

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => apns.SendAsync(Target(Device), Ct));

        Assert.Equal(HttpRequestError.SecureConnectionError, refused.HttpRequestError);
        Assert.Empty(impostor.Received);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        _key.Dispose();
        File.Delete(_file);
    }

    private static PushTarget Target(string token) => new(PushKind.Apns, token, [], []);

    private ApnsSender Start(FakePushService? service = null, string? url = null)
    {
        File.WriteAllText(_file, _key.ExportPkcs8PrivateKeyPem());
        _service.Answer = (_, context) =>
        {
            context.Response.StatusCode = _answer.Status;
            context.Response.Headers.RetryAfter = "77";
            return context.Response.WriteAsync(_answer.Body, Ct);
        };
        var options = new PushOptions
        {
            ApnsKeyFile = _file,
            ApnsKeyId = "ABC123DEFG",
            ApnsTeamId = "DEF123GHIJ",
            ApnsTopic = "org.example.chat",
            ApnsUrl = new Uri(url ?? (service ?? _service).Url),
        };
        Assert.True(new PushOptionsValidator().Validate(null, options).Succeeded);
        return new ApnsSender(Options.Create(options), Options.Create(new MailOptions()), _clock);
    }

    private async Task VerifyAsync(ReceivedPush push)
    {
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(push.Headers["Authorization"]["bearer ".Length..], new TokenValidationParameters
        {
            ValidAlgorithms = ["ES256"],
            IssuerSigningKey = new ECDsaSecurityKey(_key) { KeyId = "ABC123DEFG" },
            ValidIssuer = "DEF123GHIJ",
            ValidateAudience = false,
            ValidateLifetime = false,
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        var token = (JsonWebToken)result.SecurityToken;
        Assert.Equal("ABC123DEFG", token.Kid);
        Assert.InRange(_clock.GetUtcNow().UtcDateTime - token.IssuedAt, TimeSpan.Zero, TimeSpan.FromHours(1));
    }
}
