using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>
/// Groups with the official client as they are used: the sender's key over a session with each device, then messages sealed
/// once for all of them, and another key when somebody has left.
/// </summary>
public sealed class SealedGroupTests(LibsignalPeer peer)
{
    private const int Accounts = 3;
    private const int DevicesEach = 2;

    private readonly Service _service = new(new SeededRandom(31));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Six_devices_of_official_clients_read_our_group_messages_until_the_key_is_another()
    {
        using var alice = new Device(_service.Random);
        var groups = new GroupCipher(new InMemorySenderKeyStore(), _service.Random);
        var members = await OfficialMembersAsync(alice);
        var (first, rotated, leaver) = (Guid.CreateVersion7(), Guid.CreateVersion7(), AccountOf(members[^1]));
        var staying = members.Where(member => AccountOf(member) != leaver).ToList();

        await DistributeAsync(alice, await groups.DistributeAsync(alice.Address, first, Ct), members);
        for (byte i = 0; i < 3; i++)
        {
            var sent = Seal(alice, await groups.EncryptAsync(alice.Address, first, new byte[] { 1, i }, Ct), members, []);

            Assert.Equal(Accounts * DevicesEach, sent.Recipients.Sum(part => part.Devices.Count));
            await AllReadAsync(alice, sent, members, [1, i]);
        }

        await DistributeAsync(alice, await groups.DistributeAsync(alice.Address, rotated, Ct), staying);
        var later = await groups.EncryptAsync(alice.Address, rotated, new byte[] { 2 }, Ct);
        var after = Seal(alice, later, staying, [leaver]);

        Assert.Equal([leaver], after.Excluded);
        await AllReadAsync(alice, after, staying, [2]);
        foreach (var gone in members.Except(staying))
        {
            await Assert.ThrowsAsync<LibsignalPeerException>(() => peer.CallAsync(
                "groupDecrypt", new { party = gone.Id, remote = alice.PeerAddress, ciphertext = later }, Ct));
        }
    }

    [Fact]
    public async Task Six_devices_of_ours_read_the_official_clients_group_messages_until_the_key_is_another()
    {
        var alice = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 4, Ct);
        var members = OurMembers();
        foreach (var member in members)
        {
            await new PeerConversation(member.Device, alice).TheyStartAsync(oneTime: true);
        }

        var (first, rotated) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        var leaver = members[^1].Device.Address.Name;
        var staying = members.Where(member => member.Device.Address.Name != leaver).ToList();

        await DistributeAsync(alice, first, members);
        for (byte i = 0; i < 3; i++)
        {
            var sent = await SealAsync(alice, new { distributionId = first, plaintext = new byte[] { 1, i } }, members, []);

            Assert.Equal(Accounts * DevicesEach, sent.Recipients.Sum(part => part.Devices.Count));
            await AllReadAsync(alice, sent, members, [1, i]);
        }

        await DistributeAsync(alice, rotated, staying);
        var after = await SealAsync(alice, new { distributionId = rotated, plaintext = new byte[] { 2 } }, staying, [leaver]);

        Assert.Equal([leaver], after.Excluded.Select(id => id.ToString()));
        await AllReadAsync(alice, after, staying, [2]);
        var message = Open(after, after.Recipients[0], staying[0].Device).Message;
        foreach (var gone in members.Except(staying))
        {
            var refusal = await Assert.ThrowsAsync<SignalException>(
                () => gone.Groups.DecryptAsync(new ProtocolAddress(alice.Name, 4), message, Ct).AsTask());
            Assert.Equal(SignalError.NoSenderKey, refusal.Error);
        }

        members.ForEach(member => member.Device.Dispose());
    }

    [Fact]
    public async Task A_session_with_the_official_client_begins_and_goes_on_in_envelopes_of_version_2()
    {
        using var ours = new Device(_service.Random);
        var theirs = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 4, Ct);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        await new PeerConversation(ours, theirs).WeStartAsync(oneTime: true);

        for (byte i = 0; i < 4; i++)
        {
            var message = await ours.EncryptAsync(remote, [i]);
            var sent = Seal(ours, message.Serialized, [theirs], [], message.Type);
            var heard = await peer.CallAsync(
                "sealedDecrypt",
                new
                {
                    party = theirs.Id,
                    ciphertext = sent.EnvelopeFor(sent.Recipients[0]),
                    trustRoot = _service.Root.PublicKey.Serialize(),
                    now = Service.Now,
                },
                Ct);
            var reply = await SealAsync(
                theirs, new { remote = ours.PeerAddress, plaintext = new byte[] { 9, i } }, [new Member(ours, null!)], []);
            var content = Open(reply, reply.Recipients[0], ours);

            Assert.Equal(i == 0 ? CiphertextType.PreKeyMessage : CiphertextType.Message, message.Type);
            Assert.Equal([i], heard.Bytes("plaintext"));
            Assert.Equal([9, i], await ours.Cipher.DecryptAsync(content.Sender.Sender, content.Type, content.Message, Ct));
        }
    }

    /// <summary>Sessions with two devices of each of three accounts, which share their account's identity key.</summary>
    private async Task<List<PeerParty>> OfficialMembersAsync(Device alice)
    {
        var members = new List<PeerParty>();
        for (var i = 0; i < Accounts; i++)
        {
            var name = Guid.CreateVersion7().ToString();
            var primary = await peer.PartyAsync(name, 1, Ct);
            var identity = (await peer.CallAsync("exportParty", new { party = primary.Id }, Ct)).Bytes("identityPrivateKey");
            members.AddRange([primary, await peer.PartyAsync(name, 2, Ct, identity)]);
        }

        foreach (var (member, i) in members.Select((member, i) => (member, i)))
        {
            await new PeerConversation(alice, member).WeStartAsync(oneTime: i % 2 == 0);
        }

        return members;
    }

    private List<Member> OurMembers() => [.. Enumerable.Range(0, Accounts).SelectMany(_ =>
    {
        var (account, key) = (new Guid(_service.Random.Bytes(16)), PrivateKey.Generate(_service.Random).Serialize());
        return Enumerable.Range(1, DevicesEach).Select(id => new Member(
            new Device(_service.Random, id, account, new IdentityKeyPair(PrivateKey.Parse(key))),
            new GroupCipher(new InMemorySenderKeyStore(), _service.Random)));
    })];

    private async Task DistributeAsync(Device alice, SenderKeyDistributionMessage key, List<PeerParty> members)
    {
        foreach (var member in members)
        {
            var sent = await alice.EncryptAsync(new ProtocolAddress(member.Name, member.Device), key.Serialize());
            var message = await member.DecryptAsync(alice.PeerAddress, (int)sent.Type, sent.Serialized.ToArray(), Ct);
            await peer.CallAsync("skdmProcess", new { party = member.Id, remote = alice.PeerAddress, message }, Ct);
        }
    }

    private async Task DistributeAsync(PeerParty alice, Guid distributionId, List<Member> members)
    {
        var plaintext = (await peer.CallAsync("skdmCreate", new { party = alice.Id, distributionId }, Ct)).Bytes("message");
        var sender = new ProtocolAddress(alice.Name, alice.Device);
        foreach (var member in members)
        {
            var sent = await alice.EncryptAsync(member.Device.PeerAddress, plaintext, Ct);
            var heard = await member.Device.Cipher.DecryptAsync(sender, (CiphertextType)sent.Type, sent.Ciphertext, Ct);
            await member.Groups.ProcessAsync(sender, SenderKeyDistributionMessage.Parse(heard), Ct);
        }
    }

    private MultiRecipientMessage Seal(
        Device alice, ReadOnlyMemory<byte> message, List<PeerParty> members, ServiceId[] excluded,
        CiphertextType type = CiphertextType.SenderKeyMessage)
    {
        var content = new SealedContent(
            type, CertificateOf(alice.Address, alice.Self.Identity.PublicKey), message, ContentHint.Resendable);
        var recipients = members.GroupBy(AccountOf).Select(account => new MultiRecipient(
            account.Key,
            PublicKey.Parse(account.First().IdentityKey),
            [.. account.Select(member => new RecipientDevice(member.Device, member.RegistrationId))])).ToList();
        var parsed = MultiRecipientMessage.Parse(MultiRecipientMessage.Seal(
            content, recipients, excluded, alice.Self.Identity.PrivateKey, _service.Random));

        Assert.Equal(recipients.Select(account => account.Devices), parsed.Recipients.Select(part => part.Devices));
        return parsed;
    }

    private async Task<MultiRecipientMessage> SealAsync(
        PeerParty alice, object content, List<Member> members, string[] excluded)
    {
        var senderCert = CertificateOf(new ProtocolAddress(alice.Name, alice.Device), PublicKey.Parse(alice.IdentityKey));
        var made = await peer.CallAsync(
            "sealMulti",
            new
            {
                party = alice.Id,
                recipients = members.Select(member => member.Device.PeerAddress),
                excluded,
                content,
                senderCert = senderCert.Serialize(),
                hint = 1,
            },
            Ct);
        return MultiRecipientMessage.Parse(made.Bytes("message"));
    }

    private async Task AllReadAsync(Device alice, MultiRecipientMessage sent, List<PeerParty> members, byte[] plaintext)
    {
        foreach (var member in members)
        {
            var part = sent.Recipients.Single(recipient => recipient.Account == AccountOf(member));
            var opened = await peer.CallAsync(
                "sealedToUsmc", new { party = member.Id, ciphertext = sent.EnvelopeFor(part) }, Ct);
            var remote = new
            {
                name = opened.GetProperty("senderUuid").GetString(),
                device = opened.GetProperty("senderDevice").GetInt32(),
            };
            var read = await peer.CallAsync(
                "groupDecrypt", new { party = member.Id, remote, ciphertext = opened.Bytes("content") }, Ct);

            Assert.Equal((alice.Address.Name, alice.Address.DeviceId), (remote.name, remote.device));
            Assert.Equal((7, 1), (opened.GetProperty("type").GetInt32(), opened.GetProperty("hint").GetInt32()));
            Assert.Equal(plaintext, read.Bytes("plaintext"));
        }
    }

    private async Task AllReadAsync(PeerParty alice, MultiRecipientMessage sent, List<Member> members, byte[] plaintext)
    {
        foreach (var (device, groups) in members)
        {
            var part = sent.Recipients.Single(recipient => recipient.Account.ToString() == device.Address.Name);
            var content = Open(sent, part, device);

            Assert.Contains(new RecipientDevice(device.Address.DeviceId, (int)device.Self.RegistrationId), part.Devices);
            Assert.Equal(new ProtocolAddress(alice.Name, alice.Device), content.Sender.Sender);
            Assert.Equal((CiphertextType.SenderKeyMessage, ContentHint.Resendable), (content.Type, content.Hint));
            Assert.Equal(plaintext, await groups.DecryptAsync(content.Sender.Sender, content.Message, Ct));
        }
    }

    private SealedContent Open(MultiRecipientMessage sent, MultiRecipientPart part, Device device) => SealedEnvelope.Open(
        sent.EnvelopeFor(part), device.Self.Identity.PrivateKey, device.Address, [_service.Root.PublicKey], Service.Now);

    private SenderCertificate CertificateOf(ProtocolAddress address, PublicKey identity)
    {
        Assert.True(ServiceId.TryParse(address.Name, out var account));
        return SenderCertificate.Issue(
            account, address.DeviceId, identity, Service.Expires, _service.Certificate, _service.Key, _service.Random);
    }

    private static ServiceId AccountOf(PeerParty party)
    {
        Assert.True(ServiceId.TryParse(party.Name, out var account));
        return account;
    }

    private sealed record Member(Device Device, GroupCipher Groups);
}
