using System.Text.Json;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Fingerprints;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.SealedSender;
using SecureChat.Signal.Tests.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Peer;

/// <summary>What the official client made once: <c>vectors/</c>. Reading it needs neither it nor Node.</summary>
public sealed class OfficialVectorTests(LibsignalPeer peer)
{
    private const string Origin = "the official Signal client, @signalapp/libsignal-client 0.103.0";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Envelopes_that_were_recorded_open()
    {
        var recorded = Read("sealed-sender");
        using var identity = PrivateKey.Parse(recorded.Bytes("identityPrivateKey"));
        var address = new ProtocolAddress(recorded.GetProperty("name").GetString()!, recorded.GetProperty("device").GetInt32());

        foreach (var envelope in recorded.GetProperty("envelopes").EnumerateArray())
        {
            var content = SealedEnvelope.Open(
                envelope.Bytes("envelope"), identity, address, [PublicKey.Parse(recorded.Bytes("trustRoot"))],
                recorded.GetProperty("now").GetUInt64());

            Assert.Equal(envelope.Bytes("content"), content.Message.ToArray());
            Assert.Equal(envelope.GetProperty("type").GetInt32(), (int)content.Type);
            Assert.Equal(envelope.GetProperty("hint").GetInt32(), (int)content.Hint);
            Assert.Equal(envelope.Bytes("groupId"), content.GroupId.ToArray());
            Assert.Equal(recorded.GetProperty("senderName").GetString(), content.Sender.Sender.Name);
            Assert.Equal(recorded.GetProperty("senderDevice").GetInt32(), content.Sender.Sender.DeviceId);
        }

        Assert.Equal(new byte[] { 0x11, 0x22 }, recorded.GetProperty("envelopes").EnumerateArray().Select(one => one.Bytes("envelope")[0]));
    }

    [Fact]
    public async Task Group_messages_that_were_recorded_decrypt_in_any_order()
    {
        var recorded = Read("groups");
        var sender = new ProtocolAddress(recorded.GetProperty("name").GetString()!, recorded.GetProperty("device").GetInt32());
        var groups = new GroupCipher(new InMemorySenderKeyStore(), new SeededRandom(1));
        Assert.Equal(0x33, recorded.Bytes("distributionMessage")[0]);
        await groups.ProcessAsync(sender, SenderKeyDistributionMessage.Parse(recorded.Bytes("distributionMessage")), Ct);

        foreach (var message in recorded.GetProperty("messages").EnumerateArray().Reverse())
        {
            Assert.Equal(message.Bytes("plaintext"), await groups.DecryptAsync(sender, message.Bytes("ciphertext"), Ct));
        }
    }

    [Fact]
    public void Safety_numbers_are_those_that_were_recorded() => Assert.All(Read("fingerprints").GetProperty("pairs").EnumerateArray(), pair =>
    {
        var fingerprint = Fingerprint.Create(
            pair.Bytes("localId"), pair.Bytes("localKey"), pair.Bytes("remoteId"), pair.Bytes("remoteKey"));

        Assert.Equal(pair.GetProperty("display").GetString(), fingerprint.Display);
        Assert.Equal(pair.Bytes("scannable"), fingerprint.Scannable());
    });

    [Fact]
    public void Retry_requests_are_those_that_were_recorded() => Assert.All(Read("retries").GetProperty("reports").EnumerateArray(), one =>
    {
        var report = DecryptionErrorMessage.ForOriginal(
            one.Bytes("ciphertext"), (CiphertextType)one.GetProperty("type").GetInt32(), one.GetProperty("timestamp").GetUInt64(),
            one.GetProperty("device").GetInt32());

        Assert.Equal(one.Bytes("message"), report.Serialize());
        Assert.Equal(one.Bytes("content"), PlaintextContent.Serialize(report));
        Assert.Equal(report.Serialize(), PlaintextContent.Parse(one.Bytes("content")).Serialize());
    });

    /// <summary>Records the files anew: <c>--explicit only --filter-method "*each_format*"</c>.</summary>
    [Fact(Explicit = true)]
    public async Task Something_of_each_format_is_recorded()
    {
        var service = new Service(new SeededRandom(41));
        using var ours = new Device(service.Random);
        var theirs = await peer.PartyAsync(new Guid(service.Random.Bytes(16)).ToString(), 4, Ct);
        await new PeerConversation(ours, theirs).TheyStartAsync(oneTime: true);
        var opening = await theirs.EncryptAsync(ours.PeerAddress, [1], Ct);

        Write("sealed-sender", await EnvelopesAsync(service, ours, theirs));
        Write("groups", await GroupAsync(theirs));
        Write("fingerprints", await FingerprintsAsync(service.Random));
        Write("retries", new { origin = Origin, reports = new[] { await ReportAsync(opening.Ciphertext, 3), await ReportAsync([0x33], 7) } });
    }

    private async Task<object> EnvelopesAsync(Service service, Device ours, PeerParty theirs)
    {
        Assert.True(ServiceId.TryParse(theirs.Name, out var account));
        var senderCert = SenderCertificate.Issue(
            account, 4, PublicKey.Parse(theirs.IdentityKey), Service.Expires, service.Certificate, service.Key, service.Random).Serialize();
        var content = PlaintextContent.Serialize(
            DecryptionErrorMessage.ForOriginal([0x33], CiphertextType.SenderKeyMessage, 12345, 2));
        var groupId = new byte[] { 1, 2, 3 };
        var one = await peer.CallAsync(
            "sealUsmc",
            new { party = theirs.Id, remote = ours.PeerAddress, content = new { plaintextContent = content }, senderCert, hint = 2, groupId },
            Ct);
        var many = await peer.CallAsync(
            "sealMulti",
            new { party = theirs.Id, recipients = new[] { ours.PeerAddress }, content = new { plaintextContent = content }, senderCert, hint = 1, groupId },
            Ct);
        var two = await peer.CallAsync("splitMulti", new { message = many.Bytes("message") }, Ct);
        return new
        {
            origin = Origin,
            name = ours.Address.Name,
            device = ours.Address.DeviceId,
            identityPrivateKey = ours.Self.Identity.PrivateKey.Serialize(),
            senderName = theirs.Name,
            senderDevice = theirs.Device,
            trustRoot = service.Root.PublicKey.Serialize(),
            now = Service.Now,
            envelopes = new[]
            {
                new { envelope = one.Bytes("ciphertext"), type = 8, content, hint = 2, groupId },
                new { envelope = two.Bytes("ciphertext"), type = 8, content, hint = 1, groupId },
            },
        };
    }

    private async Task<object> GroupAsync(PeerParty theirs)
    {
        var distributionId = new Guid("11111111-2222-3333-4444-555555555555");
        var made = await peer.CallAsync("skdmCreate", new { party = theirs.Id, distributionId }, Ct);
        var messages = new List<object>();
        for (byte i = 0; i < 5; i++)
        {
            byte[] plaintext = [i, i];
            var sent = await peer.CallAsync("groupEncrypt", new { party = theirs.Id, distributionId, plaintext }, Ct);
            messages.Add(new { plaintext, ciphertext = sent.Bytes("ciphertext") });
        }

        return new { origin = Origin, name = theirs.Name, device = theirs.Device, distributionId, distributionMessage = made.Bytes("message"), messages };
    }

    private async Task<object> FingerprintsAsync(SeededRandom random)
    {
        var pairs = new List<object>();
        for (var i = 0; i < 5; i++)
        {
            var (localId, remoteId) = (random.Bytes(16), random.Bytes(16));
            var (localKey, remoteKey) = (PrivateKey.Generate(random).PublicKey.Serialize(), PrivateKey.Generate(random).PublicKey.Serialize());
            var made = await peer.CallAsync(
                "fingerprint", new { iterations = 5200, version = 2, localId, localKey, remoteId, remoteKey }, Ct);
            pairs.Add(new
            {
                localId,
                localKey,
                remoteId,
                remoteKey,
                display = made.GetProperty("display").GetString(),
                scannable = made.Bytes("scannable"),
            });
        }

        return new { origin = Origin, pairs };
    }

    private async Task<object> ReportAsync(byte[] ciphertext, int type)
    {
        const long timestamp = 1_700_000_000_000;
        var made = await peer.CallAsync("decryptionError", new { ciphertext, type, timestamp, device = 9 }, Ct);
        var wrapped = await peer.CallAsync("plaintextContent", new { message = made.Bytes("message") }, Ct);
        return new { ciphertext, type, timestamp, device = 9, message = made.Bytes("message"), content = wrapped.Bytes("content") };
    }

    private static JsonElement Read(string folder) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(FileOf(folder)));

    private static void Write(string folder, object recorded)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FileOf(folder))!);
        File.WriteAllText(FileOf(folder), JsonSerializer.Serialize(recorded, Json).ReplaceLineEndings("\n") + "\n");
    }

    private static string FileOf(string folder) => Path.Combine(Transcript.Folder, "..", folder, "official-client.json");
}
