using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Official clients send without a name: they accept the server's certificates, and it their sealed messages.</summary>
public sealed class SealedSenders(Worlds worlds, LibsignalPeer peer)
{
    private const string Text = "guess who";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task A_message_without_a_sender_reaches_a_friend_who_alone_learns_who_sent_it(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        await alice.SendAsync(bob.Owner, "so that there is a session", Ct);
        await bob.NextTextAsync(Ct);
        var right = await OpenDoorAsync(bob);

        var made = await peer.CallAsync(
            "sealedEncrypt",
            new { party = alice.Party.Id, remote = Address(bob), plaintext = Bytes(Text), senderCert = await CertificateAsync(alice) },
            Ct);
        using var anonymous = new Api(world.Server.Api);
        var sent = await anonymous.StatusAsync(HttpMethod.Post, "/v1/sealed/messages", Message(bob, made.Bytes("ciphertext"), right), Ct);
        var wrong = await anonymous.StatusAsync(
            HttpMethod.Post, "/v1/sealed/messages", Message(bob, made.Bytes("ciphertext"), RandomNumberGenerator.GetBytes(16)), Ct);

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.Unauthorized), (sent, wrong));
        var envelope = (await NextSealedAsync(bob)).Envelope;
        Assert.True(envelope.SenderAccount.IsEmpty && envelope.SenderDevice == 0);
        var opened = await peer.CallAsync(
            "sealedDecrypt",
            new { party = bob.Party.Id, ciphertext = envelope.Content.ToByteArray(), trustRoot = world.TrustRoot, now = Now },
            Ct);
        Assert.Equal(Text, Encoding.UTF8.GetString(opened.Bytes("plaintext")));
        Assert.Equal(alice.Owner.Account.ToString(), opened.GetProperty("senderUuid").GetString());
    }

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task One_request_reaches_every_device_of_a_group(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        var carol = (await world.PersonAsync("carol", Ct)).Primary;
        var linked = await carol.Owner.LinkAsync(Ct);
        Device[] members = [bob, carol, linked];
        foreach (var person in new[] { bob.Owner, carol.Owner })
        {
            await alice.SendAsync(person, "so that there are sessions", Ct);
        }

        var group = Guid.CreateVersion7().ToString();
        var distribution = await peer.CallAsync("skdmCreate", new { party = alice.Party.Id, distributionId = group }, Ct);
        foreach (var member in members)
        {
            await peer.CallAsync(
                "skdmProcess", new { party = member.Party.Id, remote = Address(alice), message = distribution.Bytes("message") }, Ct);
        }

        var made = await peer.CallAsync(
            "sealMulti",
            new
            {
                party = alice.Party.Id,
                recipients = members.Select(Address),
                content = new { distributionId = group, plaintext = Bytes(Text) },
                senderCert = await CertificateAsync(alice),
            },
            Ct);
        var many = new SealedMany { Id = Device.NewId(), Message = ByteString.CopyFrom(made.Bytes("message")), Timestamp = 1 };
        var rights = new Dictionary<Guid, byte[]>
        {
            [bob.Owner.Account] = await OpenDoorAsync(bob),
            [carol.Owner.Account] = await OpenDoorAsync(carol),
        };
        many.Rights.AddRange(RecipientsOf(many.Message.Span).Select(account => ByteString.CopyFrom(rights[account])));
        using var http = new HttpClient { BaseAddress = world.Server.Api };
        using var body = new ByteArrayContent(many.ToByteArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-protobuf") } };
        using var answer = await http.PostAsync(new Uri("/v1/sealed/many", UriKind.Relative), body, Ct);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        foreach (var member in members)
        {
            var content = (await NextSealedAsync(member)).Envelope.Content.ToByteArray();
            var inside = await peer.CallAsync("sealedToUsmc", new { party = member.Party.Id, ciphertext = content }, Ct);
            var valid = await peer.CallAsync(
                "validateCert", new { certificate = inside.Bytes("senderCert"), trustRoots = new[] { world.TrustRoot }, now = Now }, Ct);
            Assert.True(valid.GetProperty("valid").GetBoolean());
            Assert.Equal(alice.Owner.Account.ToString(), inside.GetProperty("senderUuid").GetString());
            var text = await peer.CallAsync(
                "groupDecrypt", new { party = member.Party.Id, remote = Address(alice), ciphertext = inside.Bytes("content") }, Ct);
            Assert.Equal(Text, Encoding.UTF8.GetString(text.Bytes("plaintext")));
        }
    }

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static object Address(Device device) => new { name = device.Owner.Account.ToString(), device = device.Id };

    private static async Task<byte[]> CertificateAsync(Device device) =>
        (await device.Api.GetAsync("/v1/senders/certificate", Ct)).Bytes("certificate");

    private static async Task<byte[]> OpenDoorAsync(Device device)
    {
        var accessKey = RandomNumberGenerator.GetBytes(16);
        await device.Api.PutAsync("/v1/senders/policy", new { accessKey }, Ct);
        return accessKey;
    }

    private static object Message(Device to, byte[] content, byte[] right) => new
    {
        id = Guid.CreateVersion7(),
        account = to.Owner.Account,
        right,
        timestamp = 1,
        devices = new[] { new { device = to.Id, registrationId = to.Party.RegistrationId, type = 6, content } },
    };

    private static async Task<Deliver> NextSealedAsync(Device device)
    {
        await foreach (var delivered in device.Socket.Delivered.ReadAllAsync(Ct))
        {
            if (delivered.Envelope.Type is ContentType.Sealed)
            {
                return delivered;
            }
        }

        throw new IOException("The connection ended.");
    }

    // The order in which the official client put the accounts: 17 bytes of account, devices of 3, and 48 of key material each.
    private static List<Guid> RecipientsOf(ReadOnlySpan<byte> message)
    {
        var accounts = new List<Guid>();
        var rest = message[2..];
        for (var left = (int)message[1]; left > 0; left--)
        {
            accounts.Add(new Guid(rest[1..17], bigEndian: true));
            rest = rest[17..];
            while ((rest[1] & 0x80) != 0)
            {
                rest = rest[3..];
            }

            rest = rest[(3 + 48)..];
        }

        return accounts;
    }
}
