using System.Collections.Concurrent;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
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
        Span<byte> material = stackalloc byte[48];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secrets.TokenKey, material, [], Encoding.UTF8.GetBytes(label));
        var scalar = (new BigInteger(material, isUnsigned: true, isBigEndian: true) % (Order - 1)) + 1;
        CryptographicOperations.ZeroMemory(material);

        var d = new byte[32];
        var bytes = scalar.ToByteArray(isUnsigned: true, isBigEndian: true);
        bytes.CopyTo(d, d.Length - bytes.Length);
        var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
        CryptographicOperations.ZeroMemory(d);
        CryptographicOperations.ZeroMemory(bytes);
        var kid = SHA256.HashData(key.ExportSubjectPublicKeyInfo())[..12];
        return new ECDsaSecurityKey(key) { KeyId = Base64UrlEncoder.Encode(kid) };
    }

    // The order of P-256's base point (SP 800-186).
    private static readonly BigInteger Order = BigInteger.Parse(
        "00FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
