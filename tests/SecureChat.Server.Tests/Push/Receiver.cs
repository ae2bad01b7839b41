using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SecureChat.Protocol.Push;

namespace SecureChat.Server.Tests.Push;

/// <summary>A browser's half of Web Push: keys of its own, and decryption written from RFC 8291 and RFC 8188.</summary>
internal sealed class Receiver : IDisposable
{
    private readonly ECDiffieHellman _key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _auth = RandomNumberGenerator.GetBytes(16);

    public WebPushKeys Keys => new(Base64Url.EncodeToString(PointOf(_key)), Base64Url.EncodeToString(_auth));

    public byte[] Decrypt(byte[] body)
    {
        var (salt, length) = (body[..16], body[20]);
        Assert.True(BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(16)) >= body.Length - 21 - length);
        var sender = body[21..(21 + length)];
        using var senderKey = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = sender[1..33], Y = sender[33..65] },
        });
        var prk = HKDF.Extract(HashAlgorithmName.SHA256, _key.DeriveRawSecretAgreement(senderKey.PublicKey), _auth);
        var ikm = HKDF.Expand(HashAlgorithmName.SHA256, prk, 32, [.. "WebPush: info\0"u8, .. PointOf(_key), .. sender]);
        prk = HKDF.Extract(HashAlgorithmName.SHA256, ikm, salt);
        using var aes = new AesGcm(HKDF.Expand(HashAlgorithmName.SHA256, prk, 16, "Content-Encoding: aes128gcm\0"u8.ToArray()), 16);
        var cipher = body[(21 + length)..^16];
        var plain = new byte[cipher.Length];
        aes.Decrypt(HKDF.Expand(HashAlgorithmName.SHA256, prk, 12, "Content-Encoding: nonce\0"u8.ToArray()), cipher, body[^16..], plain);
        Assert.Equal(0x02, plain.AsSpan().TrimEnd((byte)0)[^1]);
        return plain[..^1];
    }

    /// <summary>Checks a push service's way that the sender is who subscribed with that key, and returns the token.</summary>
    public static async Task<JsonWebToken> VerifyVapidAsync(ReceivedPush push, string vapidKey, string audience, TimeProvider time)
    {
        var parts = push.Headers["Authorization"].Split(["vapid t=", ", k="], StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(vapidKey, parts[1]);
        var point = Base64Url.DecodeFromChars(vapidKey);
        using var key = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = point[1..33], Y = point[33..] },
        });
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(parts[0], new TokenValidationParameters
        {
            ValidAlgorithms = ["ES256"],

            // A cached verifier would outlive the key.
            IssuerSigningKey = new ECDsaSecurityKey(key) { CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false } },
            ValidAudience = audience,
            ValidateIssuer = false,
            LifetimeValidator = (_, expires, _, _) =>
                expires > time.GetUtcNow().UtcDateTime && expires < time.GetUtcNow().UtcDateTime + TimeSpan.FromHours(24),
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        return (JsonWebToken)result.SecurityToken;
    }

    public void Dispose() => _key.Dispose();

    private static byte[] PointOf(ECDiffieHellman key) =>
        key.ExportParameters(includePrivateParameters: false).Q is var point ? [0x04, .. point.X!, .. point.Y!] : [];
}
