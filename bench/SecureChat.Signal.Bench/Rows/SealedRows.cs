using BenchmarkDotNet.Attributes;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Bench.Rows;

/// <summary>Sealing an encrypted message of 1 KB, and opening it with the sender's certificate judged.</summary>
public class SealedRows
{
    private const int Envelopes = 256;
    private const ulong Now = 1_800_000_000_000;

    private readonly BenchDevice _alice = new();
    private readonly BenchDevice[] _recipients = [.. Enumerable.Range(0, 6).Select(_ => new BenchDevice())];
    private PublicKey[] _roots = [];
    private SealedContent _content = null!;
    private byte[] _sealedV1 = [];
    private byte[] _sealedV2 = [];

    private BenchDevice Bob => _recipients[0];

    private PrivateKey AliceKey => _alice.Self.Identity.PrivateKey;

    [GlobalSetup]
    public async Task IssueCertificatesAsync()
    {
        foreach (var recipient in _recipients)
        {
            await _alice.MeetAsync(recipient);
        }

        var (root, key) = (PrivateKey.Generate(RandomSource.System), PrivateKey.Generate(RandomSource.System));
        _roots = [root.PublicKey];
        var server = ServerCertificate.Issue(1, key.PublicKey, root, RandomSource.System);
        var sender = SenderCertificate.Issue(
            AccountOf(_alice.Address), 1, _alice.Self.Identity.PublicKey, Now + 1000, server, key, RandomSource.System);
        var message = await _alice.EncryptAsync(Bob.Address, new byte[1024]);
        _content = new SealedContent(message.Type, sender, message.Serialized);
        _sealedV1 = SealedEnvelope.Seal(_content, Bob.Self.Identity.PublicKey, AliceKey, RandomSource.System);
        var sent = MultiRecipientMessage.Parse(await SealForAsync(1));
        _sealedV2 = sent.EnvelopeFor(sent.Recipients[0]);
    }

    [Benchmark(OperationsPerInvoke = Envelopes)]
    public async Task SealV1()
    {
        for (var i = 0; i < Envelopes; i++)
        {
            var key = await ((IIdentityStore)_alice.Stores).LoadAsync(Bob.Address, CancellationToken.None);
            SealedEnvelope.Seal(_content, key!, AliceKey, RandomSource.System);
        }
    }

    [Benchmark(OperationsPerInvoke = Envelopes)]
    public void OpenV1() => Open(_sealedV1);

    [Benchmark(OperationsPerInvoke = Envelopes)]
    public async Task SealV2For1()
    {
        for (var i = 0; i < Envelopes; i++)
        {
            await SealForAsync(1);
        }
    }

    [Benchmark(OperationsPerInvoke = Envelopes)]
    public async Task SealV2For6()
    {
        for (var i = 0; i < Envelopes; i++)
        {
            await SealForAsync(6);
        }
    }

    [Benchmark(OperationsPerInvoke = Envelopes)]
    public void OpenV2() => Open(_sealedV2);

    private void Open(byte[] envelope)
    {
        for (var i = 0; i < Envelopes; i++)
        {
            SealedEnvelope.Open(envelope, Bob.Self.Identity.PrivateKey, Bob.Address, _roots, Now);
        }
    }

    /// <summary>As the official client does it: what is said about each recipient comes out of its stored session.</summary>
    private async Task<byte[]> SealForAsync(int count)
    {
        var recipients = new MultiRecipient[count];
        for (var i = 0; i < count; i++)
        {
            var address = _recipients[i].Address;
            using var session = await ((ISessionStore)_alice.Stores).LoadAsync(address, CancellationToken.None);
            var identity = await ((IIdentityStore)_alice.Stores).LoadAsync(address, CancellationToken.None);
            recipients[i] = new MultiRecipient(
                AccountOf(address), identity!, [new RecipientDevice(address.DeviceId, (int)session!.RemoteRegistrationId!)]);
        }

        return MultiRecipientMessage.Seal(_content, recipients, [], AliceKey, RandomSource.System);
    }

    private static ServiceId AccountOf(ProtocolAddress address) => ServiceId.TryParse(address.Name, out var account)
        ? account
        : throw new BenchException("The address is of no account.");
}
