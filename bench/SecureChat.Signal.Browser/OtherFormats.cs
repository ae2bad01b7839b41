using SecureChat.Bench.Rows;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Fingerprints;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Media;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Usernames;

namespace SecureChat.Signal.Browser;

/// <summary>What is there besides sessions, each once there and back, with the browser's own branches of the code.</summary>
internal static class OtherFormats
{
    private const ulong Now = 1_800_000_000_000;

    public static async Task CheckAsync(BenchDevice alice, BenchDevice bob)
    {
        await GroupInEnvelopesAsync(alice, bob);
        SafetyNumbers(alice, bob);
        Usernames();
        NewDevice(bob);
        File();
    }

    private static async Task GroupInEnvelopesAsync(BenchDevice alice, BenchDevice bob)
    {
        var (root, key) = (PrivateKey.Generate(RandomSource.System), PrivateKey.Generate(RandomSource.System));
        var server = ServerCertificate.Issue(1, key.PublicKey, root, RandomSource.System);
        var certificate = SenderCertificate.Issue(
            AccountOf(alice), 1, alice.Self.Identity.PublicKey, Now + 1000, server, key, RandomSource.System);
        var distribution = Guid.CreateVersion7();
        var senderKey = await alice.Groups.DistributeAsync(alice.Address, distribution, CancellationToken.None);
        await bob.Groups.ProcessAsync(alice.Address, senderKey, CancellationToken.None);
        var bobsKey = bob.Self.Identity.PublicKey;
        for (byte i = 0; i < 2; i++)
        {
            var message = await alice.Groups.EncryptAsync(alice.Address, distribution, new byte[] { i }, CancellationToken.None);
            var content = new SealedContent(CiphertextType.SenderKeyMessage, certificate, message);
            var envelope = i == 0
                ? SealedEnvelope.Seal(content, bobsKey, alice.Self.Identity.PrivateKey, RandomSource.System)
                : VersionTwo(content, bob, alice);
            var opened = SealedEnvelope.Open(envelope, bob.Self.Identity.PrivateKey, bob.Address, [root.PublicKey], Now);
            Check(
                opened.Sender.Sender == alice.Address
                && await bob.Groups.DecryptAsync(opened.Sender.Sender, opened.Message, CancellationToken.None) is [var heard] && heard == i,
                $"a group's message in an envelope of version {i + 1}");
        }
    }

    private static byte[] VersionTwo(SealedContent content, BenchDevice bob, BenchDevice alice)
    {
        var message = MultiRecipientMessage.Parse(MultiRecipientMessage.Seal(
            content, [new MultiRecipient(AccountOf(bob), bob.Self.Identity.PublicKey, [new RecipientDevice(1, 4711)])], [],
            alice.Self.Identity.PrivateKey, RandomSource.System));
        return message.EnvelopeFor(message.Recipients[0]);
    }

    private static void SafetyNumbers(BenchDevice alice, BenchDevice bob)
    {
        var (aliceKey, bobKey) = (alice.Self.Identity.PublicKey.Serialize(), bob.Self.Identity.PublicKey.Serialize());
        byte[] aliceId = new byte[16], bobId = [1, .. new byte[15]];
        var hers = Fingerprint.Create(aliceId, aliceKey, bobId, bobKey);
        var his = Fingerprint.Create(bobId, bobKey, aliceId, aliceKey);
        Check(hers.Display == his.Display && hers.Compare(his.Scannable()) == FingerprintComparison.Match, "a safety number");
        Check(hers.Compare(hers.Scannable()) == FingerprintComparison.Mismatch, "a safety number of somebody else");
    }

    private static void Usernames()
    {
        // vectors/usernames/official-client.json
        var name = Username.Parse("a.42");
        Check(Convert.ToBase64String(name.Hash()) == "+jMtFp9wtnWJLITru8swLX036Ek4ejV0ztOHHZTjNHs=", "a username's hash");
        var link = UsernameLink.Create(name, RandomSource.System);
        Check(UsernameLink.Open(link.Entropy.Span, link.EncryptedUsername.Span).Text == name.Text, "a username's link");
    }

    private static void NewDevice(BenchDevice bob)
    {
        var envelope = ProvisioningCipher.Encrypt(bob.Self.Identity.PublicKey, [1, 2, 3], RandomSource.System);
        Check(ProvisioningCipher.Decrypt(bob.Self.Identity.PrivateKey, envelope) is [1, 2, 3], "what a new device is told");
    }

    private static void File()
    {
        var content = new byte[MediaFormat.SegmentSize + 1000];
        RandomSource.System.Fill(content);
        var key = MediaEncryption.NewKey(RandomSource.System);
        using var encryption = new MediaEncryption(key, content.Length);
        using var decryption = new MediaDecryption(key, content.Length);
        var header = new byte[MediaFormat.HeaderSize];
        encryption.WriteHeader(header);
        decryption.ReadHeader(header);
        var (segment, read) = (new byte[MediaFormat.EncryptedSegmentSize], new byte[MediaFormat.SegmentSize]);
        var at = 0;
        while (!decryption.IsDone)
        {
            var size = encryption.EncryptNext(content.AsSpan(at, encryption.NextContent), segment);
            var length = decryption.DecryptNext(segment.AsSpan(0, size), read);
            Check(content.AsSpan(at, length).SequenceEqual(read.AsSpan(0, length)), "a segment of a file");
            at += length;
        }

        Check(at == content.Length, "a file");
    }

    private static ServiceId AccountOf(BenchDevice device) => ServiceId.TryParse(device.Address.Name, out var account)
        ? account
        : throw new InvalidOperationException("The address is of no account.");

    private static void Check(bool good, string what)
    {
        if (!good)
        {
            throw new InvalidOperationException($"Something else came out than went in: {what}.");
        }
    }
}
