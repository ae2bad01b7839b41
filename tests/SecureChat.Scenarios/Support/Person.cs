using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>Somebody with an account: an identity key and one device or more.</summary>
internal sealed partial class Person(World world, string name, ServerProcess home)
{
    private readonly List<Device> _devices = [];

    /// <summary>Unlike any text in the product, so that a search for it finds leaks and nothing else.</summary>
    public string Email { get; } = $"{name}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}@canary.example";

    public Guid Account { get; private set; }

    public Device Primary => _devices[0];

    public IReadOnlyList<Device> Devices => _devices;

    /// <summary>Signs up with a fresh install: new identity, new keys. A second time takes the account over.</summary>
    public async Task RegisterAsync(CancellationToken ct)
    {
        foreach (var old in _devices)
        {
            await old.DisposeAsync();
        }

        _devices.Clear();
        var party = await world.Peer.PartyAsync(name, 1, ct);
        var keys = await party.PreKeysAsync(0, 0, 1, ct);
        var (challenge, code) = await ConfirmEmailAsync(ct);
        using var api = new Api(home.Api);
        var session = await api.PostAsync(
            "/v1/auth/register",
            new { identityKey = party.IdentityKey, device = Device.Registration(party, keys), challenge, code },
            ct);
        await AddAsync(party, session, home, ct);
    }

    /// <summary>Links one more device: it shows an address and a key, the primary sends it the account's identity key and a code.</summary>
    public async Task<Device> LinkAsync(CancellationToken ct, ServerProcess? node = null)
    {
        var at = node ?? home;
        await using var socket = await ChatSocket.ConnectAsync(
            new UriBuilder(at.Api) { Scheme = "ws", Path = "/ws/provisioning" }.Uri, null, ct);
        var shown = (await socket.Provisioned.ReadAsync(ct)).Address.ToByteArray();
        var shownKey = RandomNumberGenerator.GetBytes(32);
        using var aes = Cipher(shownKey);

        await ProvisionAsync(shown, shownKey, ct);
        var message = (await socket.Provisioned.ReadAsync(ct)).Message.ToByteArray();
        var received = JsonSerializer.Deserialize<JsonElement>(aes.DecryptCbc(message, new byte[16]));

        var party = await world.Peer.PartyAsync(name, 2, ct, received.Bytes("identityPrivateKey"));
        var keys = await party.PreKeysAsync(0, 0, 1, ct);
        var code = received.GetProperty("code").GetString();
        using var api = new Api(at.Api);
        var session = await api.PostAsync(
            "/v1/devices/link", new { code, device = Device.Registration(party, keys) }, ct);
        return await AddAsync(party, session, at, ct);
    }

    private async Task ProvisionAsync(byte[] address, byte[] key, CancellationToken ct)
    {
        var identity = await world.Peer.CallAsync("exportParty", new { party = Primary.Party.Id }, ct);
        var code = await Primary.Api.PostAsync("/v1/devices/link-code", null, ct);
        var secret = JsonSerializer.SerializeToUtf8Bytes(new
        {
            identityPrivateKey = identity.Bytes("identityPrivateKey"),
            code = code.GetProperty("code").GetString(),
        });
        using var aes = Cipher(key);
        await Primary.Api.PutAsync("/v1/provisioning", new { address, message = aes.EncryptCbc(secret, new byte[16]) }, ct);
    }

    // A stand-in for the provisioning cipher: the key is for one message, so a fixed vector does. The server must not care.
    private static Aes Cipher(byte[] key)
    {
        var aes = Aes.Create();
        aes.Key = key;
        return aes;
    }

    private async Task<Device> AddAsync(PeerParty party, JsonElement session, ServerProcess node, CancellationToken ct)
    {
        Account = session.GetProperty("account").GetGuid();
        var id = session.GetProperty("device").GetInt32();
        var device = new Device(
            world, this, await party.RenamedAsync(Account.ToString(), id, ct), node,
            session.GetProperty("accessToken").GetString()!);
        _devices.Add(device);
        world.Keep(device);
        await device.PublishKeysAsync(ct);
        await device.ConnectAsync(ct);
        return device;
    }

    private async Task<(string Challenge, string Code)> ConfirmEmailAsync(CancellationToken ct)
    {
        using var api = new Api(home.Api);
        var challenge = await AskForCodeAsync(api, ct);
        while (true)
        {
            var printed = PrintedCode().Matches(home.Printed())
                .FirstOrDefault(line => line.Groups["challenge"].Value == challenge);
            if (printed is not null)
            {
                return (challenge, printed.Groups["code"].Value);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, ct);
        }
    }

    // Another code for the same address is refused for half a minute.
    private async Task<string> AskForCodeAsync(Api api, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var asked = await api.PostAsync("/v1/auth/otp", new { email = Email }, ct);
                return asked.GetProperty("challenge").GetString()!;
            }
            catch (HttpRequestException refused) when (refused.StatusCode is HttpStatusCode.TooManyRequests)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ct);
            }
        }
    }

    [GeneratedRegex(@"challenge (?<challenge>[\w-]+): (?<code>\d{6})")]
    private static partial Regex PrintedCode();
}
