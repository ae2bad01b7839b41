using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Sessions with the unmodified official client. Both sides serialise and reload at every step.</summary>
public sealed class OfficialClientTests(LibsignalPeer peer)
{
    private const int Conversations = 20;
    private const int Messages = 1_000;

    private static readonly string[] AllStates =
    [
        "KeysUnsampled", "KeysSampled", "HeaderSent", "Ciphertext1Received", "VectorSentCiphertext1Received",
        "NoHeaderReceived", "HeaderReceived", "Ciphertext1Sampled", "VectorReceivedCiphertext1Sampled",
        "Ciphertext1Acknowledged", "Ciphertext2Sampled",
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Long_conversations_lose_nothing_but_what_the_line_lost()
    {
        var states = new HashSet<string>();
        var received = new HashSet<SpqrMessageType>();
        var (sent, lost) = (0, 0);
        for (var i = 0; i < Conversations; i++)
        {
            using var ours = new Device(new SeededRandom((ulong)i));
            var theirs = await PartyAsync(ours);
            var conversation = new PeerConversation(ours, theirs);
            var weStart = (i & 1) == 0;

            await (weStart ? conversation.WeStartAsync((i & 2) == 0) : conversation.TheyStartAsync((i & 2) == 0));
            await conversation.TalkAsync(Messages, weBegin: weStart);

            // A few are on their way still when the talk ends.
            Assert.InRange(conversation.Sent, Messages, Messages + 60);
            Assert.InRange(conversation.Decrypted, conversation.Sent - conversation.Lost - 4, conversation.Sent - conversation.Lost);
            Assert.InRange(conversation.Lost, conversation.Sent * 0.07, conversation.Sent * 0.13);
            Assert.InRange(conversation.Overtaking, conversation.Sent / 20, conversation.Sent);
            (sent, lost) = (sent + conversation.Sent, lost + conversation.Lost);
            states.UnionWith(conversation.States);
            received.UnionWith(conversation.Received);
        }

        Assert.InRange(lost, sent * 0.09, sent * 0.11);
        Assert.Equal(AllStates.Order(), states.Order());
        Assert.Equal(Enum.GetValues<SpqrMessageType>().Order(), received.Order());
    }

    /// <summary>A server may have run out of one-time keys of one kind, of the other, of both or of neither.</summary>
    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, true)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(false, false, false)]
    public async Task A_session_starts_with_every_kind_of_bundle_and_uses_one_time_keys_up(
        bool weStart, bool oneTime, bool kyberOneTime)
    {
        using var ours = new Device(new SeededRandom(105));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        if (weStart)
        {
            var published = await theirs.PreKeysAsync(1, 1, 1, Ct);
            await ours.Cipher.StartAsync(remote, PeerConversation.BundleOf(published, oneTime, kyberOneTime), ours.Now, Ct);
            Assert.Equal([1], await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [1])));
            Assert.Equal([2], await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [2], Ct)));
            var left = await peer.CallAsync("exportParty", new { party = theirs.Id }, Ct);

            Assert.Equal(oneTime ? 0 : 1, left.GetProperty("preKeys").GetArrayLength());
            Assert.Equal(kyberOneTime ? 1 : 2, left.GetProperty("kyberPreKeys").GetArrayLength());
            return;
        }

        // One set of keys has one-time keys, the other has none.
        var (with, without) = (ours.Bundle(oneTime: true), ours.Bundle(oneTime: false));
        var (ec, kyber) = (oneTime ? with : without, kyberOneTime ? with : without);
        var bundle = new PreKeyBundle
        {
            RegistrationId = with.RegistrationId,
            IdentityKey = with.IdentityKey,
            SignedPreKey = with.SignedPreKey,
            SignedPreKeySignature = with.SignedPreKeySignature,
            OneTimePreKey = ec.OneTimePreKey,
            KyberPreKeyId = kyber.KyberPreKeyId,
            KyberPreKey = kyber.KyberPreKey,
            KyberPreKeySignature = kyber.KyberPreKeySignature,
        };
        await theirs.ProcessBundleAsync(ours.PeerAddress, PeerConversation.PeerBundle(bundle), Ct);
        Assert.Equal([1], await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [1], Ct)));
        Assert.Equal([2], await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [2])));

        using var oneTimeKey = await ours.Stores.LoadOneTimeAsync(with.OneTimePreKey!.Id, Ct);
        using var kyberOneTimeKey = await ours.Stores.LoadKyberAsync(with.KyberPreKeyId, Ct);
        using var lastResort = await ours.Stores.LoadKyberAsync(without.KyberPreKeyId, Ct);
        Assert.Equal((oneTime, kyberOneTime), (oneTimeKey is null, kyberOneTimeKey is null));
        Assert.NotNull(lastResort);
    }

    [Fact]
    public async Task Two_sides_that_begin_at_once_end_up_in_one_session()
    {
        using var ours = new Device(new SeededRandom(100));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        var conversation = new PeerConversation(ours, theirs);
        await conversation.WeStartAsync(oneTime: true);
        await conversation.TheyStartAsync(oneTime: true);

        var (hello, hallo) = (await ours.EncryptAsync(remote, [1]), await theirs.EncryptAsync(ours.PeerAddress, [2], Ct));
        Assert.Equal([1], await ToThemAsync(ours, theirs, hello));
        Assert.Equal([2], await ToUsAsync(ours, theirs, hallo));
        for (byte i = 0; i < 5; i++)
        {
            Assert.Equal([i], await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [i])));
            Assert.Equal([i], await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [i], Ct)));
        }

        var last = await ours.EncryptAsync(remote, [9]);
        Assert.Equal(CiphertextType.Message, last.Type);
    }

    [Fact]
    public async Task A_client_that_was_installed_anew_is_refused_until_trusted_and_then_heard()
    {
        using var ours = new Device(new SeededRandom(101));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        var conversation = new PeerConversation(ours, theirs);
        await conversation.WeStartAsync(oneTime: true);
        await conversation.TalkAsync(20, weBegin: true);

        var fresh = await peer.CallAsync("newIdentity", new { party = theirs.Id }, Ct);
        await conversation.TheyStartAsync(oneTime: true);
        var hello = await theirs.EncryptAsync(ours.PeerAddress, [1], Ct);
        var refusal = await Assert.ThrowsAsync<SignalException>(() => ToUsAsync(ours, theirs, hello));
        await ours.Stores.SaveAsync(remote, PublicKey.Parse(fresh.Bytes("identityKey")), Ct);

        Assert.Equal(SignalError.UntrustedIdentity, refusal.Error);
        Assert.Equal([1], await ToUsAsync(ours, theirs, hello));
        Assert.Equal([2], await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [2])));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_first_message_for_another_device_is_refused_on_either_side(bool weSend)
    {
        using var ours = new Device(new SeededRandom(102));
        var theirs = await PartyAsync(ours);
        var conversation = new PeerConversation(ours, theirs);
        if (weSend)
        {
            await conversation.WeStartAsync(oneTime: true);
            var hello = await ours.EncryptAsync(new ProtocolAddress(theirs.Name, theirs.Device), [1]);

            await Assert.ThrowsAsync<LibsignalPeerException>(() => theirs.DecryptAsync(
                new { name = ours.Address.Name, device = 99 }, (int)hello.Type, hello.Serialized.ToArray(), Ct));
            Assert.Equal([1], await ToThemAsync(ours, theirs, hello));
            return;
        }

        await conversation.TheyStartAsync(oneTime: true);
        var hallo = await theirs.EncryptAsync(ours.PeerAddress, [1], Ct);
        var message = new SessionMessage((CiphertextType)hallo.Type, hallo.Ciphertext);

        Assert.Equal(SignalError.InvalidMessage, await ours.RefusalAsync(new ProtocolAddress(theirs.Name, 99), message));
        Assert.Equal([1], await ToUsAsync(ours, theirs, hallo));
    }

    [Fact]
    public async Task What_the_official_client_sent_before_a_new_session_still_arrives_after_it()
    {
        using var ours = new Device(new SeededRandom(103));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        var conversation = new PeerConversation(ours, theirs);
        await conversation.WeStartAsync(oneTime: true);
        await conversation.TalkAsync(20, weBegin: true);

        var late = await theirs.EncryptAsync(ours.PeerAddress, [1], Ct);
        await peer.CallAsync("archiveSession", new { party = theirs.Id, remote = ours.PeerAddress }, Ct);
        await conversation.TheyStartAsync(oneTime: true);
        var early = await theirs.EncryptAsync(ours.PeerAddress, [2], Ct);

        Assert.Equal([2], await ToUsAsync(ours, theirs, early));
        Assert.Equal([1], await ToUsAsync(ours, theirs, late));
        Assert.Equal([3], await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [3])));
        Assert.Equal([4], await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [4], Ct)));
    }

    /// <summary>The limits that our own tests hold us to are those that the official client keeps.</summary>
    [Theory]
    [InlineData(4, 0, true)]
    [InlineData(5, 0, false)]
    [InlineData(0, 2_000, true)]
    [InlineData(0, 2_001, false)]
    public async Task The_official_client_takes_late_messages_exactly_as_long_as_we_do(int turns, int behind, bool arrives)
    {
        using var ours = new Device(new SeededRandom(104));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        var conversation = new PeerConversation(ours, theirs);
        await conversation.WeStartAsync(oneTime: true);
        await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [1]));
        await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [1], Ct));
        var late = await ours.EncryptAsync(remote, [7]);
        for (var i = 0; i < turns; i++)
        {
            await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [1]));
            await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [1], Ct));
        }

        for (var i = 1; i < behind; i++)
        {
            await ours.EncryptAsync(remote, []);
        }

        await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [1]));
        var outcome = await Record.ExceptionAsync(() => ToThemAsync(ours, theirs, late));

        Assert.Equal(arrives, outcome is null);
    }

    /// <summary>
    /// The post-quantum chain counts the message that came before them too, so that it is what sets this limit: 25,000 steps.
    /// </summary>
    [Theory]
    [InlineData(24_999, true)]
    [InlineData(25_000, false)]
    public async Task The_official_client_skips_exactly_as_many_messages_as_we_do(int skipped, bool arrives)
    {
        using var ours = new Device(new SeededRandom(106));
        using var another = new Device(new SeededRandom(107));
        var theirs = await PartyAsync(ours);
        var remote = new ProtocolAddress(theirs.Name, theirs.Device);
        await new PeerConversation(ours, theirs).WeStartAsync(oneTime: true);
        await ours.StartAsync(another);
        await ToThemAsync(ours, theirs, await ours.EncryptAsync(remote, [1]));
        await ToUsAsync(ours, theirs, await theirs.EncryptAsync(ours.PeerAddress, [1], Ct));
        await another.DecryptAsync(ours.Address, await ours.EncryptAsync(another.Address, [1]));
        await ours.DecryptAsync(another.Address, await another.EncryptAsync(ours.Address, [1]));
        for (var i = 0; i < skipped; i++)
        {
            await ours.EncryptAsync(remote, []);
            await ours.EncryptAsync(another.Address, []);
        }

        var (toThem, toAnother) = (await ours.EncryptAsync(remote, [7]), await ours.EncryptAsync(another.Address, [7]));
        var theirOutcome = await Record.ExceptionAsync(() => ToThemAsync(ours, theirs, toThem));
        var ourOutcome = await Record.ExceptionAsync(() => another.DecryptAsync(ours.Address, toAnother));

        Assert.Equal((arrives, arrives), (theirOutcome is null, ourOutcome is null));
    }

    private Task<PeerParty> PartyAsync(Device ours) =>
        peer.PartyAsync(new Guid(ours.Random.Bytes(16)).ToString(), 2, Ct);

    private static Task<byte[]> ToThemAsync(Device ours, PeerParty theirs, SessionMessage message) =>
        theirs.DecryptAsync(ours.PeerAddress, (int)message.Type, message.Serialized.ToArray(), Ct);

    private static Task<byte[]> ToUsAsync(Device ours, PeerParty theirs, PeerMessage message) => ours.DecryptAsync(
        new ProtocolAddress(theirs.Name, theirs.Device),
        new SessionMessage((CiphertextType)message.Type, message.Ciphertext));
}
