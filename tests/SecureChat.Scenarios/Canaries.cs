using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Searches everything that was written for what must never be written.</summary>
public sealed class Canaries(Worlds worlds, LibsignalPeer peer)
{
    private static readonly IPAddress CanaryAddress = IPAddress.Parse("127.83.71.59");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task No_plaintext_mail_address_token_or_network_address_is_written_anywhere(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        var text = "canary " + RandomNumberGenerator.GetHexString(32);
        var agent = "canary-agent-" + RandomNumberGenerator.GetHexString(16);

        await alice.SendAsync(bob.Owner, text, Ct);
        Assert.Equal(text, await bob.NextTextAsync(Ct));
        await bob.DisconnectAsync();
        await alice.SendAsync(bob.Owner, text, Ct);
        await VisitFromCanaryAddressAsync(world.Server, agent, alice);
        await KnockFromCanaryAddressAsync(world.Server, agent, alice);

        var haystack = Haystack.Of(world);
        haystack.Add("metrics", await ReadMetricsAsync(world.Server));
        Assert.Empty(haystack.Find(text));
        Assert.Empty(haystack.Find(alice.Owner.Email));
        Assert.Empty(haystack.Find(agent));
        Assert.Empty(haystack.Find(alice.AccessToken));
        Assert.Empty(haystack.Find(CanaryAddress.ToString()));
        Assert.Empty(haystack.Find(alice.Owner.Account.ToString()));

        // The search can find: the account's id and its public key are in the database, in bytes.
        Assert.NotEmpty(haystack.Find(alice.Owner.Account.ToByteArray(bigEndian: true)));
        Assert.NotEmpty(haystack.Find(alice.Party.IdentityKey));
    }

    // Refusals are what tends to be logged: every kind of wrong request, from an address that is nobody else's.
    private static async Task VisitFromCanaryAddressAsync(ServerProcess server, string agent, Device device)
    {
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync };
        using var http = new HttpClient(handler) { BaseAddress = server.Api };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(agent);
        http.DefaultRequestHeaders.Add("X-Forwarded-For", CanaryAddress.ToString());
        string[] paths = ["/v1/auth/otp", "/v1/auth/register", "/v1/auth/refresh", "/v1/keys/fetch", "/v1/messages", "/no/such/path"];
        foreach (var path in paths)
        {
            foreach (var body in new[] { "{", "{}", $$"""{"email":"{{device.Owner.Email}}","account":"{{device.Owner.Account}}"}""" })
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var answer = await http.PostAsync(new Uri(path, UriKind.Relative), content, Ct);
                Assert.InRange((int)answer.StatusCode, 200, 499);
            }
        }
    }

    // The sockets' own port: a good socket, and every way to be turned away.
    private static async Task KnockFromCanaryAddressAsync(ServerProcess server, string agent, Device device)
    {
        var statuses = new List<int>();
        foreach (var (token, path, protocol) in new[]
        {
            (device.AccessToken, "/ws", "securechat.v1.proto"), (device.AccessToken, "/ws", "none"), (device.AccessToken + "x", "/ws", "securechat.v1.proto"),
            ("", "/ws?ticket=" + device.AccessToken, "securechat.v1.json"), ("", "/ws/provisioning", "securechat.v1.json"), ("", "/" + device.Owner.Account, "x"),
        })
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(CanaryAddress, 0));
            await socket.ConnectAsync(IPAddress.Loopback, server.Socket.Port, Ct);
            var authorization = token.Length > 0 ? $"Authorization: Bearer {token}\r\n" : "";
            await socket.SendAsync(
                Encoding.ASCII.GetBytes(
                    $"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\nX-Forwarded-For: {CanaryAddress}\r\n{authorization}"
                    + $"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocol}\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
                Ct);
            var answer = new byte[12];
            await socket.ReceiveAsync(answer, Ct);
            statuses.Add(int.Parse(Encoding.ASCII.GetString(answer)[9..], CultureInfo.InvariantCulture));

            // Then nonsense, so that the connection ends by the server's will too.
            await socket.SendAsync(Encoding.ASCII.GetBytes(agent), Ct);
        }

        Assert.Equal([101, 400, 401, 401, 101, 404], statuses);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(CanaryAddress, 0));
        await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, ct);
        return new NetworkStream(socket, ownsSocket: true);
    }

    internal static async Task<byte[]> ReadMetricsAsync(ServerProcess server)
    {
        using var http = new HttpClient { BaseAddress = server.Management };
        return await http.GetByteArrayAsync(new Uri("/metrics", UriKind.Relative), Ct);
    }
}
