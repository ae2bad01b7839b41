using System.Text.Json;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Conversations with the official client, played again without it.</summary>
public sealed class TranscriptTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("opening-with-one-time-prekey")]
    [InlineData("opening-with-last-resort-prekey")]
    [InlineData("three-epochs")]
    [InlineData("opened-by-us")]
    public Task A_recorded_conversation_plays_again_byte_by_byte(string name) => Transcript.Read(name).ReplayAsync(Ct);

    /// <summary>Records the files anew: <c>--explicit only --filter-method "*record*"</c>.</summary>
    [Fact(Explicit = true)]
    public async Task Conversations_are_recorded()
    {
        var opening = "The official client opens a session and sends twenty messages, which arrive in another order and not all.";
        (await RecordAsync(opening, oneTime: true, rounds: 0)).Write("opening-with-one-time-prekey");
        (await RecordAsync(opening, oneTime: false, rounds: 0)).Write("opening-with-last-resort-prekey");
        var epochs = "Both sides talk, with one message in twelve lost and others late, until three epochs have passed.";
        (await RecordAsync(epochs, oneTime: true, rounds: 170)).Write("three-epochs");
    }

    /// <summary>Records the file anew: <c>--explicit only --filter-method "*opening_of_ours*"</c>.</summary>
    [Fact(Explicit = true)]
    public async Task An_opening_of_ours_is_recorded()
    {
        var random = new SeededRandom(3);
        using var ours = new Device(random);
        var theirs = await peer.PartyAsync(new Guid(random.Bytes(16)).ToString(), 2, Ct);
        var answer = await theirs.PreKeysAsync(1, 1, 1, Ct);
        var published = JsonSerializer.SerializeToElement(answer.EnumerateObject()
            .Where(member => member.Name is not ("seq" or "ok")).ToDictionary(member => member.Name, member => member.Value));
        var drawn = new RecordingRandom(random);
        var self = await SelfAsync(ours, ours.Bundle(oneTime: true));
        var line = new Line(ours, theirs);
        await new SessionCipher(ours.Self, ours.Stores, ours.Stores, ours.Stores, drawn).StartAsync(
            line.Remote, PeerConversation.BundleOf(published, oneTime: true), Device.Start, Ct);
        for (var i = 0; i < 5; i++)
        {
            await line.WeSendAsync(lost: i == 2);
        }

        await line.TheySendAsync();
        for (var i = 0; i < 20; i++)
        {
            // One more than arrives, so that some are overtaken; none by so many turns that it is rightly refused.
            await line.TheySendAsync();
            await line.DeliverAsync(i % 3 == 0 ? line.Waiting - 1 : 0);
            await line.WeSendAsync(lost: i % 8 == 7);
        }

        using var record = SessionRecord.Parse(await ours.StoredAsync(line.Remote));
        const string description =
            "We open a session with both one-time keys of the official client, send before it has answered, and go on with it.";
        new Transcript(
            description, self, new TranscriptAddress(theirs.Name, theirs.Device), record.Current!.PostQuantum.Braid.Epoch,
            line.Steps, new TranscriptOpening(published, drawn.Take())).Write("opened-by-us");
    }

    private async Task<Transcript> RecordAsync(string description, bool oneTime, int rounds)
    {
        var random = new SeededRandom(oneTime ? 1UL : 2UL);
        using var ours = new Device(random);
        var theirs = await peer.PartyAsync(new Guid(random.Bytes(16)).ToString(), 2, Ct);
        var bundle = ours.Bundle(oneTime);
        await theirs.ProcessBundleAsync(ours.PeerAddress, PeerConversation.PeerBundle(bundle), Ct);
        var self = await SelfAsync(ours, bundle);
        var line = new Line(ours, theirs);
        for (var i = 0; i < 20; i++)
        {
            await line.TheySendAsync();
        }

        while (line.Waiting > 3)
        {
            await line.DeliverAsync(random.Below(line.Waiting));
        }

        for (var i = 0; i < rounds; i++)
        {
            await line.WeSendAsync(lost: i % 12 == 7);
            await line.TheySendAsync();
            await line.DeliverAsync(i % 3 == 0 ? line.Waiting - 1 : 0, lost: i % 12 == 3);
        }

        using var record = SessionRecord.Parse(await ours.StoredAsync(line.Remote));
        var remote = new TranscriptAddress(theirs.Name, theirs.Device);
        return new Transcript(description, self, remote, record.Current!.PostQuantum.Braid.Epoch, line.Steps);
    }

    private static async Task<TranscriptSelf> SelfAsync(Device ours, PreKeyBundle bundle)
    {
        using var kyber = (await ours.Stores.LoadKyberAsync(bundle.KyberPreKeyId, Ct))!;
        using var oneTime = bundle.OneTimePreKey is { Id: var id } ? await ours.Stores.LoadOneTimeAsync(id, Ct) : null;
        return new TranscriptSelf(
            ours.Address.Name,
            ours.Address.DeviceId,
            ours.Self.RegistrationId,
            ours.Self.Identity.PrivateKey.Serialize(),
            new TranscriptKey(ours.Signed.Id, ours.Signed.PrivateKey.Serialize()),
            oneTime is null ? null : new TranscriptKey(oneTime.Id, oneTime.PrivateKey.Serialize()),
            new TranscriptKey(kyber.Id, kyber.KeyPair.SerializePrivateKey()));
    }

    /// <summary>Records what passes between the two.</summary>
    private sealed class Line
    {
        private readonly RecordingRandom _random;
        private readonly SessionCipher _cipher;
        private readonly Device _ours;
        private readonly PeerParty _theirs;
        private readonly List<(PeerMessage Message, byte[] Plaintext)> _waiting = [];
        private byte _number;

        public Line(Device ours, PeerParty theirs)
        {
            (_ours, _theirs) = (ours, theirs);
            _random = new RecordingRandom(ours.Random);
            _cipher = new SessionCipher(ours.Self, ours.Stores, ours.Stores, ours.Stores, _random);
        }

        public ProtocolAddress Remote => new(_theirs.Name, _theirs.Device);

        public int Waiting => _waiting.Count;

        public List<TranscriptStep> Steps { get; } = [];

        public async Task TheySendAsync()
        {
            byte[] plaintext = [_number++];
            _waiting.Add((await _theirs.EncryptAsync(_ours.PeerAddress, plaintext, Ct), plaintext));
        }

        public async Task WeSendAsync(bool lost)
        {
            byte[] plaintext = [_number++];
            var message = await _cipher.EncryptAsync(Remote, plaintext, Device.Start, Ct);
            var bytes = message.Serialized.ToArray();
            Steps.Add(new TranscriptStep(false, message.Type, bytes, plaintext, _random.Take()));
            if (!lost)
            {
                Assert.Equal(plaintext, await _theirs.DecryptAsync(_ours.PeerAddress, (int)message.Type, bytes, Ct));
            }
        }

        public async Task DeliverAsync(int at, bool lost = false)
        {
            var (message, plaintext) = _waiting[at];
            _waiting.RemoveAt(at);
            if (lost)
            {
                return;
            }

            var type = (CiphertextType)message.Type;
            Assert.Equal(plaintext, await _cipher.DecryptAsync(Remote, type, message.Ciphertext, Ct));
            Steps.Add(new TranscriptStep(true, type, message.Ciphertext, plaintext, _random.Take()));
        }
    }
}
