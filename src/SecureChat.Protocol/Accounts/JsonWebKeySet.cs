namespace SecureChat.Protocol.Accounts;

/// <summary>The public keys that sign access tokens (RFC 7517).</summary>
public sealed record JsonWebKeySet(IReadOnlyList<JsonWebKey> Keys);

/// <summary>One P-256 key; coordinates in base64url.</summary>
public sealed record JsonWebKey(string Kty, string Crv, string Use, string Alg, string Kid, string X, string Y);
