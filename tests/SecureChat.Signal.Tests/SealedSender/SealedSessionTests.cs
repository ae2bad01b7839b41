using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>Whole sessions with the official client inside sealed envelopes, from the first message on.</summary>
public sealed class SealedSessionTests : IDisposable
{
    private readonly LibsignalPeer _peer;
    private readonly Service _service = new(new SeededRandom(21));
    private readonly Device _ours;
    private readonly byte[] _trustRoot;

    public SealedSessionTests(LibsignalPeer peer)
    {
        _peer = peer;
        _ours = new Device(_service.Random);
        _trustRoot = _service.Root.PublicKey.Serialize();
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _ours.Dispose();

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_session_begins_and_goes_on_in_envelopes(bool weStart, bool oneTime)
    {
        var theirs = await _peer.PartyAsync(Guid.CreateVersion7().ToString(), 3, Ct);
        var conversation = new PeerConversation(_ours, theirs);
        await (weStart ? conversation.WeStartAsync(oneTime) : conversation.TheyStartAsync(oneTime));
        var (ourTypes, theirTypes) = (new List<CiphertextType>(), new List<CiphertextType>());

        for (byte i = 0; i < 40; i++)
        {
            // Whoever did not start can send once it has heard something; then one side or the other falls silent for a while.
            var weSend = i == 0 ? weStart : i == 1 ? !weStart : i / 4 % 2 == 0;
            var (heard, type) = weSend ? await ToThemAsync(theirs, [i]) : await ToUsAsync(theirs, [i]);
            Assert.Equal([i], heard);
            (weSend ? ourTypes : theirTypes).Add(type);
        }

        Assert.Equal(CiphertextType.PreKeyMessage, (weStart ? ourTypes : theirTypes)[0]);
        Assert.Equal(CiphertextType.Message, ourTypes[^1]);
        Assert.Equal(CiphertextType.Message, theirTypes[^1]);
    }

    [Fact]
    public async Task A_sealed_message_that_comes_again_is_decrypted_only_once()
    {
        var theirs = await _peer.PartyAsync(Guid.CreateVersion7().ToString(), 3, Ct);
        await new PeerConversation(_ours, theirs).TheyStartAsync(oneTime: true);
        var envelope = await SealByThemAsync(theirs, [7]);
        var content = Open(envelope);
        var decrypted = 0;

        for (var i = 0; i < 1_000; i++)
        {
            try
            {
                await _ours.Cipher.DecryptAsync(content.Sender.Sender, content.Type, content.Message, Ct);
                decrypted++;
            }
            catch (SignalException e)
            {
                Assert.Equal(SignalError.DuplicateMessage, e.Error);
            }
        }

        Assert.Equal(1, decrypted);
        Assert.Equal(content.Message, Open(envelope).Message);
    }

    private async Task<(byte[] Heard, CiphertextType Type)> ToThemAsync(PeerParty theirs, byte[] plaintext)
    {
        var message = await _ours.EncryptAsync(new ProtocolAddress(theirs.Name, theirs.Device), plaintext);
        var content = new SealedContent(message.Type, CertificateOf(_ours.Address, _ours.Self.Identity.PublicKey), message.Serialized);
        var ciphertext = SealedEnvelope.Seal(
            content, PublicKey.Parse(theirs.IdentityKey), _ours.Self.Identity.PrivateKey, _service.Random);
        var answer = await _peer.CallAsync(
            "sealedDecrypt", new { party = theirs.Id, ciphertext, trustRoot = _trustRoot, now = Service.Now }, Ct);

        Assert.Equal(_ours.Address.Name, answer.GetProperty("senderUuid").GetString());
        return (answer.Bytes("plaintext"), message.Type);
    }

    private async Task<(byte[] Heard, CiphertextType Type)> ToUsAsync(PeerParty theirs, byte[] plaintext)
    {
        var content = Open(await SealByThemAsync(theirs, plaintext));

        Assert.Equal(new ProtocolAddress(theirs.Name, theirs.Device), content.Sender.Sender);
        return (await _ours.Cipher.DecryptAsync(content.Sender.Sender, content.Type, content.Message, Ct), content.Type);
    }

    private async Task<byte[]> SealByThemAsync(PeerParty theirs, byte[] plaintext)
    {
        var address = new ProtocolAddress(theirs.Name, theirs.Device);
        var senderCert = CertificateOf(address, PublicKey.Parse(theirs.IdentityKey)).Serialize();
        var answer = await _peer.CallAsync(
            "sealedEncrypt", new { party = theirs.Id, remote = _ours.PeerAddress, plaintext, senderCert }, Ct);
        return answer.Bytes("ciphertext");
    }

    private SealedContent Open(byte[] envelope) => SealedEnvelope.Open(
        envelope, _ours.Self.Identity.PrivateKey, _ours.Address, [_service.Root.PublicKey], Service.Now);

    private SenderCertificate CertificateOf(ProtocolAddress address, PublicKey identity)
    {
        Assert.True(ServiceId.TryParse(address.Name, out var account));
        return SenderCertificate.Issue(
            account, address.DeviceId, identity, Service.Expires, _service.Certificate, _service.Key, _service.Random);
    }
}
