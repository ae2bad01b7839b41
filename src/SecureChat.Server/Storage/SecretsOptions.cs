using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Storage;

/// <summary>
/// Section <c>Secrets</c>: the server's own keys, at least 32 random bytes in base64 each. One machine needs none of these settings:
/// the first start makes the keys in the data folder. Nodes that work together are given the same keys, from files
/// (<c>SECURECHAT_SECRETS__TOKENKEY_FILE</c> and so on) that only their owner can read.
/// </summary>
internal sealed class SecretsOptions
{
    /// <summary>Signs access tokens. Not set: <c>token.key</c> in the data folder.</summary>
    [MaxLength(1024)]
    public string TokenKey { get; set; } = "";

    /// <summary>Hashes e-mail addresses and numbers; losing it cuts every account off from its identifier. Not set: <c>identifier.key</c> in the data folder.</summary>
    [MaxLength(1024)]
    public string IdentifierKey { get; set; } = "";

    /// <summary>Hashes one-time codes. Not set: <c>otp.key</c> in the data folder.</summary>
    [MaxLength(1024)]
    public string OtpKey { get; set; } = "";

    /// <summary>Signs sender certificates; made with <c>securechat-server keys certify</c>. Not set: <c>sender.key</c> in the data folder.</summary>
    [MaxLength(4096)]
    public string SenderKey { get; set; } = "";

    /// <summary>Encrypts push tokens and makes the Web Push key; losing it ends every push registration. Not set: <c>push.key</c> in the data folder.</summary>
    [MaxLength(1024)]
    public string PushKey { get; set; } = "";
}

[OptionsValidator]
internal sealed partial class SecretsOptionsValidator : IValidateOptions<SecretsOptions>;
