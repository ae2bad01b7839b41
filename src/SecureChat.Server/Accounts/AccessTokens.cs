using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Protocol;

namespace SecureChat.Server.Accounts;

/// <summary>Access tokens: JWTs (RFC 9068 profile) signed with ES256. Spec: docs/protocol/accounts.md#tokens.</summary>
internal sealed class AccessTokens(SigningKeys keys, IOptions<TokensOptions> options, TimeProvider time)
{
    // No claim is renamed on the way in, and no default life is added on the way out.
    private readonly JsonWebTokenHandler _handler = new()
    {
        MapInboundClaims = false,
        SetDefaultTimesOnTokenCreation = false,
        MaximumTokenSizeInBytes = MaxLength,
    };

    public int LifeSeconds => (int)options.Value.AccessLife.TotalSeconds;

    public string Issue(DeviceAddress device, long epoch)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return _handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = Type,
            Issuer = options.Value.Issuer,
            Audience = options.Value.Issuer,
            IssuedAt = now,
            Expires = now + options.Value.AccessLife,
            Claims = new Dictionary<string, object>
            {
                ["sub"] = device.Account.ToString(),
                ["dev"] = device.Device,
                ["epoch"] = epoch.ToString("x16", CultureInfo.InvariantCulture),
            },
            SigningCredentials = new SigningCredentials(keys.Current, SecurityAlgorithms.EcdsaSha256),
        });
    }

    /// <summary>What the token says, if it is one of ours and has not expired; whether the device still exists is not known here.</summary>
    public async Task<Caller?> ReadAsync(string token) => (await JudgeAsync(token)).Caller;

    /// <summary>The same, and whether a token that is none of ours is worse than stale: those, every client shows now and then.</summary>
    public async Task<(Caller? Caller, bool IsForged)> JudgeAsync(string token)
    {
        // One spelling per token: the library's base64 also takes padding and white space.
        if (token.Length is 0 or > MaxLength || token.AsSpan().ContainsAnyExcept(TokenCharacters))
        {
            return (null, true);
        }

        var result = await _handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            // Fixed by us, never taken from the token (RFC 8725): algorithm, type, issuer, audience and the set of keys.
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            ValidTypes = [Type],
            ValidIssuer = options.Value.Issuer,
            ValidAudience = options.Value.Issuer,
            IssuerSigningKeyResolver = (_, _, kid, _) => keys.Valid.Where(key => key.KeyId == kid),
            TryAllIssuerSigningKeys = false,
            RequireSignedTokens = true,
            LifetimeValidator = (notBefore, expires, _, _) => IsAlive(notBefore, expires),
        });

        return result is { IsValid: true, SecurityToken: JsonWebToken jwt }
            && jwt.TryGetPayloadValue("sub", out string? subject)
            && Guid.TryParseExact(subject, "D", out var account)
            && jwt.TryGetPayloadValue("dev", out int device)
            && jwt.TryGetPayloadValue("epoch", out string? hex)
            && long.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var epoch)
            && new DeviceAddress(account, device) is { IsValid: true } address
                ? (new Caller(address, epoch), false)
                : (null, result.Exception is not SecurityTokenInvalidLifetimeException);
    }

    private bool IsAlive(DateTime? notBefore, DateTime? expires)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return expires > now && expires <= now + options.Value.AccessLife + ClockSkew
            && (notBefore is null || notBefore <= now + ClockSkew);
    }

    private const string Type = "at+jwt";

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    // Ours have about 330 characters.
    private const int MaxLength = 1024;
    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);
}
