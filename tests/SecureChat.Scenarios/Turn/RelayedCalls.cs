using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Turn;

/// <summary>A real coturn with the configuration that is shipped, beside a server that gives out credentials for it.</summary>
internal sealed class RelayedCalls : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly World _world;
    private readonly ChildProcess _coturn;
    private readonly Api _caller;

    private RelayedCalls(DirectoryInfo folder, World world, ChildProcess coturn, Api caller) =>
        (_folder, _world, _coturn, _caller) = (folder, world, coturn, caller);

    public string Udp { get; private init; } = "";

    public string Tcp { get; private init; } = "";

    public string Tls { get; private init; } = "";

    /// <summary>What coturn printed so far.</summary>
    public string Printed => File.ReadAllText(_coturn.Log);

    /// <summary>An address of this machine that is not loopback: what a relay's public address is elsewhere.</summary>
    public static IPAddress? Own { get; } = NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(card => card.GetIPProperties().UnicastAddresses).Select(address => address.Address)
        .FirstOrDefault(address => address.AddressFamily is AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));

    /// <param name="life">For how long credentials are good.</param>
    /// <param name="more">Settings of coturn beside the shipped file and its addresses.</param>
    /// <param name="secrets">coturn's; the server signs with the first.</param>
    public static async Task<RelayedCalls> StartAsync(
        Worlds worlds, LibsignalPeer peer, CancellationToken ct, TimeSpan? life = null, string[]? more = null, string[]? secrets = null)
    {
        Assert.SkipUnless(Installed, "coturn is not installed (Debian: apt-get install coturn)");
        Assert.SkipWhen(Own is null, "this machine has no IPv4 address but loopback for a relay");
        secrets ??= [NewSecret()];
        var (plain, tls) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        string Url(string scheme, int port, string transport) =>
            string.Create(CultureInfo.InvariantCulture, $"{scheme}:127.0.0.1:{port}?transport={transport}");
        var urls = new[] { Url("turn", plain, "udp"), Url("turn", plain, "tcp"), Url("turns", tls, "tcp") };
        var settings = urls.Index().ToDictionary(
            url => string.Create(CultureInfo.InvariantCulture, $"SECURECHAT_CALLS__RELAYS__TEST__{url.Index}"), url => url.Item);
        settings["SECURECHAT_CALLS__TURNSECRET"] = secrets[0];
        settings["SECURECHAT_CALLS__CREDENTIALLIFE"] = (life ?? TimeSpan.FromMinutes(10)).ToString();

        var folder = Directory.CreateTempSubdirectory("securechat-turn-");
        var coturn = ChildProcess.Start(
            ["turnserver", .. Arguments(folder.FullName, plain, tls), .. secrets.Select(secret => $"--static-auth-secret={secret}"), .. more ?? []],
            Path.Combine(folder.FullName, "coturn.log"));
        var world = await worlds.StartAsync(StorePair.Embedded, peer, ct, settings: settings);
        var person = await world.PersonAsync("caller", ct);
        await coturn.WaitUntilAsync(() => AnswersAsync(tls, ct), ct);
        return new RelayedCalls(folder, world, coturn, person.Primary.Api) { Udp = urls[0], Tcp = urls[1], Tls = urls[2] };
    }

    public static string NewSecret() => RandomNumberGenerator.GetHexString(64, lowercase: true);

    /// <summary>What <c>POST /v1/calls/relays</c> gives for a call.</summary>
    public async Task<TurnCredential> CredentialAsync(CancellationToken ct)
    {
        var relays = await _caller.PostAsync("/v1/calls/relays", new { }, ct);
        var server = relays.GetProperty("iceServers").EnumerateArray().Single();
        Assert.Equal([Udp, Tcp, Tls], server.GetProperty("urls").EnumerateArray().Select(url => url.GetString()!));
        return new TurnCredential(server.GetProperty("username").GetString()!, server.GetProperty("credential").GetString()!);
    }

    /// <summary>A client with an allocation, by a credential of its own.</summary>
    public async Task<TurnClient> AllocatedAsync(CancellationToken ct, string? url = null, AddressFamily family = AddressFamily.InterNetwork)
    {
        var client = await TurnClient.ConnectAsync(url ?? Udp, await CredentialAsync(ct), ct);
        Assert.Equal(0, await client.AllocateAsync(ct, family));
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _coturn.DisposeAsync();
        await _world.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static bool Installed => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Any(folder => File.Exists(Path.Combine(folder, "turnserver")));

    private static IEnumerable<string> Arguments(string folder, int plain, int tls)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        File.WriteAllText(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        var shipped = Path.Combine(AppContext.BaseDirectory, "../../../../../deploy/coturn/turnserver.conf");
        return
        [
            "-c", Path.GetFullPath(shipped), "--realm=turn.example.org", "--listening-ip=127.0.0.1", $"--relay-ip={Own}", "--relay-ip=::1",
            string.Create(CultureInfo.InvariantCulture, $"--listening-port={plain}"),
            string.Create(CultureInfo.InvariantCulture, $"--tls-listening-port={tls}"),
            $"--cert={folder}/cert.pem", $"--pkey={folder}/key.pem", $"--pidfile={folder}/pid", $"--userdb={folder}/users",
        ];
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken ct)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
