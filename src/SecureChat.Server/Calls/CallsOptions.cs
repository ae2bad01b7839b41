using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Calls;

/// <summary>Section <c>Calls</c>: the STUN and TURN servers that calls may use. Without any, calls connect directly or not at all.</summary>
internal sealed class CallsOptions
{
    /// <summary>
    /// URLs by region, for example <c>SECURECHAT_CALLS__RELAYS__EUROPE__0=turn:turn.example.org:3478?transport=udp</c>; further ones end in
    /// <c>__1</c>, <c>__2</c>. Give the same server over UDP, TCP and TLS (<c>turns:</c>): networks that block one let another through.
    /// </summary>
    public Dictionary<string, string[]> Relays { get; set; } = [];

    /// <summary>
    /// What coturn has as <c>static-auth-secret</c>, at least 32 characters; <c>openssl rand -hex 32</c> makes one. coturn may have two:
    /// give it the next one beside, then change this.
    /// </summary>
    public string TurnSecret { get; set; } = "";

    /// <summary>Time in which a call may begin to use its credential; calls that have begun are not cut.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "00:10:00")]
    public TimeSpan CredentialLife { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Whether whoever joins a room is given relays. Nobody names an account there: relays then serve whoever has a room's secret, within the
    /// limits by network. Not set: in Development only.
    /// </summary>
    public bool? RelaysForRooms { get; set; }
}

/// <summary>Refuses relays that no client could use.</summary>
internal sealed partial class CallsOptionsValidator : IValidateOptions<CallsOptions>
{
    public const int MinSecretLength = 32;

    private const string Example = "for example 'turn:turn.example.org:3478?transport=udp'";

    public ValidateOptionsResult Validate(string? name, CallsOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!).Concat(Rules(options)).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);
    }

    private static IEnumerable<string> Rules(CallsOptions options)
    {
        foreach (var (region, urls) in options.Relays)
        {
            if (urls.FirstOrDefault(url => !IceUrl().IsMatch(url)) is not null)
            {
                yield return $"Calls:Relays:{region} must list 'stun:', 'turn:' or 'turns:' URLs, {Example}.";
            }
        }

        var needsSecret = options.Relays.Values.SelectMany(urls => urls).Any(RelayCredentials.IsTurn);
        if (options.TurnSecret.Length < MinSecretLength && (needsSecret || options.TurnSecret.Length > 0))
        {
            yield return $"Calls:TurnSecret must have at least {MinSecretLength} characters, for example from 'openssl rand -hex 32'.";
        }
    }

    // RFC 7064 and RFC 7065: host or address, port, transport.
    [GeneratedRegex(@"^(stuns?:[^\s/?#@]+|turns?:[^\s/?#@]+(\?transport=(udp|tcp))?)$")]
    private static partial Regex IceUrl();
}
