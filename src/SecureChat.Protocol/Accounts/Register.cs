namespace SecureChat.Protocol.Accounts;

/// <summary>Makes an account, or takes an existing one over. Spec: docs/protocol/accounts.md#registration.</summary>
/// <param name="IdentityKey">33 bytes: the account's public identity key.</param>
/// <param name="Device">The primary device, which gets id 1.</param>
/// <param name="Challenge">With <paramref name="Code"/>: proves an e-mail address or a number.</param>
/// <param name="Code">The six digits that were sent for the challenge.</param>
/// <param name="Invite">Where the server asks for one, or to have no identifier at all.</param>
/// <param name="RegistrationLock">32 bytes, if the account has set a registration lock.</param>
public sealed record Register(
    byte[] IdentityKey,
    NewDevice Device,
    string? Challenge = null,
    string? Code = null,
    string? Invite = null,
    byte[]? RegistrationLock = null);

/// <summary>What a device brings along when it is added to an account.</summary>
/// <param name="RegistrationId">1..16383, random.</param>
/// <param name="SignedPreKey">X25519, signed by the account's identity key.</param>
/// <param name="LastResortKey">Kyber1024, signed by the account's identity key.</param>
/// <param name="Name">Encrypted by the client, at most 225 bytes.</param>
/// <param name="Capabilities">At most 16 names of 1..32 characters a-z, 0-9, hyphen.</param>
public sealed record NewDevice(
    int RegistrationId,
    SignedKey SignedPreKey,
    SignedKey LastResortKey,
    byte[]? Name = null,
    IReadOnlyList<string>? Capabilities = null);

/// <summary>A public key with a signature over its serialised form (type byte and key).</summary>
/// <param name="KeyId">0..2^31-1, chosen by the client.</param>
/// <param name="Key">33 bytes (X25519) or 1569 bytes (Kyber1024).</param>
/// <param name="Signature">64 bytes: XEdDSA by the identity key.</param>
public sealed record SignedKey(int KeyId, byte[] Key, byte[] Signature);

/// <summary>A device's credentials: what registration, linking and refreshing answer.</summary>
/// <param name="Account">The account's id; equals the ACI that a libsignal client uses as its name.</param>
/// <param name="Device">The device's id; 1 is the primary.</param>
/// <param name="AccessToken">A JWT for the <c>Authorization: Bearer</c> header.</param>
/// <param name="ExpiresIn">Seconds until the access token expires.</param>
/// <param name="RefreshToken">Good for one refresh: 32 random bytes in base64url.</param>
public sealed record Session(Guid Account, int Device, string AccessToken, int ExpiresIn, string RefreshToken)
{
    /// <summary>Never the tokens.</summary>
    public override string ToString() => nameof(Session);
}

/// <summary>Exchanges a refresh token for new credentials. Spec: docs/protocol/accounts.md#tokens.</summary>
public sealed record Refresh(string RefreshToken)
{
    /// <summary>Never the token.</summary>
    public override string ToString() => nameof(Refresh);
}
