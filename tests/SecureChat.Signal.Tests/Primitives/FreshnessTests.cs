using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Media;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Primitives;

/// <summary>What has to be drawn each time is drawn, and ends up where it belongs.</summary>
public sealed class FreshnessTests
{
    private readonly Recorder _random = new();

    [Fact]
    public void A_signature_hashes_64_drawn_bytes_into_its_nonce()
    {
        using var key = PrivateKey.Generate(_random);
        _random.Drawn.Clear();

        var (first, second) = (key.Sign([1], _random), key.Sign([1], _random));

        Assert.Equal([64, 64], _random.Drawn.Select(bytes => bytes.Length));
        Assert.NotEqual(first[..32], second[..32]);
        Assert.NotEqual(key.Sign([1], new SeededRandom(1))[..32], key.Sign([2], new SeededRandom(1))[..32]);
    }

    [Fact]
    public void A_provisioning_message_carries_a_drawn_initialisation_vector()
    {
        using var device = PrivateKey.Generate(_random);

        var envelope = ProvisioningCipher.Encrypt(device.PublicKey, [1], _random);

        var body = Field(envelope, 2);
        Assert.Equal(_random.Drawn[^1], body[1..17]);
        Assert.NotEqual(new byte[16], body[1..17]);
    }

    [Fact]
    public void A_username_link_has_a_drawn_key_and_initialisation_vector()
    {
        var link = UsernameLink.Create(Username.Parse("alice.42"), _random);

        Assert.Equal([32, 16], _random.Drawn.Select(bytes => bytes.Length));
        Assert.Equal(_random.Drawn[0], link.Entropy.ToArray());
        Assert.Equal(_random.Drawn[1], link.EncryptedUsername[..16].ToArray());
    }

    [Fact]
    public void Two_envelopes_of_one_content_have_nothing_in_common()
    {
        using var root = PrivateKey.Generate(_random);
        using var sender = PrivateKey.Generate(_random);
        using var recipient = PrivateKey.Generate(_random);
        var server = ServerCertificate.Issue(1, root.PublicKey, root, _random);
        var certificate = SenderCertificate.Issue(
            ServiceId.OfAccount(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)), 1, sender.PublicKey, ulong.MaxValue, server, root, _random);
        var content = new SealedContent(CiphertextType.PlaintextContent, certificate, new byte[50]);
        byte[] Seal() => MultiRecipientMessage.Seal(
            content, [new MultiRecipient(ServiceId.OfAccount(Guid.Empty), recipient.PublicKey, [new RecipientDevice(1, 1)])], [], sender, _random);

        var (first, second) = (Seal(), Seal());

        // Version, counts, account, device and registration id are the same; of what follows every word is another.
        Assert.Equal(first.Length, second.Length);
        var differing = first.Zip(second).SkipWhile(pair => pair.First == pair.Second).ToList();
        Assert.InRange(differing.Count(pair => pair.First == pair.Second), 0, differing.Count / 20);
        Assert.True(differing.Count > 200);
    }

    [Fact]
    public void A_media_key_is_32_drawn_bytes() => Assert.Equal(MediaEncryption.NewKey(_random), _random.Drawn.Single());

    private static byte[] Field(byte[] message, int field)
    {
        var reader = new ProtoReader(message);
        while (reader.Next())
        {
            if (reader.Field == field)
            {
                return reader.Bytes().ToArray();
            }

            reader.Bytes();
        }

        throw new InvalidOperationException("The field is not there.");
    }

    private sealed class Recorder : RandomSource
    {
        private readonly SeededRandom _random = new(51);

        public List<byte[]> Drawn { get; } = [];

        public override void Fill(Span<byte> bytes)
        {
            _random.Fill(bytes);
            Drawn.Add(bytes.ToArray());
        }
    }
}
