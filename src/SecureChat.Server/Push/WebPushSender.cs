using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>Web Push (RFC 8030, 8291, 8292) and UnifiedPush, which is the same from here, its keys being optional.</summary>
/// <remarks>The endpoint is a URL that a user gave: see <see cref="EndpointGuard"/>.</remarks>
internal sealed class WebPushSender(
    EndpointGuard guard, VapidKeys vapid, IOptions<MailOptions> mail, TimeProvider time) : IPushSender, IDisposable
{
    /// <summary>What is sent to a receiver without keys: as long as an encrypted message, and always the same.</summary>
    public static readonly byte[] PlainBody = [.. Enumerable.Repeat((byte)'.', BodyBytes)];

    private readonly HttpClient _http = guard.CreateClient();

    public bool Serves(PushKind kind) => kind is PushKind.WebPush or PushKind.UnifiedPush;

    public async Task<PushOutcome> SendAsync(PushTarget target, CancellationToken ct)
    {
        if (!guard.Accepts(target.Address, out var endpoint))
        {
            return new PushOutcome(PushResult.Refused);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint);
        request.Content = new ByteArrayContent(target.HasKeys ? WebPushEncryption.Encrypt([], target.P256dh, target.Auth) : PlainBody);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (target.HasKeys)
        {
            request.Content.Headers.ContentEncoding.Add("aes128gcm");
        }

        request.Headers.TryAddWithoutValidation("Authorization", vapid.Authorize(endpoint));
        request.Headers.Add("TTL", ((int)mail.Value.Life.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("Urgency", "high");

        // A later message takes the place of one that was not delivered yet.
        request.Headers.Add("Topic", "wake");
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            return PushOutcome.From(response, time);
        }
        catch (HttpRequestException e) when (e.GetBaseException() is BlockedEndpointException)
        {
            return new PushOutcome(PushResult.Refused);
        }
    }

    public void Dispose() => _http.Dispose();

    // Header 86, delimiter 1, tag 16.
    private const int BodyBytes = 103;
}
