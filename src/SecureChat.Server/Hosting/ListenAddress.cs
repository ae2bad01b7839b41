using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace SecureChat.Server.Hosting;

/// <summary>Where to listen: <c>localhost</c> (both loopbacks), one address, or every address.</summary>
internal sealed record ListenAddress(string Host, int Port, bool IsTls)
{
    public static bool TryParse(string? text, [NotNullWhen(true)] out ListenAddress? address)
    {
        address = null;
        if (!Uri.TryCreate(text?.Replace("://*", "://0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https")
            || url.PathAndQuery != "/"
            || (url.Host is not "localhost" && !IPAddress.TryParse(url.Host.Trim('[', ']'), out _)))
        {
            return false;
        }

        var host = text!.Contains("://*", StringComparison.Ordinal) ? "*" : url.Host.Trim('[', ']');
        address = new ListenAddress(host, url.Port, url.Scheme is "https");
        return true;
    }

    /// <summary>Where this machine reaches it.</summary>
    public Uri UrlOf(string path) => new UriBuilder(
        IsTls ? "https" : "http", Host switch { "*" or "0.0.0.0" => "127.0.0.1", "::" => "[::1]", _ => Host }, Port, path).Uri;

    public void Listen(KestrelServerOptions kestrel, Action<ListenOptions> configure)
    {
        switch (Host)
        {
            case "localhost":
                kestrel.ListenLocalhost(Port, configure);
                break;
            case "*":
                kestrel.ListenAnyIP(Port, configure);
                break;
            default:
                kestrel.Listen(IPAddress.Parse(Host), Port, configure);
                break;
        }
    }
}
