namespace SecureChat.Protocol.Accounts;

/// <summary>Asks for a one-time code. Exactly one of the two is present. Spec: docs/protocol/accounts.md#one-time-codes.</summary>
/// <param name="Email">An address of at most 254 characters.</param>
/// <param name="Phone">A number in E.164 form, with the leading plus.</param>
public sealed record OtpRequest(string? Email = null, string? Phone = null);

/// <summary>The answer to every well-formed request for a code, whether or not an account exists.</summary>
/// <param name="Challenge">Names this request; 16 random bytes in base64url. The code is valid for it only.</param>
/// <param name="ExpiresIn">Seconds until the code is no longer accepted.</param>
/// <param name="ResendAfter">Seconds until another code may be asked for.</param>
public sealed record OtpChallenge(string Challenge, int ExpiresIn, int ResendAfter);
