using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>Firebase Cloud Messaging, HTTP v1: a data message of high priority that says nothing.</summary>
internal sealed class FcmSender : IPushSender, IDisposable
{
    private static readonly JsonWebTokenHandler Tokens = new() { SetDefaultTimesOnTokenCreation = false };

    private readonly FcmAccount? _account;
    private readonly SigningCredentials? _credentials;
    private readonly Uri _url;
    private readonly int _ttl;
    private readonly TimeProvider _time;
    private readonly HttpClient _http = OperatorClient.Create();
    private readonly SemaphoreSlim _exchanging = new(1, 1);
    private volatile AccessToken? _token;

    public FcmSender(IOptions<PushOptions> options, IOptions<MailOptions> mail, TimeProvider time)
    {
        (_time, _ttl) = (time, (int)mail.Value.Life.TotalSeconds);
        _url = options.Value.FcmUrl;
        if (options.Value.FcmServiceAccountFile.Length > 0)
        {
            _account = FcmAccount.Load(options.Value.FcmServiceAccountFile);
            _credentials = new SigningCredentials(new RsaSecurityKey(_account.ReadKey()), SecurityAlgorithms.RsaSha256);
        }
    }

    public bool Serves(PushKind kind) => kind is PushKind.Fcm && _account is not null;

    public async Task<PushOutcome> SendAsync(PushTarget target, CancellationToken ct)
    {
        var token = await TokenAsync(ct);
        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri(_url, $"/v1/projects/{Uri.EscapeDataString(_account!.Project)}/messages:send"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token.Value);
        request.Content = new ByteArrayContent(BodyFor(target.Address));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var response = await _http.SendAsync(request, ct);
        if (response.StatusCode is HttpStatusCode.Unauthorized)
        {
            _token = null;
            return new PushOutcome(PushResult.Later);
        }

        return response.IsSuccessStatusCode ? PushOutcome.Sent : OutcomeOf(response, await response.Content.ReadAsByteArrayAsync(ct));
    }

    public void Dispose()
    {
        _http.Dispose();
        _exchanging.Dispose();
    }

    // A 404 of another kind means a wrong project: no token may be forgotten for that.
    private PushOutcome OutcomeOf(HttpResponseMessage response, byte[] body)
    {
        if (IsDead(body))
        {
            return PushOutcome.Gone;
        }

        var outcome = PushOutcome.From(response, _time);
        return outcome.Result is PushResult.Gone ? new PushOutcome(PushResult.Refused, Status: (int)response.StatusCode) : outcome;
    }

    private static bool IsDead(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return answer.RootElement.TryGetProperty("error", out var error)
                && error.TryGetProperty("details", out var details)
                && details.EnumerateArray().Any(detail =>
                    detail.TryGetProperty("errorCode", out var code) && code.GetString() is "UNREGISTERED" or "SENDER_ID_MISMATCH");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private byte[] BodyFor(string token)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteStartObject("message");
            json.WriteString("token", token);
            json.WriteStartObject("data");
            json.WriteString("wake", "1");
            json.WriteEndObject();
            json.WriteStartObject("android");
            json.WriteString("priority", "HIGH");
            json.WriteString("ttl", string.Create(CultureInfo.InvariantCulture, $"{_ttl}s"));
            json.WriteString("collapse_key", "wake");
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return body.ToArray();
    }

    // RFC 7523: a signed assertion for an access token, which lives for an hour.
    private async Task<AccessToken> TokenAsync(CancellationToken ct)
    {
        if (_token is { } known && known.Until > _time.GetUtcNow())
        {
            return known;
        }

        await _exchanging.WaitAsync(ct);
        try
        {
            if (_token is { } meanwhile && meanwhile.Until > _time.GetUtcNow())
            {
                return meanwhile;
            }

            var now = _time.GetUtcNow();
            using var form = new FormUrlEncodedContent(
            [
                new("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                new("assertion", Tokens.CreateToken(new SecurityTokenDescriptor
                {
                    Issuer = _account!.Email,
                    Audience = _account.TokenUrl.OriginalString,
                    IssuedAt = now.UtcDateTime,
                    Expires = now.UtcDateTime + TimeSpan.FromHours(1),
                    Claims = new Dictionary<string, object> { ["scope"] = "https://www.googleapis.com/auth/firebase.messaging" },
                    SigningCredentials = _credentials,
                })),
            ]);
            using var response = await _http.PostAsync(_account.TokenUrl, form, ct);
            response.EnsureSuccessStatusCode();
            var answer = await response.Content.ReadFromJsonAsync(FcmJson.Default.FcmAccessToken, ct)
                ?? throw new HttpRequestException("The token exchange gave no token.");
            return _token = new AccessToken(answer.Token, now + TimeSpan.FromSeconds(answer.ExpiresIn) - EarlyBy);
        }
        finally
        {
            _exchanging.Release();
        }
    }

    private static readonly TimeSpan EarlyBy = TimeSpan.FromMinutes(1);

    private sealed class AccessToken(string value, DateTimeOffset until)
    {
        public string Value { get; } = value;

        public DateTimeOffset Until { get; } = until;
    }
}
