using SecureChat.Protocol.Senders;
using SecureChat.Server.Hosting;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Tests.Senders;

/// <summary>Certificates for sealed messages, from the offline root to the device.</summary>
public sealed class SenderCertificateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("securechat-keys-").FullName;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Root => Path.Combine(_folder, "root.key");

    [Fact]
    public async Task A_device_gets_a_certificate_of_at_most_a_day_that_its_root_vouches_for()
    {
        await using var node = await Node.StartAsync();
        using var alice = await Member.SignUpAsync(node, "alice@chat.example");

        var answer = await (await alice.Http.GetAsync(Certificate, Ct)).ReadAsync<DeliveryCertificate>();

        var certificate = SenderCertificate.Parse(answer.Certificate);
        var now = node.Clock.GetUtcNow();
        PublicKey[] roots = [node.Get<SenderSigner>().Root];
        Assert.Equal(new ProtocolAddress(ServiceId.OfAccount(alice.Account), 1), certificate.Sender);
        Assert.Equal(alice.Person.IdentityKey, certificate.IdentityKey.Serialize());
        Assert.Null(certificate.E164);
        Assert.Equal((ulong)answer.Expires * 1000, certificate.Expires);
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(answer.Expires) - now, TimeSpan.FromHours(23), TimeSpan.FromHours(24));
        Assert.True(certificate.IsValid(roots, (ulong)now.ToUnixTimeMilliseconds()));
        Assert.False(certificate.IsValid(roots, (ulong)(now + TimeSpan.FromHours(25)).ToUnixTimeMilliseconds()));
        Assert.False(certificate.IsValid([certificate.IdentityKey], (ulong)now.ToUnixTimeMilliseconds()));
    }

    [Fact]
    public async Task A_key_certified_by_an_offline_root_takes_over_and_the_clients_root_stays()
    {
        Assert.Equal(0, CommandLine.Run(["keys", "root", Root], KeysCommand.Create()));
        var (first, second) = (Path.Combine(_folder, "one"), Path.Combine(_folder, "two"));
        Assert.Equal(0, CommandLine.Run(["keys", "certify", "--root", Root, "--id", "7", first], KeysCommand.Create()));
        Assert.Equal(0, CommandLine.Run(["keys", "certify", "--root", Root, "--id", "8", second], KeysCommand.Create()));
        using var root = PrivateKey.Parse(Convert.FromBase64String((await File.ReadAllTextAsync(Root, Ct)).Trim()));

        foreach (var (file, id) in new[] { (first, 7u), (second, 8u) })
        {
            await using var node = await Node.StartAsync(("Secrets:SenderKey", (await File.ReadAllTextAsync(file, Ct)).Trim()));
            using var alice = await Member.SignUpAsync(node, "alice@chat.example");
            var answer = await (await alice.Http.GetAsync(Certificate, Ct)).ReadAsync<DeliveryCertificate>();
            var certificate = SenderCertificate.Parse(answer.Certificate);

            Assert.Equal(id, certificate.Server.KeyId);
            var published = await (await node.Http.GetAsync(new Uri("/v1/senders/root", UriKind.Relative), Ct)).ReadAsync<SenderRoot>();
            Assert.Equal(root.PublicKey.Serialize(), published.PublicKey);
            Assert.True(certificate.IsValid([root.PublicKey], (ulong)node.Clock.GetUtcNow().ToUnixTimeMilliseconds()));
        }
    }

    [Fact]
    public void A_key_is_never_overwritten_and_a_damaged_one_is_refused_by_name()
    {
        File.WriteAllText(Root, "not a key");
        Assert.Equal(2, CommandLine.Run(["keys", "root", Root], KeysCommand.Create()));
        Assert.Equal("not a key", File.ReadAllText(Root));

        var failure = Assert.Throws<SettingsException>(() => SenderSigner.Load(new SecretsOptions { SenderKey = "bm8=" }, _folder));

        Assert.Contains("Secrets:SenderKey", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("bm8=", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_keys_of_a_first_start_are_the_owners_alone_and_stay()
    {
        using var made = SenderSigner.Load(new SecretsOptions(), _folder);
        using var kept = SenderSigner.Load(new SecretsOptions(), _folder);

        Assert.Equal(made.Certificate.Serialize(), kept.Certificate.Serialize());
        Assert.Equal((true, false), (made.IsRootNew, kept.IsRootNew));
        Assert.Equal(made.Root, kept.Root);
        foreach (var file in new[] { SenderSigner.FileName, SenderSigner.RootFileName })
        {
            OwnerOnly.Check(Path.Combine(_folder, file));
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly Uri Certificate = new("/v1/senders/certificate", UriKind.Relative);
}
