using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>How long envelopes are, whatever is in them.</summary>
public sealed class EnvelopeSizeTests(LibsignalPeer peer)
{
    private const int SmallestPadding = 5;

    private readonly Service _service = new(new SeededRandom(1));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void An_envelope_has_the_smallest_of_six_sizes_that_there_is_room_in(int version)
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        var sizes = SealedEnvelope.Sizes.ToArray();
        for (var i = 0; i < sizes.Length; i++)
        {
            var most = Longest(sizes[i]);

            Assert.Equal(sizes[i], Seal(most).Length);
            Assert.Equal(i + 1 < sizes.Length ? sizes[i + 1] : sizes[i] - SmallestPadding + 1, Seal(most + 1).Length);
            Assert.All(new[] { most, most + 1 }, length => Assert.Equal(
                length, SealedEnvelope.OpenUnjudged(Seal(length), bob.Identity).Message.Length));
        }

        Assert.Equal(sizes[0], Seal(0).Length);

        // Of a message with as long a length in front; one that fits no size is not padded, and shows what is around it.
        int Longest(int size) => size - SmallestPadding - (Seal(100_000).Length - 100_000)
            + (size < 1 << 14 ? version == 1 ? 2 : 1 : 0);

        byte[] Seal(int length) => SealFor(
            bob.Id, bob.Identity.PublicKey, new SealedContent(CiphertextType.Message, _service.CertificateOf(alice), new byte[length]), alice, version);
    }

    /// <summary>From 16,384 bytes on the message's length takes three bytes. None of the six sizes is near that; another one may be.</summary>
    [Fact]
    public void There_is_as_much_room_as_can_be_where_the_length_takes_a_byte_more()
    {
        var (alice, bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        foreach (var size in Enumerable.Range(16_466, 4))
        {
            var room = SealedSenderV1.RoomIn(size);

            Assert.InRange(Sealed(room), size - 1, size);
            Assert.True(Sealed(room + 1) > size);
        }

        int Sealed(int length) =>
            SealedSenderV1.Seal(new byte[length], bob.Identity.PublicKey, alice.Identity, _service.Random).Length;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_official_client_passes_over_padding_of_any_length(int version)
    {
        var alice = new Account(_service.Random, 1);
        var bob = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 2, Ct);
        Assert.True(ServiceId.TryParse(bob.Name, out var id));
        foreach (var length in Enumerable.Range(600, 220).Concat([2000, 3000, 10_000, 50_000, 80_000, 100_000]))
        {
            var message = _service.Random.Bytes(length);
            var content = new SealedContent(CiphertextType.Message, _service.CertificateOf(alice), message, ContentHint.Resendable);

            var ciphertext = SealFor(id, PublicKey.Parse(bob.IdentityKey), content, alice, version);
            var opened = await peer.CallAsync("sealedToUsmc", new { party = bob.Id, ciphertext }, Ct);

            Assert.Equal(message, opened.Bytes("content"));
            Assert.Equal(alice.Id.ToString(), opened.GetProperty("senderUuid").GetString());
        }
    }

    private byte[] SealFor(ServiceId recipient, PublicKey key, SealedContent content, Account sender, int version)
    {
        if (version == 1)
        {
            return SealedEnvelope.Seal(content, key, sender.Identity, _service.Random);
        }

        var message = MultiRecipientMessage.Parse(MultiRecipientMessage.Seal(
            content, [new MultiRecipient(recipient, key, [new RecipientDevice(1, 1)])], [], sender.Identity, _service.Random));
        return message.EnvelopeFor(message.Recipients[0]);
    }
}
