using System.Security.Cryptography;
using System.Text;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal.Tests.Examples;

/// <summary>The library's README shows nothing but what stands in this file, which is compiled and run here.</summary>
public sealed class ReadmeTests
{
    private const string Indent = "        ";
    private static readonly string Root = FindRoot();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_devices_start_a_session_and_talk()
    {
        var (ct, now) = (Ct, DateTimeOffset.UnixEpoch);

        var random = RandomSource.System;
        var aliceId = new ProtocolAddress(ServiceId.OfAccount(Guid.Parse("7f0c6a2e-9f0d-4f6e-8f5c-0a6c1d2e3f40")), 1);
        var bobId = new ProtocolAddress(ServiceId.OfAccount(Guid.Parse("b2a4d6f8-1c3e-4a5b-9d7f-8e6c4a2b0d1f")), 1);

        // Bob, once: an identity, and prekeys whose public halves go to a server.
        using var bob = IdentityKeyPair.Generate(random);
        using var signed = SignedPreKeyRecord.Generate(1, bob, now, random);
        using var oneTime = PreKeyRecord.Generate(1, random);
        using var kyber = KyberPreKeyRecord.Generate(1, bob, now, random);
        var bobStores = new InMemoryStores();
        bobStores.Add(signed);
        bobStores.Add(oneTime);
        bobStores.Add(kyber, lastResort: false);
        var bundle = PreKeyBundle.Of(registrationId: 4711, bob.PublicKey, signed, kyber, oneTime);

        // Alice: fetches the bundle, and only a verified one starts a session.
        using var alice = IdentityKeyPair.Generate(random);
        var aliceStores = new InMemoryStores();
        var fromAlice = new SessionCipher(
            new LocalDevice(aliceId, alice, registrationId: 1), aliceStores, aliceStores, aliceStores, random);
        await fromAlice.StartAsync(bobId, bundle.Verify(), now, ct);
        var message = await fromAlice.EncryptAsync(bobId, "See you at six"u8.ToArray(), now, ct);

        // Bob: a refusal is a SignalException whose Error says what to do, and it has changed nothing.
        var toBob = new SessionCipher(
            new LocalDevice(bobId, bob, registrationId: 4711), bobStores, bobStores, bobStores, random);
        var plaintext = await toBob.DecryptAsync(aliceId, message.Type, message.Serialized, ct);

        Assert.Equal("See you at six", Encoding.UTF8.GetString(plaintext));
    }

    [Fact]
    public void A_sealed_envelope_tells_its_sender_to_its_recipient_alone()
    {
        var (now, random, message) = (DateTimeOffset.UnixEpoch, RandomSource.System, (byte[])[1, 2, 3]);
        var (aliceId, bobId) = (ServiceId.OfAccount(Guid.CreateVersion7()), ServiceId.OfAccount(Guid.CreateVersion7()));

        // The service: a trust root, whose public key is built into every app, and a server's key under it.
        using var root = PrivateKey.Generate(random);
        using var serverKey = PrivateKey.Generate(random);
        var server = ServerCertificate.Issue(keyId: 1, serverKey.PublicKey, root, random);
        using var alice = PrivateKey.Generate(random);
        using var bob = PrivateKey.Generate(random);
        var expires = (ulong)now.AddDays(1).ToUnixTimeMilliseconds();
        var certificate = SenderCertificate.Issue(aliceId, 1, alice.PublicKey, expires, server, serverKey, random);

        // Alice: what goes in is a message of her session with Bob; the server sees neither her name nor what kind it is.
        var content = new SealedContent(CiphertextType.Message, certificate, message, ContentHint.Resendable);
        var envelope = SealedEnvelope.Seal(content, bob.PublicKey, alice, random);

        // Bob: reads who sent it, and goes on with the message in the session with that device.
        var opened = SealedEnvelope.Open(
            envelope, bob, new ProtocolAddress(bobId, 1), [root.PublicKey], (ulong)now.ToUnixTimeMilliseconds());
        var (sender, inner) = (opened.Sender.Sender, opened.Message);

        Assert.Equal(new ProtocolAddress(aliceId, 1), sender);
        Assert.Equal(message, inner.ToArray());
    }

    [Fact]
    public async Task A_group_message_is_encrypted_once_for_all_members()
    {
        var (ct, random) = (Ct, RandomSource.System);
        var alice = new ProtocolAddress(ServiceId.OfAccount(Guid.CreateVersion7()), 1);

        // Alice: her key for the group goes to each member in their session; a message is then encrypted once for all of them.
        var group = new Guid(RandomNumberGenerator.GetBytes(16));
        var aliceGroups = new GroupCipher(new InMemorySenderKeyStore(), random);
        using var given = await aliceGroups.DistributeAsync(alice, group, ct);
        var distribution = given.Serialize();
        var message = await aliceGroups.EncryptAsync(alice, group, "See you all at six"u8.ToArray(), ct);

        // Bob: takes the key in once, and reads in any order. When somebody leaves, Alice takes another id and gives a key to the others.
        var bobGroups = new GroupCipher(new InMemorySenderKeyStore(), random);
        using var received = SenderKeyDistributionMessage.Parse(distribution);
        await bobGroups.ProcessAsync(alice, received, ct);
        var plaintext = await bobGroups.DecryptAsync(alice, message, ct);

        Assert.Equal("See you all at six", Encoding.UTF8.GetString(plaintext));
    }

    [Fact]
    public async Task Every_example_of_the_readme_is_code_that_ran()
    {
        var source = await File.ReadAllTextAsync(
            Path.Combine(Root, "tests", "SecureChat.Signal.Tests", "Examples", "ReadmeTests.cs"), Ct);
        var readme = await File.ReadAllTextAsync(Path.Combine(Root, "src", "SecureChat.Signal", "README.md"), Ct);
        var ran = string.Join('\n', source.Split('\n').Select(line => line.StartsWith(Indent, StringComparison.Ordinal) ? line[Indent.Length..] : line));
        var examples = readme.Split("```csharp\n").Skip(1).Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)]).ToList();

        Assert.Equal(3, examples.Count);
        Assert.All(examples, example => Assert.Contains(example, ran, StringComparison.Ordinal));
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }
}
