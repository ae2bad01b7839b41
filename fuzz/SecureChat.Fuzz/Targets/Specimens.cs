using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;
using SecureChat.Signal;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Usernames;

namespace SecureChat.Fuzz.Targets;

/// <summary>Genuine inputs of every format, which every target accepts: where a fuzzer begins.</summary>
internal static class Specimens
{
    /// <summary>Name of the target, name of the specimen, and the input, which begins with the number of the format.</summary>
    public static IEnumerable<(string Target, string Name, byte[] Input)> All() =>
        [.. Keys(), .. Messages(), .. SealedSender(), .. Groups(), .. Sessions(), .. Spqr(), .. Others(), .. Media(), .. Frames()];

    private static IEnumerable<(string Target, string Name, byte[] Input)> Keys()
    {
        const string target = "bundles";
        using var kyber = KyberKeyPair.Generate(Cast.Chance(10));
        var bundle = Cast.BobsBundle;
        yield return (target, "curve-key", [0, .. bundle.IdentityKey.Serialize()]);
        yield return (target, "kyber-key", [1, .. kyber.PublicKey.Serialize()]);
        yield return (target, "kyber-pair", [2, .. kyber.SerializePrivateKey()]);
        yield return (target, "identity", [3, .. Cast.Bob.Identity.Serialize()]);
        yield return (target, "one-time-prekey", [4, .. Cast.BobsOneTime.Serialize()]);
        yield return (target, "signed-prekey", [5, .. Cast.BobsSigned.Serialize()]);
        yield return (target, "kyber-prekey", [6, .. Cast.BobsKyber.Serialize()]);
        yield return (target, "one-time-prekey-without-checksum", [8, .. Cast.BobsOneTime.Serialize()[..^32]]);
        yield return (target, "signed-prekey-without-checksum", [9, .. Cast.BobsSigned.Serialize()[..^32]]);
        yield return (target, "kyber-prekey-without-checksum", [10, .. Cast.BobsKyber.Serialize()[..^32]]);

        // As they were stored before they had a frame.
        yield return (target, "one-time-prekey-without-frame", [4, .. Cast.BobsOneTime.Serialize()[1..^32]]);
        yield return (target, "signed-prekey-without-frame", [5, .. Cast.BobsSigned.Serialize()[1..^32]]);
        byte[] parts =
        [
            .. Part(bundle.IdentityKey.Serialize()),
            .. Part(bundle.SignedPreKey.PublicKey.Serialize()),
            .. Part(bundle.SignedPreKeySignature.Span),
            .. Part(bundle.KyberPreKey.Serialize()),
            .. Part(bundle.KyberPreKeySignature.Span),
        ];
        yield return (target, "bundle", [7, .. parts]);
        yield return (target, "bundle-with-one-time-key", [7, .. parts, .. Part(bundle.OneTimePreKey!.PublicKey.Serialize())]);
        yield return ("certificates", "server", [0, .. Cast.Server.Serialize()]);
        yield return ("certificates", "sender", [1, .. Cast.SenderOfAlice.Serialize()]);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Messages()
    {
        const string target = "messages";
        var report = DecryptionErrorMessage.ForOriginal(Conversation.Message, CiphertextType.Message, 5, 1);
        yield return (target, "message", [0, .. Conversation.Message]);
        yield return (target, "opening-of-the-session", [1, .. Conversation.NextOpening]);
        yield return (target, "report", [2, .. report.Serialize()]);
        yield return (target, "message-to-report", [3, .. Conversation.Message]);
        yield return (target, "opening-to-report", [4, .. Conversation.FirstOpening]);
        yield return (target, "plaintext-content", [5, .. PlaintextContent.Serialize(report)]);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> SealedSender()
    {
        const string target = "sealed-sender";
        var (alice, bob) = (Cast.Alice.Identity.PrivateKey, Cast.Bob.Identity.PublicKey);
        var content = new SealedContent(
            CiphertextType.Message, Cast.SenderOfAlice, Conversation.Message, ContentHint.Resendable, new byte[] { 1, 2 });
        var many = MultiRecipientMessage.Seal(
            content,
            [
                new MultiRecipient(Cast.AccountOf(Cast.Bob), bob, [new RecipientDevice(1, 5), new RecipientDevice(3, 103)]),
                new MultiRecipient(Cast.AccountOf(Cast.Alice), Cast.Alice.Identity.PublicKey, [new RecipientDevice(2, 7)]),
            ],
            [new Signal.Addresses.ServiceId(Signal.Addresses.ServiceIdKind.PhoneNumber, SenderKeyTarget.Distribution)],
            alice,
            Cast.Chance(11));
        var split = MultiRecipientMessage.Parse(many);
        yield return (target, "version-1", [0, .. SealedEnvelope.Seal(content, bob, alice, Cast.Chance(11))]);
        yield return (target, "version-2", [0, .. split.EnvelopeFor(split.Recipients[0])]);
        yield return (target, "content", [1, .. content.Serialize()]);
        yield return (target, "content-to-seal", [2, .. content.Serialize()]);
        yield return ("multi-recipient", "two-accounts", many);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Groups()
    {
        const string target = "sender-keys";
        var (record, key) = SenderKeyTarget.OfAlice;
        var (afterFirst, first) = record.Encrypt(SenderKeyTarget.Distribution, [1], Cast.Chance(12));
        var (_, second) = afterFirst.Encrypt(SenderKeyTarget.Distribution, [2], Cast.Chance(13));
        var (overtaken, _) = Signal.Groups.SenderKeyRecord.Empty.Add(key).Decrypt(second);
        yield return (target, "message", [0, .. first]);
        yield return (target, "key", [1, .. key.Serialize()]);
        yield return (target, "own-record", [2, .. record.Serialize()]);
        yield return (target, "own-record-without-checksum", [3, .. record.Serialize()[..^32]]);
        yield return (target, "record-with-a-kept-seed", [3, .. overtaken.Serialize()[..^32]]);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Sessions()
    {
        var stored = Conversation.Record(Conversation.StoresOfBob());
        using var session = Pqxdh.Initiate(Cast.Alice, Cast.BobsBundle.Verify(), Cast.Today, Cast.Chance(14));
        using var pending = Signal.Sessions.SessionRecord.Parse(stored).Start(session);
        yield return ("sessions", "stored", [0, .. stored]);
        yield return ("sessions", "without-checksum", [1, .. stored[..^32]]);
        yield return ("sessions", "pending-and-archived", [1, .. pending.Serialize()[..^32]]);
    }

    /// <summary>Two sides take turns until both have passed through every state: each new one with the message it then got.</summary>
    private static IEnumerable<(string Target, string Name, byte[] Input)> Spqr()
    {
        var key = Cast.Chance(15).Bytes(32);
        var random = Cast.Chance(16);
        SpqrState[] sides = [SpqrState.Initialize(key, SpqrRole.Initiator), SpqrState.Initialize(key, SpqrRole.Responder)];
        var seen = new HashSet<(byte State, SpqrMessageType Type)>();
        for (var turn = 0; turn < 700; turn++)
        {
            // The second side is quieter, so that the first is also seen waiting.
            var from = turn % 3 == 2 ? 1 : 0;
            var sent = sides[from].Send(random);
            var (to, type) = (sides[1 - from], SpqrMessage.Parse(sent.Message)!.Type);
            if (seen.Add((to.Braid.Tag, type)))
            {
                var name = $"state-{to.Braid.Tag:D2}-{type}".ToLowerInvariant();
                yield return ("spqr", name, [1, .. Part(to.Serialize()), .. sent.Message]);
                yield return ("spqr", $"message-{type}".ToLowerInvariant(), [0, .. sent.Message]);
            }

            (sides[from], sides[1 - from]) = (sent.Next, to.Receive(sent.Message).Next);
        }
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Others()
    {
        var bob = Cast.Bob.Identity.PublicKey;
        var username = Username.Parse("alice_the_first.42");
        var link = UsernameLink.Create(username, Cast.Chance(17).Bytes(32), Cast.Chance(18));
        byte[] inside = [0x0A, 8, .. "alice.42"u8];
        yield return ("provisioning", "envelope", [0, .. ProvisioningCipher.Encrypt(bob, [1, 2, 3], Cast.Chance(19))]);
        yield return ("provisioning", "plaintext", [1, 1, 2, 3]);
        yield return ("fingerprints", "scanned", FingerprintTarget.OfBob.Scannable());
        yield return ("usernames", "name", [0, .. Encoding.UTF8.GetBytes(username.Text)]);
        yield return ("usernames", "link", [1, .. Part(link.Entropy.Span), .. link.EncryptedUsername.Span]);
        yield return ("usernames", "inside-a-link", [2, .. inside]);
        yield return ("usernames", "text-id", [3, .. Encoding.UTF8.GetBytes(Cast.Bob.Address.Name)]);
        yield return ("usernames", "binary-id", [4, .. Cast.AccountOf(Cast.Bob).ToBinary()]);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Media()
    {
        var file = MediaTarget.Genuine(100);
        yield return ("media", "file", [0, .. file]);
        yield return ("media", "file-of-two-segments", [0, .. MediaTarget.Genuine(70_000)]);
        yield return ("media", "key-and-file", [1, .. Part(MediaTarget.Key), .. file]);
        yield return ("media", "content", [2, 1, 2, 3]);
        yield return ("group-state", "ciphertext", [0, .. GroupStateTarget.Genuine]);
        yield return ("group-state", "padded", [1, .. GroupStateTarget.State, 0x80, 0, 0]);
        yield return ("group-state", "state", [2, .. GroupStateTarget.State]);
    }

    private static IEnumerable<(string Target, string Name, byte[] Input)> Frames()
    {
        const string target = "frames";
        var id = ByteString.CopyFrom(Cast.Chance(24).Bytes(16));
        var send = new Send { Id = id, Timestamp = Cast.Now, Urgent = true };
        var recipient = new Recipient { Account = id };
        recipient.Devices.Add(new DeviceContent { Device = 1, RegistrationId = 5, Type = ContentType.Whisper, Content = id });
        send.Recipients.Add(recipient);
        var ack = new Ack();
        ack.Positions.Add([1, 300]);
        ClientFrame[] frames =
        [
            new() { Request = 1, Send = send }, new() { Ack = ack }, new() { Request = 2, Ping = new Ping() },
        ];
        RoomClientFrame[] roomFrames =
        [
            new() { Request = 3, Join = new JoinRoom() }, new() { Request = 4, Leave = new LeaveRoom() },
            new() { Signal = new RoomSignal { Peer = 2, Content = id } },
        ];
        foreach (var frame in frames)
        {
            var name = $"{frame.BodyCase}".ToLowerInvariant();
            byte[] binary = frame.ToByteArray();
            yield return (target, $"{name}-on-the-wire", [0, 0x82, (byte)(0x80 | binary.Length), 0, 0, 0, 0, .. binary]);
            yield return (target, name, [1, .. binary]);
            yield return (target, $"{name}-json", [2, .. FrameJson.Format(frame)]);
        }

        foreach (var frame in roomFrames)
        {
            var name = $"room-{frame.BodyCase}".ToLowerInvariant();
            yield return (target, name, [3, .. frame.ToByteArray()]);
            yield return (target, $"{name}-json", [4, .. FrameJson.Format(frame)]);
        }

        yield return (target, "fragments", [0, 0x02, 0x81, 0, 0, 0, 0, 0x08, 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, 0x01]);
    }

    private static byte[] Part(ReadOnlySpan<byte> bytes) => [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
}
