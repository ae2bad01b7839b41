using SecureChat.Signal.Addresses;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>Which fields a certificate must have, and how far they may go.</summary>
public sealed class CertificateFieldTests
{
    private readonly Service _service = new(new SeededRandom(21));

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(7, false)]
    public void A_certificate_without_one_of_its_fields_is_none(int left, bool isGood)
    {
        var alice = new Account(_service.Random, 1);
        var content = new ProtoWriter();
        if (left != 2)
        {
            content.UInt(2, 1);
        }

        if (left != 3)
        {
            content.Fixed64(3, Service.Expires);
        }

        if (left != 4)
        {
            content.Bytes(4, alice.Identity.PublicKey.Serialized);
        }

        if (left != 5)
        {
            content.Bytes(5, _service.Certificate.Serialize());
        }

        if (left != 7)
        {
            content.Bytes(7, alice.Id.Uuid.ToByteArray(bigEndian: true));
        }

        Assert.Equal(isGood, IsGood(Signed(content.ToArray())));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(ProtocolAddress.MaxDeviceId, true)]
    [InlineData(ProtocolAddress.MaxDeviceId + 1, false)]
    [InlineData(0, false)]
    public void A_device_has_a_number_that_devices_have(int device, bool isGood)
    {
        var alice = new Account(_service.Random, 1);
        var content = new ProtoWriter()
            .UInt(2, (ulong)device)
            .Fixed64(3, Service.Expires)
            .Bytes(4, alice.Identity.PublicKey.Serialized)
            .Bytes(5, _service.Certificate.Serialize())
            .Bytes(7, alice.Id.Uuid.ToByteArray(bigEndian: true));

        Assert.Equal(isGood, IsGood(Signed(content.ToArray())));
    }

    [Fact]
    public void Content_and_a_whole_signature_make_a_certificate_and_nothing_less_does()
    {
        var whole = _service.CertificateOf(new Account(_service.Random, 1)).Serialize();
        var (content, signature) = (new byte[10], new byte[64]);

        Assert.True(IsGood(whole));
        Assert.False(IsGood([.. whole, 0x0A]));
        Assert.False(IsGood(new ProtoWriter().Bytes(1, content).ToArray()));
        Assert.False(IsGood(new ProtoWriter().Bytes(2, signature).ToArray()));
        Assert.False(IsGood(new ProtoWriter().Bytes(1, SignedContent(whole)).Bytes(2, signature.AsSpan(0, 63)).ToArray()));
        Assert.True(IsGood(new ProtoWriter().Bytes(1, SignedContent(whole)).Bytes(2, signature).ToArray()));
    }

    [Fact]
    public void A_root_that_is_named_twice_counts()
    {
        var certificate = _service.CertificateOf(new Account(_service.Random, 1));
        var root = _service.Root.PublicKey;

        Assert.True(certificate.IsValid([root, root], Service.Now));
    }

    [Fact]
    public void A_certificate_can_be_of_the_other_kind_of_id()
    {
        Assert.True(ServiceId.TryParse("PNI:00000000-0000-0000-0000-000000000001", out var id));
        var alice = new Account(_service.Random, 1);

        var certificate = SenderCertificate.Issue(id, 1, alice.Identity.PublicKey, Service.Expires, _service.Certificate, _service.Key, _service.Random);

        Assert.Equal(new ProtocolAddress(id, 1), certificate.Sender);
        Assert.True(certificate.IsValid([_service.Root.PublicKey], Service.Now));
    }

    private static byte[] SignedContent(byte[] certificate)
    {
        var reader = new ProtoReader(certificate);
        Assert.True(reader.Next());
        return reader.Bytes().ToArray();
    }

    private byte[] Signed(byte[] content) =>
        new ProtoWriter().Bytes(1, content).Bytes(2, _service.Key.Sign(content, _service.Random)).ToArray();

    private static bool IsGood(byte[] serialized)
    {
        try
        {
            SenderCertificate.Parse(serialized);
            return true;
        }
        catch (SignalException e)
        {
            Assert.Equal(SignalError.InvalidCertificate, e.Error);
            return false;
        }
    }
}
