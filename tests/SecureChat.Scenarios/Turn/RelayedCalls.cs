using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Turn;

/// <summary>A real coturn with the configuration that is shipped, beside a server that gives out credentials for it.</summary>
internal sealed class RelayedCalls : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly World _world;
    private readonly Coturn _coturn;
    private readonly Api _caller;

    private RelayedCalls(DirectoryInfo folder, World world, Coturn coturn, Api caller) =>
        (_folder, _world, _coturn, _caller) = (folder, world, coturn, caller);

    public string Udp => _coturn.Urls[0];

    public string Tcp => _coturn.Urls[1];

    public string Tls => _coturn.Urls[2];

    /// <summary>What coturn printed so far.</summary>
    public string Printed => _coturn.Printed;

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
        Assert.SkipUnless(Coturn.IsInstalled, "coturn is not installed (Debian: apt-get install coturn)");
        Assert.SkipWhen(Own is null, "this machine has no IPv4 address but loopback for a relay");
        secrets ??= [Coturn.NewSecret()];
        var folder = Directory.CreateTempSubdirectory("securechat-turn-");
        var coturn = await Coturn.StartAsync(folder.FullName, secrets, [$"--relay-ip={Own}", "--relay-ip=::1", .. more ?? []], ct);
        var settings = new Dictionary<string, string>(coturn.ServerSettings(secrets[0]))
        {
            ["SECURECHAT_CALLS__CREDENTIALLIFE"] = (life ?? TimeSpan.FromMinutes(10)).ToString(),
        };
        var world = await worlds.StartAsync(StorePair.Embedded, peer, ct, settings: settings);
        var person = await world.PersonAsync("caller", ct);
        return new RelayedCalls(folder, world, coturn, person.Primary.Api);
    }

    /// <summary>What <c>POST /v1/calls/relays</c> gives for a call.</summary>
    public async Task<TurnCredential> CredentialAsync(CancellationToken ct)
    {
        var relays = await _caller.PostAsync("/v1/calls/relays", new { }, ct);
        var server = relays.GetProperty("iceServers").EnumerateArray().Single();
        Assert.Equal([Udp, Tcp, Tls], server.GetProperty("urls").EnumerateArray().Select(url => url.GetString()!));
        return new TurnCredential(server.GetProperty("username").GetString()!, server.GetProperty("credential").GetString()!);
    }

    /// <summary>The server, not coturn, is started again, with another secret.</summary>
    public async Task ChangeSecretAsync(string secret, CancellationToken ct)
    {
        await _world.Server.StopAsync(ct);
        await _world.Server.StartAgainAsync(ct, ("SECURECHAT_CALLS__TURNSECRET", secret));
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
}
