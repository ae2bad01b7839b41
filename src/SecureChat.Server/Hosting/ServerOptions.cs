using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SecureChat.Server.Hosting;

/// <summary>Section <c>Server</c>: where the server listens and whom it believes.</summary>
internal sealed class ServerOptions
{
    /// <summary>The HTTP API. The host part is <c>localhost</c>, an IP address, or <c>*</c> for every address.</summary>
    [Required, ListenUrl]
    public string Api { get; set; } = "http://localhost:8080";

    /// <summary>The WebSocket, on a connection handler of its own that holds many idle connections in little memory. Empty: only on the API's port.</summary>
    [ListenUrl]
    public string Socket { get; set; } = "http://localhost:8090";

    /// <summary>Metrics and the state of the anomaly detectors, and nothing else. Keep it on loopback or a closed network: it has no authentication. Empty: off.</summary>
    [ListenUrl]
    public string Management { get; set; } = "http://127.0.0.1:9464";

    /// <summary>PEM file of the certificate chain for <c>https</c> addresses; read again when it changes.</summary>
    public string CertificateFile { get; set; } = "";

    /// <summary>PEM file of the certificate's private key.</summary>
    public string CertificateKeyFile { get; set; } = "";

    /// <summary>Addresses or networks (CIDR) of proxies whose <c>X-Forwarded-For</c> and <c>-Proto</c> are believed. Default: none.</summary>
    [IpNetworks]
    public string[] TrustedProxies { get; set; } = [];

    /// <summary>Web origins that may call the API and open the socket from a browser. Default: none.</summary>
    [WebOrigins]
    public string[] AllowedOrigins { get; set; } = [];

    /// <summary>Connections that each port keeps at once; one more is closed without an answer. Each wants a file descriptor, and some kilobytes.</summary>
    [Range(10, 10_000_000)]
    public int MaxConnections { get; set; } = 200_000;

    /// <summary>Seconds that connections get to finish when the server is stopped.</summary>
    [Range(1, 600)]
    public int DrainSeconds { get; set; } = 15;
}

/// <summary>What no single property of <see cref="ServerOptions"/> can tell.</summary>
internal sealed class ServerOptionsValidator : IValidateOptions<ServerOptions>
{
    public ValidateOptionsResult Validate(string? name, ServerOptions options)
    {
        var problems = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true);
        var sentences = problems.Select(problem => problem.ErrorMessage!).Concat(Rules(options)).ToList();
        return sentences.Count is 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(sentences);
    }

    private static IEnumerable<string> Rules(ServerOptions options)
    {
        var wantsTls = new[] { options.Api, options.Socket }.Any(url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase));
        if (wantsTls && (options.CertificateFile.Length is 0 || options.CertificateKeyFile.Length is 0))
        {
            yield return "Server:CertificateFile and Server:CertificateKeyFile must be set to listen on https,"
                + " for example '/etc/securechat/fullchain.pem' and '/etc/securechat/privkey.pem'.";
        }

        if (ListenAddress.TryParse(options.Management, out var management)
            && (Port(options.Api) == management.Port || Port(options.Socket) == management.Port))
        {
            yield return "Server:Management must have a port of its own, for example 'http://127.0.0.1:9464'.";
        }

        foreach (var file in new[] { options.CertificateFile, options.CertificateKeyFile })
        {
            if (file.Length > 0 && !File.Exists(file))
            {
                yield return $"Server:CertificateFile and Server:CertificateKeyFile must name files that can be read; '{file}' cannot.";
            }
        }
    }

    private static int? Port(string url) => ListenAddress.TryParse(url, out var address) ? address.Port : null;
}
