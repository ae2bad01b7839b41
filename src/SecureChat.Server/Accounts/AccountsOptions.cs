using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Accounts;

/// <summary>Section <c>Accounts</c>: who may sign up, and how long idle things stay.</summary>
internal sealed class AccountsOptions
{
    /// <summary>
    /// Who may make a new account: <c>open</c> (anyone with a confirmed e-mail address or number), <c>invite</c> or
    /// <c>closed</c>. Not set: <c>open</c> in Development, <c>invite</c> everywhere else. Taking over an existing account with its
    /// confirmed identifier is always possible.
    /// </summary>
    [EnumDataType(typeof(RegistrationMode))]
    public RegistrationMode? Registration { get; set; }

    /// <summary>Days after which a linked device that was not seen is removed. The primary device is never removed.</summary>
    [Range(1, 3650)]
    public int LinkedDeviceIdleDays { get; set; } = 45;

    /// <summary>Days after last seen for which a registration lock is enforced.</summary>
    [Range(1, 365)]
    public int RegistrationLockDays { get; set; } = 7;
}

/// <summary>Who may make a new account.</summary>
internal enum RegistrationMode
{
    Open,
    Invite,
    Closed,
}

[OptionsValidator]
internal sealed partial class AccountsOptionsValidator : IValidateOptions<AccountsOptions>;

/// <summary>Section <c>Tokens</c>: access and refresh tokens.</summary>
internal sealed class TokensOptions
{
    /// <summary>The <c>iss</c> and <c>aud</c> of access tokens. Give every deployment its own, such as its public URL.</summary>
    [Required, StringLength(200, MinimumLength = 1)]
    public string Issuer { get; set; } = "securechat";

    /// <summary>Life of an access token.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "01:00:00")]
    public TimeSpan AccessLife { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a refresh token that is not used stays valid.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "365.00:00:00")]
    public TimeSpan RefreshLife { get; set; } = TimeSpan.FromDays(90);

    /// <summary>
    /// How long after its use a refresh token may be presented again, for an answer that was lost or two requests at once.
    /// It answers the same next token. Later re-use ends the device's credentials.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan RefreshGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the key that signs access tokens changes. Tokens of the key before stay valid until they expire.</summary>
    [Range(typeof(TimeSpan), "02:00:00", "365.00:00:00")]
    public TimeSpan SigningKeyLife { get; set; } = TimeSpan.FromDays(30);
}

[OptionsValidator]
internal sealed partial class TokensOptionsValidator : IValidateOptions<TokensOptions>;
