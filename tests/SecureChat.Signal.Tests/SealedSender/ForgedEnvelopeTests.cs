using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.SealedSender;

/// <summary>Envelopes by somebody who knows the format and gets one thing wrong on purpose, each next to the right one.</summary>
public sealed class ForgedEnvelopeTests : IDisposable
{
    private readonly Service _service = new(new SeededRandom(61));
    private readonly Account _alice;
    private readonly Account _bob;
    private readonly byte[] _content;
    private readonly PrivateKey _ephemeral;

    public ForgedEnvelopeTests()
    {
        (_alice, _bob) = (new Account(_service.Random, 1), new Account(_service.Random, 1));
        _content = new SealedContent(CiphertextType.Message, _service.CertificateOf(_alice), new byte[] { 1, 2, 3 }).Serialize();
        _ephemeral = PrivateKey.Generate(_service.Random);
    }

    public void Dispose() => _ephemeral.Dispose();

    [Fact]
    public void The_first_version_names_its_sender_by_a_whole_key_behind_a_whole_MAC()
    {
        Assert.Equal([1, 2, 3], Opened(First(_alice.Identity.PublicKey.Serialize())));
        AssertRefused(First([0x06, .. new byte[32]]));
        AssertRefused(First([]));
        AssertRefused(First(_alice.Identity.PublicKey.Serialize(), cut: 5));
    }

    [Fact]
    public void The_first_version_is_refused_when_only_a_MAC_is_wrong()
    {
        var envelope = First(_alice.Identity.PublicKey.Serialize());
        envelope[^1] ^= 1;

        AssertRefused(envelope);
    }

    [Fact]
    public void The_second_version_is_refused_at_every_size_that_is_too_small_for_its_parts()
    {
        var envelope = Second(ownEphemeral: true);

        Assert.Equal([1, 2, 3], SealedSenderV2.Open(envelope, _bob.Identity).Message.ToArray());
        foreach (var prefix in Bits.Prefixes(envelope[..(32 + 16 + 32 + AesGcmSiv.TagSize + 1)]))
        {
            Assert.Equal(
                SignalError.InvalidMessage, Assert.Throws<SignalException>(() => SealedSenderV2.Open(prefix, _bob.Identity)).Error);
        }
    }

    [Fact]
    public void The_second_version_is_refused_under_a_one_time_key_that_does_not_follow_from_its_seed() => Assert.Equal(
        SignalError.InvalidMessage,
        Assert.Throws<SignalException>(() => SealedSenderV2.Open(Second(ownEphemeral: false), _bob.Identity)).Error);

    /// <summary>The first version's by Alice herself, with all the rest made to fit it; the second cannot fit, as its key follows from its seed.</summary>
    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public void A_one_time_key_of_low_order_is_refused_by_both_versions(string hex)
    {
        var (low, second) = (LowOrder.Key(hex), Second(ownEphemeral: true));
        low.Raw.CopyTo(second.AsSpan(SealedSenderV2.WrappedKeySize + SealedSenderV2.TagSize));

        var first = Assert.Throws<SignalException>(() => Opened(First(_alice.Identity.PublicKey.Serialize(), low: low)));

        Assert.Equal(LowOrder.Refusal(low), first.Error);
        Assert.Equal(
            SignalError.InvalidKey, Assert.Throws<SignalException>(() => SealedSenderV2.Open(second, _bob.Identity)).Error);
    }

    private static byte[] Opened(byte[] envelope, Account bob) => SealedSenderV1.Open(envelope, bob.Identity).Message.ToArray();

    private byte[] Opened(byte[] envelope) => Opened(envelope, _bob);

    private void AssertRefused(byte[] envelope) =>
        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => Opened(envelope)).Error);

    /// <summary>docs/protocol/sealed-sender.md: version 1, under the one-time key or under one of low order.</summary>
    private byte[] First(byte[] sender, int? cut = null, PublicKey? low = null)
    {
        var ephemeral = low ?? _ephemeral.PublicKey;
        byte[] salt = [.. "UnidentifiedDelivery"u8, .. _bob.Identity.PublicKey.Serialize(), .. ephemeral.Serialize()];
        var outer = Hkdf.Derive(salt, low is null ? _ephemeral.Agree(_bob.Identity.PublicKey) : LowOrder.Secret(), [], 96);
        var encryptedStatic = Encrypted(outer[32..64], outer[64..], sender);
        encryptedStatic = encryptedStatic[..(cut ?? encryptedStatic.Length)];
        var inner = Hkdf.Derive([.. outer[..32], .. encryptedStatic], _alice.Identity.Agree(_bob.Identity.PublicKey), [], 96);
        return new ProtoWriter()
            .Bytes(1, ephemeral.Serialize())
            .Bytes(2, encryptedStatic)
            .Bytes(3, Encrypted(inner[32..64], inner[64..], _content))
            .ToArray();
    }

    private static byte[] Encrypted(byte[] cipherKey, byte[] macKey, byte[] plaintext)
    {
        var ciphertext = AesCtr.Apply(cipherKey, plaintext);
        return [.. ciphertext, .. HMACSHA256.HashData(macKey, ciphertext).AsSpan(0, 10)];
    }

    /// <summary>docs/protocol/sealed-sender.md: version 2, under the one-time key that follows from the seed, or under another.</summary>
    private byte[] Second(bool ownEphemeral)
    {
        var seed = _service.Random.Bytes(32);
        using var own = PrivateKey.Parse(Hkdf.Derive([], seed, "Sealed Sender v2: r (2023-08)"u8, 32));
        var ephemeral = ownEphemeral ? own : _ephemeral;
        var bob = _bob.Identity.PublicKey;
        byte[] ends = [.. ephemeral.PublicKey.Serialize(), .. bob.Serialize()];
        var mask = Hkdf.Derive([], [.. ephemeral.Agree(bob), .. ends], "Sealed Sender v2: DH"u8, 32);
        byte[] wrapped = [.. seed.Zip(mask, (left, right) => (byte)(left ^ right))];
        byte[] material =
        [
            .. _alice.Identity.Agree(bob), .. ephemeral.PublicKey.Serialize(), .. wrapped, .. _alice.Identity.PublicKey.Serialize(),
            .. bob.Serialize(),
        ];
        var tag = Hkdf.Derive([], material, "Sealed Sender v2: DH-sender"u8, 16);
        var key = Hkdf.Derive([], seed, "Sealed Sender v2: K"u8, AesGcmSiv.KeySize);
        return
        [
            .. wrapped, .. tag, .. ephemeral.PublicKey.Serialize().AsSpan(1),
            .. AesGcmSiv.Encrypt(key, new byte[AesGcmSiv.NonceSize], _content, []),
        ];
    }
}
