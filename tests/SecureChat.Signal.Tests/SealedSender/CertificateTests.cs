using SecureChat.Signal.Addresses;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.SealedSender;

public sealed class CertificateTests(LibsignalPeer peer)
{
    private readonly Service _service = new(new SeededRandom(1));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_official_client_accepts_our_certificates()
    {
        var alice = new Account(_service.Random, 3);
        var certificate = _service.CertificateOf(alice).Serialize();

        var judged = await peer.CallAsync(
            "validateCert",
            new { certificate, trustRoots = new[] { _service.Root.PublicKey.Serialize() }, now = Service.Now },
            Ct);

        Assert.True(judged.GetProperty("valid").GetBoolean());
        Assert.Equal(alice.Id.ToString(), judged.GetProperty("uuid").GetString());
        Assert.Equal(3, judged.GetProperty("device").GetInt32());
        Assert.Equal(Service.Expires, judged.GetProperty("expires").GetUInt64());
        Assert.Equal(alice.Identity.PublicKey.Serialize(), judged.Bytes("identityKey"));
        Assert.Equal(7, judged.GetProperty("serverKeyId").GetInt32());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("+14155550101")]
    public async Task We_accept_certificates_that_the_official_client_issues(string? e164)
    {
        var alice = new Account(_service.Random, 5);
        var serverCert = await peer.CallAsync(
            "serverCert",
            new { keyId = 1, key = _service.Key.PublicKey.Serialize(), trustRootPrivate = _service.Root.Serialize() },
            Ct);
        var issued = await peer.CallAsync(
            "senderCert",
            new
            {
                uuid = alice.Id.ToString(),
                e164,
                device = 5,
                identityKey = alice.Identity.PublicKey.Serialize(),
                expires = Service.Expires,
                serverCert = serverCert.Bytes("certificate"),
                serverPrivate = _service.Key.Serialize(),
            },
            Ct);

        var certificate = SenderCertificate.Parse(issued.Bytes("certificate"));

        Assert.True(certificate.IsValid([_service.Root.PublicKey], Service.Now));
        Assert.Equal(alice.Address, certificate.Sender);
        Assert.Equal(e164, certificate.E164);
        Assert.Equal(Service.Expires, certificate.Expires);
        Assert.Equal(alice.Identity.PublicKey, certificate.IdentityKey);
    }

    [Fact]
    public void A_certificate_is_good_until_it_expires_and_under_its_root_alone()
    {
        var certificate = _service.CertificateOf(new Account(_service.Random, 1));
        var (root, stranger) = (_service.Root.PublicKey, _service.Key.PublicKey);

        Assert.True(certificate.IsValid([root], Service.Expires));
        Assert.True(certificate.IsValid([stranger, root], Service.Now));
        Assert.False(certificate.IsValid([root], Service.Expires + 1));
        Assert.False(certificate.IsValid([stranger], Service.Now));
        Assert.False(certificate.IsValid([], Service.Now));
    }

    [Fact]
    public void A_certificate_signed_by_another_key_than_the_servers_is_refused()
    {
        var alice = new Account(_service.Random, 1);
        var forged = SenderCertificate.Issue(
            alice.Id, 1, alice.Identity.PublicKey, Service.Expires, _service.Certificate, alice.Identity, _service.Random);

        Assert.False(forged.IsValid([_service.Root.PublicKey], Service.Now));
    }

    [Fact]
    public void Every_flipped_bit_of_a_certificate_is_noticed()
    {
        var serialized = _service.CertificateOf(new Account(_service.Random, 1)).Serialize();

        foreach (var changed in Bits.Flips(serialized).Concat(Bits.Prefixes(serialized)))
        {
            Assert.False(IsAccepted(changed));
        }
    }

    [Fact]
    public void A_revoked_key_of_the_server_signs_nothing()
    {
        var content = new ProtoWriter().UInt(1, 0xDEADC357).Bytes(2, _service.Key.PublicKey.Serialized).ToArray();
        var revoked = ServerCertificate.Parse(new ProtoWriter()
            .Bytes(1, content).Bytes(2, _service.Root.Sign(content, _service.Random)).ToArray());

        Assert.False(revoked.IsSignedBy(_service.Root.PublicKey));
        Assert.Throws<ArgumentOutOfRangeException>(() => ServerCertificate.Issue(
            0xDEADC357, _service.Key.PublicKey, _service.Root, _service.Random));
    }

    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000001", true)]
    [InlineData("PNI:00000000-0000-0000-0000-000000000001", true)]
    [InlineData("pni:00000000-0000-0000-0000-000000000001", false)]
    [InlineData("00000000000000000000000000000001", false)]
    [InlineData("00000000-0000-0000-+000-000000000001", false)]
    [InlineData("00000000-0x00-0000-0000-000000000001", false)]
    [InlineData("+14155550101", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void A_service_id_has_two_forms_in_text_and_one_in_bytes(string? text, bool valid)
    {
        Assert.Equal(valid, ServiceId.TryParse(text, out var id));

        if (valid)
        {
            Assert.Equal(text, id.ToString());
            Assert.True(ServiceId.TryParse(id.ToBinary(), out var again));
            Assert.Equal(id, again);
            Assert.Equal(1, id.ToBinary()[^1]);
        }
    }

    private bool IsAccepted(byte[] serialized)
    {
        try
        {
            return SenderCertificate.Parse(serialized).IsValid([_service.Root.PublicKey], Service.Now);
        }
        catch (SignalException)
        {
            return false;
        }
    }
}
