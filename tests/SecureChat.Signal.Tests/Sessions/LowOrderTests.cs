using System.Numerics;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Points of low order in every place where a session takes a key, and one that has such a point added.</summary>
public sealed class LowOrderTests : IDisposable
{
    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;

    private readonly SeededRandom _random = new(71);
    private readonly Device _alice;
    private readonly Device _bob;

    public LowOrderTests() => (_alice, _bob) = (new Device(_random), new Device(_random, 3));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public void A_point_of_low_order_is_of_no_use_wherever_a_key_is_taken(string hex)
    {
        var low = LowOrder.Key(hex);
        using var identity = PrivateKey.Generate(_random);

        Assert.False(low.IsCanonical());
        Assert.Equal(SignalError.InvalidKey, Assert.Throws<SignalException>(() => identity.Agree(low)).Error);
        Assert.Equal(
            SignalError.InvalidKey,
            Assert.Throws<SignalException>(() => ProvisioningCipher.Encrypt(low, [1], _random)).Error);
        var bundle = _bob.Bundle(oneTime: true);
        var refusal = Assert.Throws<SignalException>(() => (bundle with { IdentityKey = low }).Verify());
        Assert.Equal(SignalError.InvalidSignature, refusal.Error);
    }

    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public async Task A_key_of_low_order_starts_no_session_in_either_role(string hex)
    {
        var low = LowOrder.Key(hex);
        var bundle = _bob.Bundle(oneTime: true);
        var signature = _bob.Self.Identity.PrivateKey.Sign(low.Serialized, _random);
        PreKeyBundle[] bundles =
        [
            bundle with { SignedPreKey = new PublishedPreKey(1, low), SignedPreKeySignature = signature },
            bundle with { OneTimePreKey = new PublishedPreKey(1, low) },
        ];
        foreach (var poisoned in bundles)
        {
            var refusal = await Assert.ThrowsAsync<SignalException>(async () =>
                await _alice.Cipher.StartAsync(_bob.Address, poisoned.Verify(), _alice.Now, Ct));
            Assert.Equal(SignalError.InvalidKey, refusal.Error);
        }

        await _alice.StartAsync(_bob);
        var opening = PreKeySignalMessage.Parse((await _alice.EncryptAsync(_bob.Address, [1])).Serialized.Span);
        var before = StoredState.Of(_bob.Stores);
        foreach (var header in new[] { opening.Header with { BaseKey = low }, opening.Header with { IdentityKey = low } })
        {
            Assert.Equal(SignalError.InvalidMessage, await RefusalAsync(header, opening.Message));
        }

        Assert.Equal(before, StoredState.Of(_bob.Stores));
    }

    /// <summary>By Bob himself, who knows all that the keys of his message are derived from.</summary>
    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public async Task A_ratchet_key_of_low_order_is_refused_in_a_message_that_fits_it(string hex)
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        using var recordOfAlice = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        using var recordOfBob = SessionRecord.Parse(await _bob.StoredAsync(_alice.Address));
        var (alice, bob) = (recordOfAlice.Current!, recordOfBob.Current!);
        using var honest = PrivateKey.Generate(_random);
        var before = StoredState.Of(_alice.Stores);

        var refusal = await _alice.RefusalAsync(_bob.Address, Message(LowOrder.Key(hex), LowOrder.Secret()));

        Assert.Equal(SignalError.InvalidMessage, refusal);
        Assert.Equal(before, StoredState.Of(_alice.Stores));
        Assert.Equal([7], await _alice.DecryptAsync(_bob.Address, Message(honest.PublicKey, alice.Sending.Agree(honest.PublicKey))));

        SessionMessage Message(PublicKey ratchetKey, byte[] agreed)
        {
            var (_, chain) = RatchetKdf.Root(alice.RootKey, agreed);
            var postQuantum = bob.PostQuantum.Send(_random);
            using var keys = MessageKeys.Derive(RatchetKdf.Seed(chain), postQuantum.Key);
            var message = SignalMessage.Seal(
                new MessageHeader(ratchetKey, 0, 0), keys, [7], postQuantum.Message, [],
                (_bob.Self.Identity.PublicKey, _alice.Self.Identity.PublicKey));
            return new SessionMessage(CiphertextType.Message, message.Serialize());
        }
    }

    /// <summary>Private keys are multiples of eight: the sum agrees on the same secrets, and would only give the session another name.</summary>
    [Fact]
    public async Task A_base_key_with_a_point_of_low_order_added_does_not_open_its_session_a_second_time()
    {
        await _alice.StartAsync(_bob, oneTime: false);
        var genuine = await _alice.EncryptAsync(_bob.Address, [1]);
        await _bob.DecryptAsync(_alice.Address, genuine);
        var opening = PreKeySignalMessage.Parse(genuine.Serialized.Span);
        var (baseKey, mixed) = (opening.Header.BaseKey, WithPointOfOrderTwo(opening.Header.BaseKey));
        var before = StoredState.Of(_bob.Stores);

        var refusal = await RefusalAsync(opening.Header with { BaseKey = mixed }, opening.Message);

        Assert.Equal(SignalError.InvalidMessage, refusal);
        Assert.Equal(before, StoredState.Of(_bob.Stores));
        Assert.NotEqual(baseKey, mixed);
        Assert.Equal(_bob.Signed.PrivateKey.Agree(baseKey), _bob.Signed.PrivateKey.Agree(mixed));
    }

    private async Task<SignalError> RefusalAsync(HandshakeHeader header, SignalMessage message) => await _bob.RefusalAsync(
        _alice.Address, new SessionMessage(CiphertextType.PreKeyMessage, new PreKeySignalMessage(header, message).Serialize()));

    /// <summary>The sum of a point with the coordinate u and the point of order two has the coordinate 1 / u.</summary>
    private static PublicKey WithPointOfOrderTwo(PublicKey key)
    {
        var bytes = new byte[PublicKey.SerializedSize - 1];
        BigInteger.ModPow(new BigInteger(key.Raw, isUnsigned: true), Prime - 2, Prime).TryWriteBytes(bytes, out _, isUnsigned: true);
        return PublicKey.FromRaw(bytes);
    }
}
