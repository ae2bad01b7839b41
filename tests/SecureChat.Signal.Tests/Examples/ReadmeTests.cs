using System.Text;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal.Tests.Examples;

/// <summary>The library's README shows what is between the marks of this file, which is compiled and run here.</summary>
public sealed class ReadmeTests
{
    private static readonly string Root = FindRoot();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_devices_start_a_session_and_talk()
    {
        var (ct, now) = (Ct, DateTimeOffset.UnixEpoch);

        // example: session
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
        var bundle = new PreKeyBundle
        {
            RegistrationId = 4711,
            IdentityKey = bob.PublicKey,
            SignedPreKey = new PublishedPreKey(signed.Id, signed.PrivateKey.PublicKey),
            SignedPreKeySignature = signed.Signature,
            OneTimePreKey = new PublishedPreKey(oneTime.Id, oneTime.PrivateKey.PublicKey),
            KyberPreKeyId = kyber.Id,
            KyberPreKey = kyber.KeyPair.PublicKey,
            KyberPreKeySignature = kyber.Signature,
        };

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
        // end

        Assert.Equal("See you at six", Encoding.UTF8.GetString(plaintext));
    }

    [Fact]
    public async Task The_readme_shows_exactly_the_code_that_ran()
    {
        var source = await File.ReadAllTextAsync(
            Path.Combine(Root, "tests", "SecureChat.Signal.Tests", "Examples", "ReadmeTests.cs"), Ct);
        var readme = await File.ReadAllTextAsync(Path.Combine(Root, "src", "SecureChat.Signal", "README.md"), Ct);
        var lines = source.Split('\n')
            .SkipWhile(line => !line.Contains("// example: session", StringComparison.Ordinal))
            .Skip(1)
            .TakeWhile(line => !line.Contains("// end", StringComparison.Ordinal))
            .Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line);

        Assert.Contains(string.Join('\n', lines), readme, StringComparison.Ordinal);
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
