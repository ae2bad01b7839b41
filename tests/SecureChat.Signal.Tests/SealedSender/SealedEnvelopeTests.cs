using SecureChat.Signal.Keys;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.SealedSender;

public sealed class SealedEnvelopeTests(LibsignalPeer peer)
{
    private static readonly byte[] Report = PlaintextContent.Serialize(
        DecryptionErrorMessage.ForOriginal([0x33], CiphertextType.SenderKeyMessage, 12345, 2));

    private readonly Service _service = new(new SeededRandom(1));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(CiphertextType.Message, 2, ContentHint.Default, "")]
    [InlineData(CiphertextType.PreKeyMessage, 3, ContentHint.Resendable, "group")]
    [InlineData(CiphertextType.SenderKeyMessage, 7, ContentHint.Implicit, "another group")]
    [InlineData(CiphertextType.PlaintextContent, 8, ContentHint.Resendable, "")]
    public async Task The_official_client_opens_what_we_seal(
        CiphertextType type, int officialType, ContentHint hint, string groupId)
    {
        var alice = new Account(_service.Random, 1);
        var bob = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 2, Ct);
        byte[] group = System.Text.Encoding.UTF8.GetBytes(groupId);
        var content = new SealedContent(type, _service.CertificateOf(alice), new byte[] { 9, 8, 7 }, hint, group);

        var ciphertext = SealedEnvelope.Seal(content, PublicKey.Parse(bob.IdentityKey), alice.Identity, _service.Random);
        var opened = await peer.CallAsync("sealedToUsmc", new { party = bob.Id, ciphertext }, Ct);

        Assert.Equal(0x11, ciphertext[0]);
        Assert.Equal(officialType, opened.GetProperty("type").GetInt32());
        Assert.Equal([9, 8, 7], opened.Bytes("content"));
        Assert.Equal((int)hint, opened.GetProperty("hint").GetInt32());
        Assert.Equal(alice.Id.ToString(), opened.GetProperty("senderUuid").GetString());
        Assert.Equal(group, opened.TryGetProperty("groupId", out _) ? opened.Bytes("groupId") : []);
    }

    [Fact]
    public async Task We_open_what_the_official_client_seals()
    {
        var bob = new Account(_service.Random, 1);
        var (alice, senderCert) = await OfficialSenderAsync(bob);
        var groupId = new byte[] { 1, 2, 3 };

        var sealedMessage = await peer.CallAsync(
            "sealUsmc",
            new { party = alice.Id, remote = bob.Remote, content = new { plaintextContent = Report }, senderCert, hint = 2, groupId },
            Ct);
        var content = SealedEnvelope.Open(
            sealedMessage.Bytes("ciphertext"), bob.Identity, bob.Address, [_service.Root.PublicKey], Service.Now);

        Assert.Equal(CiphertextType.PlaintextContent, content.Type);
        Assert.Equal(Report, content.Message.ToArray());
        Assert.Equal(ContentHint.Implicit, content.Hint);
        Assert.Equal(groupId, content.GroupId.ToArray());
        Assert.Equal(alice.Name, content.Sender.Sender.Name);
        Assert.Equal(12345UL, PlaintextContent.Parse(content.Message.Span).Timestamp);
    }

    [Fact]
    public async Task The_official_client_cuts_our_message_as_we_do()
    {
        var alice = new Account(_service.Random, 1);
        var bob = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 1, Ct);
        var content = new SealedContent(CiphertextType.Message, _service.CertificateOf(alice), new byte[] { 1 });
        Assert.True(Addresses.ServiceId.TryParse(bob.Name, out var id));

        var message = MultiRecipientMessage.Seal(
            content, [new MultiRecipient(id, PublicKey.Parse(bob.IdentityKey), [new RecipientDevice(1, 1)])], [],
            alice.Identity, _service.Random);
        var cut = await peer.CallAsync("splitMulti", new { message }, Ct);

        var parsed = MultiRecipientMessage.Parse(message);
        Assert.Equal(cut.Bytes("ciphertext"), parsed.EnvelopeFor(parsed.Recipients[0]));
    }

    /// <summary>The official client is asked above; without it, this shows what is written of a content and what is left out.</summary>
    [Theory]
    [InlineData(1, CiphertextType.Message, ContentHint.Default, "")]
    [InlineData(1, CiphertextType.PreKeyMessage, ContentHint.Resendable, "group")]
    [InlineData(2, CiphertextType.SenderKeyMessage, ContentHint.Implicit, "another group")]
    [InlineData(2, CiphertextType.PlaintextContent, ContentHint.Default, "")]
    public void A_content_is_opened_as_it_was_sealed(int version, CiphertextType type, ContentHint hint, string groupId)
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var group = System.Text.Encoding.UTF8.GetBytes(groupId);
        var content = new SealedContent(type, _service.CertificateOf(alice), new byte[] { 9, 8, 7 }, hint, group);

        var opened = Open(SealFor(bob, content, alice.Identity, version), bob);

        Assert.Equal((type, hint), (opened.Type, opened.Hint));
        Assert.Equal([9, 8, 7], opened.Message.ToArray());
        Assert.Equal(group, opened.GroupId.ToArray());
        Assert.Equal(alice.Address, opened.Sender.Sender);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Every_flipped_bit_and_every_prefix_of_an_envelope_is_refused(int version)
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var envelope = SealFor(bob, alice, version);
        Assert.Equal(3, Open(envelope, bob).Message.Length);

        foreach (var changed in Bits.Flips(envelope).Concat(Bits.Prefixes(envelope)))
        {
            Assert.Throws<SignalException>(() => Open(changed, bob));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void An_envelope_for_somebody_else_stays_shut(int version)
    {
        var (alice, bob, eve) =
            (new Account(_service.Random, 1), new Account(_service.Random, 1), new Account(_service.Random, 1));

        var refusal = Assert.Throws<SignalException>(() => Open(SealFor(bob, alice, version), eve));

        Assert.Equal(SignalError.InvalidMessage, refusal.Error);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Nobody_can_put_somebody_elses_certificate_into_an_envelope_of_their_own(int version)
    {
        var (alice, bob, eve) =
            (new Account(_service.Random, 1), new Account(_service.Random, 1), new Account(_service.Random, 1));

        var forged = SealFor(bob, alice, version, signer: eve.Identity);

        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => Open(forged, bob)).Error);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void An_expired_certificate_and_ones_own_device_are_refused(int version)
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var envelope = SealFor(bob, alice, version);

        var expired = Assert.Throws<SignalException>(() => SealedEnvelope.Open(
            envelope, bob.Identity, bob.Address, [_service.Root.PublicKey], Service.Expires + 1));
        var own = Assert.Throws<SignalException>(() => Open(SealFor(bob, bob, version), bob));

        Assert.Equal(SignalError.InvalidCertificate, expired.Error);
        Assert.Equal(SignalError.SelfSend, own.Error);
    }

    [Theory]
    [InlineData("", SignalError.InvalidMessage)]
    [InlineData("30", SignalError.UnknownVersion)]
    [InlineData("33", SignalError.UnknownVersion)]
    [InlineData("00", SignalError.InvalidMessage)]
    [InlineData("11", SignalError.InvalidMessage)]
    [InlineData("22", SignalError.InvalidMessage)]
    [InlineData("23", SignalError.InvalidMessage)]
    [InlineData("2f", SignalError.InvalidMessage)]
    public void What_is_no_envelope_is_refused(string hex, SignalError error)
    {
        var refusal = Assert.Throws<SignalException>(
            () => Open(Convert.FromHexString(hex), new Account(_service.Random, 1)));

        Assert.Equal(error, refusal.Error);
    }

    private SealedContent Open(byte[] envelope, Account recipient) => SealedEnvelope.Open(
        envelope, recipient.Identity, recipient.Address, [_service.Root.PublicKey], Service.Now);

    private byte[] SealFor(Account recipient, Account sender, int version, PrivateKey? signer = null) => SealFor(
        recipient,
        new SealedContent(CiphertextType.Message, _service.CertificateOf(sender), new byte[] { 1, 2, 3 }),
        signer ?? sender.Identity,
        version);

    private byte[] SealFor(Account recipient, SealedContent content, PrivateKey signer, int version)
    {
        if (version == 1)
        {
            return SealedEnvelope.Seal(content, recipient.Identity.PublicKey, signer, _service.Random);
        }

        var message = MultiRecipientMessage.Parse(MultiRecipientMessage.Seal(
            content,
            [new MultiRecipient(recipient.Id, recipient.Identity.PublicKey, [new RecipientDevice(recipient.Device, 1)])],
            [],
            signer,
            _service.Random));
        return message.EnvelopeFor(message.Recipients[0]);
    }

    /// <summary>An official client that knows these identity keys, and its certificate.</summary>
    private async Task<(PeerParty Alice, byte[] Certificate)> OfficialSenderAsync(params Account[] known)
    {
        var alice = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 4, Ct);
        foreach (var account in known)
        {
            var identityKey = account.Identity.PublicKey.Serialize();
            await peer.CallAsync("trust", new { party = alice.Id, remote = account.Remote, identityKey }, Ct);
        }

        Assert.True(Addresses.ServiceId.TryParse(alice.Name, out var id));
        var certificate = SenderCertificate.Issue(
            id, 4, PublicKey.Parse(alice.IdentityKey), Service.Expires, _service.Certificate, _service.Key, _service.Random);
        return (alice, certificate.Serialize());
    }
}
