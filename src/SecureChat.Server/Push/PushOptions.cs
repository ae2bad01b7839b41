using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Push;

/// <summary>
/// Section <c>Push</c>: waking devices that have no connection. Web Push and UnifiedPush work without any setting; FCM and APNs need
/// credentials from their makers.
/// </summary>
internal sealed class PushOptions
{
    /// <summary>
    /// Who to write to about this server's pushes, told to Web Push services: <c>mailto:</c> or <c>https:</c>. Apple's service wants one.
    /// </summary>
    public string VapidContact { get; set; } = "";

    /// <summary>Time between two pushes to one device while it does not come.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Pause { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Networks of your own in which push endpoints may lie, also over <c>http</c>: addresses or CIDR. Anything else that is not on the
    /// public internet is never contacted.
    /// </summary>
    [IpNetworks]
    public string[] AllowedNetworks { get; set; } = [];

    /// <summary>Ports of push endpoints besides 443.</summary>
    public int[] AllowedPorts { get; set; } = [];

    /// <summary>File with the service account of Firebase Cloud Messaging, as Google gives it (JSON). Empty: no FCM.</summary>
    public string FcmServiceAccountFile { get; set; } = "";

    /// <summary>Where FCM is.</summary>
    public Uri FcmUrl { get; set; } = new("https://fcm.googleapis.com");

    /// <summary>File with the signing key for Apple's push service (<c>.p8</c>). Empty: no APNs.</summary>
    public string ApnsKeyFile { get; set; } = "";

    /// <summary>Id of that key, 10 characters.</summary>
    public string ApnsKeyId { get; set; } = "";

    /// <summary>Id of the Apple developer team, 10 characters.</summary>
    public string ApnsTeamId { get; set; } = "";

    /// <summary>The app's bundle id.</summary>
    public string ApnsTopic { get; set; } = "";

    /// <summary>Where APNs is; <c>https://api.sandbox.push.apple.com</c> for development builds.</summary>
    public Uri ApnsUrl { get; set; } = new("https://api.push.apple.com");
}

/// <summary>Refuses settings under which pushes could not be sent.</summary>
internal sealed class PushOptionsValidator : IValidateOptions<PushOptions>
{
    public ValidateOptionsResult Validate(string? name, PushOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!)
            .Concat(WebPushRules(options)).Concat(FcmRules(options)).Concat(ApnsRules(options)).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);
    }

    private static IEnumerable<string> WebPushRules(PushOptions options)
    {
        if (options.VapidContact.Length > 0
            && !(Uri.TryCreate(options.VapidContact, UriKind.Absolute, out var contact) && contact.Scheme is "mailto" or "https"))
        {
            yield return "Push:VapidContact must be a 'mailto:' or 'https:' URL, for example 'mailto:admin@example.org'.";
        }

        if (options.AllowedPorts.Any(port => port is < 1 or > 65535))
        {
            yield return "Push:AllowedPorts must list ports from 1 to 65535, for example '8443'.";
        }
    }

    private static IEnumerable<string> FcmRules(PushOptions options)
    {
        if (!IsHttp(options.FcmUrl))
        {
            yield return "Push:FcmUrl must be an absolute URL, for example 'https://fcm.googleapis.com'.";
        }

        if (options.FcmServiceAccountFile.Length > 0 && Fails(() => FcmAccount.Load(options.FcmServiceAccountFile)))
        {
            yield return "Push:FcmServiceAccountFile must name a readable service account file (JSON) with project_id, client_email,"
                + " private_key and token_uri, as Google's console gives it.";
        }
    }

    private static IEnumerable<string> ApnsRules(PushOptions options)
    {
        if (!IsHttp(options.ApnsUrl))
        {
            yield return "Push:ApnsUrl must be an absolute URL, for example 'https://api.push.apple.com'.";
        }

        if (options.ApnsKeyFile.Length is 0)
        {
            yield break;
        }

        if (Fails(() => ApnsSender.LoadKey(options.ApnsKeyFile).Dispose()))
        {
            yield return "Push:ApnsKeyFile must name a readable P-256 key file (.p8), as Apple's developer site gives it.";
        }

        if (options.ApnsKeyId.Length is 0 || options.ApnsTeamId.Length is 0 || options.ApnsTopic.Length is 0)
        {
            yield return "Push:ApnsKeyId, Push:ApnsTeamId and Push:ApnsTopic must be set with Push:ApnsKeyFile,"
                + " for example 'ABC123DEFG', 'DEF123GHIJ' and 'org.example.chat'.";
        }
    }

    private static bool IsHttp(Uri url) => url is { IsAbsoluteUri: true, Scheme: "https" or "http" };

    private static bool Fails(Action load)
    {
        try
        {
            load();
            return false;
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or CryptographicException or JsonException or ArgumentException)
        {
            return true;
        }
    }
}
