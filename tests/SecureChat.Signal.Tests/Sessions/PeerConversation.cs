using System.Text.Json;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>This library on one side and the official client on the other, over a line that loses and reorders.</summary>
internal sealed class PeerConversation(Device ours, PeerParty theirs)
{
    private readonly List<(SessionMessage Message, byte[] Plaintext)> _toThem = [];
    private readonly List<(SessionMessage Message, byte[] Plaintext)> _toUs = [];
    private readonly ProtocolAddress _remote = new(theirs.Name, theirs.Device);

    public int Decrypted { get; private set; }

    /// <summary>Messages that were encrypted.</summary>
    public int Sent { get; private set; }

    /// <summary>Those of them that never arrived.</summary>
    public int Lost { get; private set; }

    /// <summary>Those that arrived before one that was sent earlier.</summary>
    public int Overtaking { get; private set; }

    /// <summary>States of the post-quantum ratchet that our side has been in.</summary>
    public HashSet<string> States { get; } = [];

    /// <summary>Kinds of post-quantum messages that our side has received.</summary>
    public HashSet<SpqrMessageType> Received { get; } = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static VerifiedBundle BundleOf(JsonElement published, bool oneTime) => BundleOf(published, oneTime, oneTime);

    /// <summary>What a server hands out when it has one-time keys of one kind, of the other, of both or of neither.</summary>
    public static VerifiedBundle BundleOf(JsonElement published, bool oneTime, bool kyberOneTime)
    {
        var signed = published.GetProperty("signedPreKey");
        var kyber = kyberOneTime ? published.GetProperty("kyberOneTimeKeys")[0] : published.GetProperty("lastResortKyber");
        var ec = oneTime ? published.GetProperty("oneTimeKeys")[0] : default;
        return new PreKeyBundle
        {
            RegistrationId = published.GetProperty("registrationId").GetUInt32(),
            IdentityKey = PublicKey.Parse(published.Bytes("identityKey")),
            SignedPreKey = Published(signed),
            SignedPreKeySignature = signed.Bytes("signature"),
            OneTimePreKey = oneTime ? Published(ec) : null,
            KyberPreKeyId = kyber.GetProperty("id").GetUInt32(),
            KyberPreKey = KyberPublicKey.Parse(kyber.Bytes("publicKey")),
            KyberPreKeySignature = kyber.Bytes("signature"),
        }.Verify();
    }

    public static object PeerBundle(PreKeyBundle bundle) => new
    {
        registrationId = bundle.RegistrationId,
        identityKey = bundle.IdentityKey.Serialize(),
        preKeyId = bundle.OneTimePreKey?.Id,
        preKey = bundle.OneTimePreKey?.PublicKey.Serialize(),
        signedPreKeyId = bundle.SignedPreKey.Id,
        signedPreKey = bundle.SignedPreKey.PublicKey.Serialize(),
        signedPreKeySignature = bundle.SignedPreKeySignature.ToArray(),
        kyberPreKeyId = bundle.KyberPreKeyId,
        kyberPreKey = bundle.KyberPreKey.Serialize(),
        kyberPreKeySignature = bundle.KyberPreKeySignature.ToArray(),
    };

    /// <summary>We start the session.</summary>
    public async Task WeStartAsync(bool oneTime)
    {
        var published = await theirs.PreKeysAsync(1, 1, 1, Ct);
        await ours.Cipher.StartAsync(_remote, BundleOf(published, oneTime), ours.Now, Ct);
    }

    /// <summary>They start it.</summary>
    public Task TheyStartAsync(bool oneTime, bool? kyberOneTime = null) =>
        theirs.ProcessBundleAsync(ours.PeerAddress, PeerBundle(ours.Bundle(oneTime, kyberOneTime)), Ct);

    /// <summary>Sends so many messages, one side or the other, in bursts; one in ten is lost, others come late.</summary>
    /// <param name="weBegin">Only the side that started can send before it has heard something.</param>
    public async Task TalkAsync(int messages, bool weBegin)
    {
        await SendAsync(weBegin);
        await DeliverAsync(_toThem, 0, ToThemAsync);
        await DeliverAsync(_toUs, 0, ToUsAsync);
        await SendAsync(!weBegin);
        await DeliverAsync(_toThem, 0, ToThemAsync);
        await DeliverAsync(_toUs, 0, ToUsAsync);
        for (var sent = 2; sent < messages;)
        {
            var fromUs = ours.Random.Percent(50);
            var burst = ours.Random.Percent(5) ? 1 + ours.Random.Below(60) : 1 + ours.Random.Below(2);
            for (var i = 0; i < burst; i++, sent++)
            {
                await SendAsync(fromUs);
            }

            var hold = ours.Random.Below(3);
            await DeliverAsync(_toThem, hold, ToThemAsync);
            await DeliverAsync(_toUs, hold, ToUsAsync);
        }
    }

    private async Task SendAsync(bool fromUs)
    {
        Sent++;
        var plaintext = ours.Random.Bytes(ours.Random.Below(100));
        var lost = ours.Random.Percent(10) && Decrypted > 2;
        if (fromUs)
        {
            var message = await ours.EncryptAsync(_remote, plaintext);
            await NoteStateAsync();
            Add(_toThem, (message, plaintext), lost);
            return;
        }

        var encrypted = await theirs.EncryptAsync(ours.PeerAddress, plaintext, Ct);
        var theirMessage = new SessionMessage((CiphertextType)encrypted.Type, encrypted.Ciphertext);
        Add(_toUs, (theirMessage, plaintext), lost);
    }

    private void Add<T>(List<T> line, T message, bool lost)
    {
        if (lost)
        {
            Lost++;
            return;
        }

        line.Add(message);
    }

    /// <summary>Delivers in any order, but for a few that wait; none waits so long that it is rightly refused.</summary>
    private async Task DeliverAsync<T>(List<T> line, int hold, Func<T, Task> receive)
    {
        while (line.Count > hold)
        {
            var at = hold == 0 ? 0 : ours.Random.Below(Math.Min(line.Count, 2));
            var message = line[at];
            line.RemoveAt(at);
            Overtaking += at > 0 ? 1 : 0;
            await receive(message);
            Decrypted++;
        }
    }

    private async Task ToThemAsync((SessionMessage Message, byte[] Plaintext) sent) => Assert.Equal(
        sent.Plaintext,
        await theirs.DecryptAsync(ours.PeerAddress, (int)sent.Message.Type, sent.Message.Serialized.ToArray(), Ct));

    private async Task ToUsAsync((SessionMessage Message, byte[] Plaintext) sent)
    {
        Assert.Equal(sent.Plaintext, await ours.DecryptAsync(_remote, sent.Message));
        var message = sent.Message.Type == CiphertextType.Message
            ? SignalMessage.Parse(sent.Message.Serialized.Span)
            : PreKeySignalMessage.Parse(sent.Message.Serialized.Span).Message;
        Received.Add(SpqrMessage.Parse(message.PostQuantum.Span)!.Type);
        await NoteStateAsync();
    }

    private async Task NoteStateAsync()
    {
        using var record = SessionRecord.Parse(await ours.StoredAsync(_remote));
        States.Add(record.Current!.PostQuantum.Braid.GetType().Name);
    }

    private static PublishedPreKey Published(JsonElement key) =>
        new(key.GetProperty("id").GetUInt32(), PublicKey.Parse(key.Bytes("publicKey")));
}
