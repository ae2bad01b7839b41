using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Accounts;

/// <summary>Posts codes as signed JSON, for any SMS gateway. Format: docs/operating.md.</summary>
/// <remarks>
/// <c>SecureChat-Signature: t=UNIX_SECONDS,v1=HEX</c>, where HEX is HMAC-SHA-256 under <c>Otp:WebhookSecret</c> of the time, a dot and the body.
/// The time lets the receiver refuse what was recorded and sent again.
/// </remarks>
internal sealed class WebhookOtp(IHttpClientFactory clients, IOptions<OtpOptions> options, TimeProvider time) : IOtpProvider
{
    public OtpChannel Channel => OtpChannel.Webhook;

    public async Task SendAsync(OtpMessage message, CancellationToken ct)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new WebhookBody(
                message.To.Kind is IdentifierKind.Email ? "email" : "phone", message.To.Value, message.Code,
                message.Challenge.ExpiresIn),
            WebhookJson.Default.WebhookBody);
        var seconds = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var signature = HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(options.Value.WebhookSecret), (byte[])[.. Encoding.ASCII.GetBytes($"{seconds}."), .. body]);

        using var request = new HttpRequestMessage(HttpMethod.Post, options.Value.WebhookUrl);
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("SecureChat-Signature", $"t={seconds},v1={Convert.ToHexStringLower(signature)}");
        using var http = clients.CreateClient(nameof(WebhookOtp));
        using var response = await http.SendAsync(request, ct);
        response.EnsureSuccessStatusCode();
    }
}

/// <summary>What a webhook receives.</summary>
/// <param name="Kind"><c>email</c> or <c>phone</c>.</param>
/// <param name="To">Where to send.</param>
/// <param name="Code">Six digits.</param>
/// <param name="ExpiresIn">Seconds.</param>
internal sealed record WebhookBody(string Kind, string To, string Code, int ExpiresIn)
{
    /// <summary>Never the code.</summary>
    public override string ToString() => nameof(WebhookBody);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(WebhookBody))]
internal sealed partial class WebhookJson : JsonSerializerContext;
