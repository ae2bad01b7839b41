using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>Tells Web Push services who sends: one P-256 key per server (RFC 8292), derived from the push secret.</summary>
/// <remarks>Browsers bind subscriptions to this key; it changes only with the secret.</remarks>
internal sealed class VapidKeys
{
    private static readonly JsonWebTokenHandler Tokens = new() { SetDefaultTimesOnTokenCreation = false };

    private readonly ECDsaSecurityKey _key;
    private readonly string _contact;
    private readonly TimeProvider _time;

    public VapidKeys(Secrets secrets, IOptions<PushOptions> options, TimeProvider time)
    {
        (_contact, _time) = (options.Value.VapidContact, time);
        _key = new ECDsaSecurityKey(P256.Derive(secrets.PushKey, "secureChat VAPID ES256"));
        var point = _key.ECDsa.ExportParameters(includePrivateParameters: false).Q;
        PublicKey = Base64UrlEncoder.Encode([0x04, .. point.X!, .. point.Y!]);
    }

    /// <summary>65 bytes in base64url.</summary>
    public string PublicKey { get; }

    /// <summary>The value of the <c>Authorization</c> header for a push to <paramref name="endpoint"/>.</summary>
    public string Authorize(Uri endpoint)
    {
        var claims = new Dictionary<string, object> { ["aud"] = endpoint.GetLeftPart(UriPartial.Authority) };
        if (_contact.Length > 0)
        {
            claims["sub"] = _contact;
        }

        // Rounded, so that the token does not tell the server's exact clock.
        var hour = _time.GetUtcNow().ToUnixTimeSeconds() / 3600;
        claims["exp"] = (hour + 12) * 3600;
        var token = Tokens.CreateToken(new SecurityTokenDescriptor
        {
            Claims = claims,
            SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.EcdsaSha256),
        });
        return $"vapid t={token}, k={PublicKey}";
    }
}
