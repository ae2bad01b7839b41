using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SecureChat.Tests;

/// <summary>A real coturn on the loopback interface, with the configuration that is shipped.</summary>
internal sealed class Coturn : IAsyncDisposable
{
    private const string Program = "turnserver";

    private readonly ChildProcess _process;
    private readonly int _tlsPort;

    private Coturn(ChildProcess process, string certificateHash, int port, int tlsPort)
    {
        (_process, CertificateHash, _tlsPort) = (process, certificateHash, tlsPort);
        Urls = [Url("turn", port, "udp"), Url("turn", port, "tcp"), Url("turns", tlsPort, "tcp")];
    }

    public static bool IsInstalled => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Any(folder => File.Exists(Path.Combine(folder, Program)));

    /// <summary>SHA-256 of the public key in its certificate, in base64.</summary>
    public string CertificateHash { get; }

    /// <summary>By UDP, by TCP, by TLS.</summary>
    public IReadOnlyList<string> Urls { get; }

    /// <summary>What it printed so far.</summary>
    public string Printed => File.ReadAllText(_process.Log);

    /// <param name="folder">For its files.</param>
    /// <param name="secrets">Any of them may have signed a credential.</param>
    /// <param name="more">Settings beside the shipped file: at least the address of its relays.</param>
    public static async Task<Coturn> StartAsync(string folder, IEnumerable<string> secrets, IEnumerable<string> more, CancellationToken ct)
    {
        var (port, tlsPort) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        var hash = MakeCertificate(folder);
        var shipped = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../deploy/coturn/turnserver.conf"));
        var process = ChildProcess.Start(
            [
                Program, "-c", shipped, "--realm=turn.example.org", "--listening-ip=127.0.0.1",
                string.Create(CultureInfo.InvariantCulture, $"--listening-port={port}"),
                string.Create(CultureInfo.InvariantCulture, $"--tls-listening-port={tlsPort}"),
                $"--cert={folder}/relay.crt", $"--pkey={folder}/relay.key", $"--pidfile={folder}/relay.pid", $"--userdb={folder}/relay.db",
                .. secrets.Select(secret => $"--static-auth-secret={secret}"), .. more,
            ],
            Path.Combine(folder, "relay.log"));
        var relay = new Coturn(process, hash, port, tlsPort);
        await process.WaitUntilAsync(() => relay.AnswersAsync(ct), ct);
        return relay;
    }

    public static string NewSecret() => RandomNumberGenerator.GetHexString(64, lowercase: true);

    /// <summary>What a server needs to give out credentials for it.</summary>
    public IEnumerable<KeyValuePair<string, string>> ServerSettings(string secret) => Urls.Index()
        .Select(url => KeyValuePair.Create(string.Create(CultureInfo.InvariantCulture, $"SECURECHAT_CALLS__RELAYS__HERE__{url.Index}"), url.Item))
        .Append(KeyValuePair.Create("SECURECHAT_CALLS__TURNSECRET", secret));

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static string Url(string scheme, int port, string transport) =>
        string.Create(CultureInfo.InvariantCulture, $"{scheme}:127.0.0.1:{port}?transport={transport}");

    private static string MakeCertificate(string folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        File.WriteAllText(Path.Combine(folder, "relay.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "relay.key"), key.ExportPkcs8PrivateKeyPem());
        return Convert.ToBase64String(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
    }

    private async Task<bool> AnswersAsync(CancellationToken ct)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, _tlsPort, ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
