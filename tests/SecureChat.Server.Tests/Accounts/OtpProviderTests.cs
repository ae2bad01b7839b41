using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed class OtpProviderTests
{
    [Fact]
    public async Task A_code_arrives_by_mail()
    {
        using var mailServer = new SmtpListener();
        await using var node = await Node.StartAsync(
            ("Otp:Email", "Smtp"), ("Otp:SmtpHost", "127.0.0.1"), ("Otp:SmtpPort", $"{mailServer.Port}"),
            ("Otp:SmtpPlaintext", "true"), ("Otp:SmtpFrom", "chat@example.org"));
        var ada = new Person();

        var challenge = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("Ada@example.org"))).ReadAsync<OtpChallenge>();
        var mail = await mailServer.ReceiveAsync();
        var code = mail.Data.Split('\n').First(line => line.StartsWith("Subject: ", StringComparison.Ordinal)).Trim()[^6..];
        var answer = await node.Http.PostAsync(
            "/v1/auth/register", new Register(ada.IdentityKey, ada.NewDevice(), challenge.Challenge, code));

        Assert.Equal(("chat@example.org", "ada@example.org"), (mail.From, mail.To));
        Assert.Equal("200", await answer.OutcomeAsync());
    }

    [Fact]
    public async Task A_mail_server_without_encryption_gets_no_code()
    {
        using var mailServer = new SmtpListener();
        await using var node = await Node.StartAsync(
            ("Otp:Email", "Smtp"), ("Otp:SmtpHost", "127.0.0.1"), ("Otp:SmtpPort", $"{mailServer.Port}"),
            ("Otp:SmtpFrom", "chat@example.org"));

        await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));

        await mailServer.ConversationEndedAsync();
        Assert.DoesNotContain(mailServer.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_code_arrives_at_a_webhook_with_a_signature_over_time_and_body()
    {
        var secret = RandomNumberGenerator.GetHexString(64);
        var received = new TaskCompletionSource<(string Signature, byte[] Body)>();
        var silent = WebApplication.CreateSlimBuilder();
        silent.Logging.ClearProviders();
        await using var gateway = silent.Build();
        gateway.Urls.Add("http://127.0.0.1:0");
        gateway.MapPost("/send", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            received.SetResult((request.Headers["SecureChat-Signature"].ToString(), body.ToArray()));
        });
        await gateway.StartAsync(TestContext.Current.CancellationToken);
        await using var node = await Node.StartAsync(
            ("Otp:Phone", "Webhook"), ("Otp:WebhookUrl", $"{gateway.Urls.First()}/send"), ("Otp:WebhookSecret", secret));
        var ada = new Person();

        var challenge = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+49 1511 2345678")))
            .ReadAsync<OtpChallenge>();
        var (signature, body) = await received.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        var json = JsonDocument.Parse(body).RootElement;
        var answer = await node.Http.PostAsync("/v1/auth/register", new Register(
            ada.IdentityKey, ada.NewDevice(), challenge.Challenge, json.GetProperty("code").GetString()));

        var time = node.Clock.GetUtcNow().ToUnixTimeSeconds();
        var expected = Convert.ToHexStringLower(HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(secret), (byte[])[.. Encoding.UTF8.GetBytes($"{time}."), .. body]));
        Assert.Equal($"t={time},v1={expected}", signature);
        Assert.Equal(("phone", "+4915112345678"), (json.GetProperty("kind").GetString(), json.GetProperty("to").GetString()));
        Assert.Equal("200", await answer.OutcomeAsync());
    }

    [Fact]
    public async Task The_answer_does_not_wait_for_a_mail_server_that_hangs()
    {
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var node = await Node.StartAsync(
            ("Otp:Email", "Smtp"), ("Otp:SmtpHost", "127.0.0.1"), ("Otp:SmtpPort", $"{((IPEndPoint)silent.LocalEndpoint).Port}"),
            ("Otp:SmtpPlaintext", "true"), ("Otp:SmtpFrom", "chat@example.org"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            node.Http.PostAsync("/v1/auth/otp", new OtpRequest($"p{i}@example.org"))));

        Assert.All(answers, answer => Assert.True(answer.IsSuccessStatusCode));
    }

    [Theory]
    [InlineData("Otp:Email", "Console", "Otp:Email")]
    [InlineData("Otp:Email", "Smtp", "Otp:SmtpHost")]
    [InlineData("Otp:Phone", "Smtp", "Otp:Phone")]
    [InlineData("Otp:Phone", "Webhook", "Otp:WebhookSecret")]
    public async Task A_production_server_does_not_start_with_careless_settings(string name, string value, string named)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(
            () => Node.StartAsync(("Environment", "Production"), (name, value)));

        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A3_a_production_server_without_providers_refuses_both_kinds_of_identifier()
    {
        await using var node = await Node.StartAsync(("Environment", "Production"));

        var mail = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));
        var phone = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+4915112345678"));

        Assert.Equal("422 unsupported_identifier", await mail.OutcomeAsync());
        Assert.Equal("422 unsupported_identifier", await phone.OutcomeAsync());
        Assert.Equal(1, await Eventually.IsAsync(
            1, async () => (await node.Get<Invites>().ListAsync(TestContext.Current.CancellationToken)).Count));
    }
}
