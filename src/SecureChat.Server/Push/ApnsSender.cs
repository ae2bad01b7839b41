using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>The Apple Push Notification service over HTTP/2, with a provider token.</summary>
/// <remarks>
/// An alert with a localised key that the app's notification extension replaces: background pushes are throttled to a few an hour and
/// would not wake anybody in time. Apple accepts a provider token for an hour and refuses new ones more often than every 20 minutes.
/// </remarks>
internal sealed class ApnsSender : IPushSender, IDisposable
{
    private static readonly JsonWebTokenHandler Tokens = new() { SetDefaultTimesOnTokenCreation = false };

    private readonly PushOptions _options;
    private readonly TimeSpan _life;
    private readonly TimeProvider _time;
    private readonly ECDsaSecurityKey? _key;
    private readonly Lock _gate = new();
    private readonly HttpClient _http = OperatorClient.Create();
    private string _token = "";
    private DateTimeOffset _tokenMade;

    public ApnsSender(IOptions<PushOptions> options, IOptions<MailOptions> mail, TimeProvider time)
    {
        (_options, _life, _time) = (options.Value, mail.Value.Life, time);
        if (_options.ApnsKeyFile.Length > 0)
        {
            _key = new ECDsaSecurityKey(LoadKey(_options.ApnsKeyFile)) { KeyId = _options.ApnsKeyId };
        }
    }

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="ArgumentException">The key is not in PEM form.</exception>
    /// <exception cref="CryptographicException">The key is not a P-256 key.</exception>
    public static ECDsa LoadKey(string file)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(file));
            return key.KeySize is 256 ? key : throw new CryptographicException("Not a P-256 key.");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    public bool Serves(PushKind kind) => kind is PushKind.Apns && _key is not null;

    public async Task<PushOutcome> SendAsync(PushTarget target, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_options.ApnsUrl, $"/3/device/{target.Address}"));
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Headers.Authorization = new AuthenticationHeaderValue("bearer", Token());
        request.Headers.Add("apns-topic", _options.ApnsTopic);
        request.Headers.Add("apns-push-type", "alert");
        request.Headers.Add("apns-priority", "10");
        request.Headers.Add("apns-collapse-id", "wake");
        request.Headers.Add(
            "apns-expiration", (_time.GetUtcNow() + _life).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Content = new ByteArrayContent(Body);
        using var response = await _http.SendAsync(request, ct);
        return response.IsSuccessStatusCode
            ? PushOutcome.Sent
            : OutcomeOf(response, ReasonIn(await response.Content.ReadAsByteArrayAsync(ct)));
    }

    public void Dispose() => _http.Dispose();

    private static string? ReasonIn(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return answer.RootElement.TryGetProperty("reason", out var reason) ? reason.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private PushOutcome OutcomeOf(HttpResponseMessage response, string? reason)
    {
        switch (reason)
        {
            case "Unregistered" or "BadDeviceToken" or "DeviceTokenNotForTopic" or "ExpiredToken":
                return PushOutcome.Gone;
            case "ExpiredProviderToken":
                lock (_gate)
                {
                    _token = "";
                }

                return new PushOutcome(PushResult.Later);
            default:
                var outcome = PushOutcome.From(response, _time);

                // A 404 without those reasons is a wrong path, not a dead token.
                return response.StatusCode is HttpStatusCode.NotFound
                    ? new PushOutcome(PushResult.Refused, Status: (int)response.StatusCode)
                    : outcome;
        }
    }

    private string Token()
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            if (_token.Length is 0 || now - _tokenMade > TokenLife)
            {
                _token = Tokens.CreateToken(new SecurityTokenDescriptor
                {
                    Issuer = _options.ApnsTeamId,
                    IssuedAt = now.UtcDateTime,
                    SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.EcdsaSha256),
                });
                _tokenMade = now;
            }

            return _token;
        }
    }

    private static readonly byte[] Body = """{"aps":{"alert":{"loc-key":"wake"},"mutable-content":1}}"""u8.ToArray();
    private static readonly TimeSpan TokenLife = TimeSpan.FromMinutes(40);
}
