using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Server.Storage;
using JsonWebKey = SecureChat.Protocol.Accounts.JsonWebKey;
using JsonWebKeySet = SecureChat.Protocol.Accounts.JsonWebKeySet;

namespace SecureChat.Server.Accounts;

/// <summary>The P-256 keys that sign access tokens: one per period, derived from the token secret.</summary>
/// <remarks>
/// Derivation (HKDF, then FIPS 186-5 A.2.1 "extra random bits") instead of storage: every node has the same keys at the same
/// time without talking to another, and rotation cannot fail. The key of the period before stays valid for the
/// tokens it signed; the key of the next one too, because another node's clock may be ahead.
/// </remarks>
internal sealed class SigningKeys(Secrets secrets, IOptions<TokensOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<long, ECDsaSecurityKey> _keys = new();

    public ECDsaSecurityKey Current => KeyOf(Period);

    /// <summary>The key before, the current and the next one.</summary>
    public IEnumerable<ECDsaSecurityKey> Valid => [KeyOf(Period - 1), KeyOf(Period), KeyOf(Period + 1)];

    /// <summary>What <c>/.well-known/jwks.json</c> shows.</summary>
    public JsonWebKeySet Published => new([.. Valid.Select(key =>
    {
        var point = key.ECDsa.ExportParameters(includePrivateParameters: false).Q;
        return new JsonWebKey(
            "EC", "P-256", "sig", SecurityAlgorithms.EcdsaSha256, key.KeyId,
            Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y));
    })]);

    private long Period => time.GetUtcNow().Ticks / options.Value.SigningKeyLife.Ticks;

    private ECDsaSecurityKey KeyOf(long period) => _keys.GetOrAdd(period, Derive);

    private ECDsaSecurityKey Derive(long period)
    {
        var label = string.Create(
            CultureInfo.InvariantCulture, $"secureChat access token ES256 {options.Value.SigningKeyLife.Ticks} {period}");
        var key = P256.Derive(secrets.TokenKey, label);
        var kid = SHA256.HashData(key.ExportSubjectPublicKeyInfo())[..12];
        return new ECDsaSecurityKey(key) { KeyId = Base64UrlEncoder.Encode(kid) };
    }
}
