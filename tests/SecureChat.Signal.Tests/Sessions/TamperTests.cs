using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Whoever flips a bit gets a refusal, and has changed nothing.</summary>
public sealed class TamperTests : IDisposable
{
    private readonly SeededRandom _random = new(11);
    private readonly Device _alice;
    private readonly Device _bob;

    public TamperTests() => (_alice, _bob) = (new Device(_random), new Device(_random, 3));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task Every_flipped_bit_of_an_opening_message_is_refused()
    {
        await _alice.StartAsync(_bob);
        var message = await _alice.EncryptAsync(_bob.Address, [1, 2, 3]);

        await RefusesEveryFlipAsync(message);

        Assert.Equal([1, 2, 3], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Fact]
    public async Task Every_flipped_bit_of_an_opening_message_that_comes_again_is_refused()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var message = await _alice.EncryptAsync(_bob.Address, [1, 2, 3]);

        await RefusesEveryFlipAsync(message);

        Assert.Equal([1, 2, 3], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_flipped_bit_of_a_message_is_refused(bool newChain)
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, [2]));
        if (!newChain)
        {
            await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [3]));
        }

        var message = await _alice.EncryptAsync(_bob.Address, [1, 2, 3]);

        await RefusesEveryFlipAsync(message);

        Assert.Equal([1, 2, 3], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Fact]
    public async Task Every_shortened_message_is_refused()
    {
        await _alice.StartAsync(_bob);
        var message = await _alice.EncryptAsync(_bob.Address, [1]);

        for (var size = 0; size < message.Serialized.Length; size++)
        {
            await _bob.RefusalAsync(_alice.Address, message with { Serialized = message.Serialized[..size] });
        }

        var longer = message with { Serialized = (byte[])[.. message.Serialized.Span, 0] };
        Assert.Equal(SignalError.InvalidMessage, await _bob.RefusalAsync(_alice.Address, longer));
        Assert.Null(await _bob.StoredAsync(_alice.Address));
        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Fact]
    public async Task Every_flipped_bit_of_a_stored_record_is_noticed()
    {
        await _alice.StartAsync(_bob);
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, [2]));
        var stored = (await _alice.StoredAsync(_bob.Address))!;

        foreach (var flipped in Flips(stored))
        {
            Assert.Equal(
                SignalError.InvalidRecord, Assert.Throws<SignalException>(() => SessionRecord.Parse(flipped)).Error);
        }

        for (var size = 0; size < stored.Length; size++)
        {
            Assert.Throws<SignalException>(() => SessionRecord.Parse(stored.AsSpan(0, size)));
        }
    }

    [Fact]
    public void Every_flipped_bit_of_what_a_bundle_signs_is_refused()
    {
        var bundle = _bob.Bundle(oneTime: true);
        bundle.Verify();

        Refuses(bundle.IdentityKey.Serialize(), key => bundle with { IdentityKey = PublicKey.Parse(key) });
        Refuses(
            bundle.SignedPreKey.PublicKey.Serialize(),
            key => bundle with { SignedPreKey = bundle.SignedPreKey with { PublicKey = PublicKey.Parse(key) } });
        Refuses(bundle.SignedPreKeySignature.ToArray(), signature => bundle with { SignedPreKeySignature = signature });
        Refuses(bundle.KyberPreKey.Serialize(), key => bundle with { KyberPreKey = KyberPublicKey.Parse(key) });
        Refuses(bundle.KyberPreKeySignature.ToArray(), signature => bundle with { KyberPreKeySignature = signature });
        Assert.Throws<SignalException>(() => (bundle with { KyberPreKeySignature = bundle.SignedPreKeySignature }).Verify());
        Assert.Throws<SignalException>(() => (bundle with { KyberPreKeySignature = default }).Verify());
    }

    [Fact]
    public async Task Every_flipped_bit_of_what_a_bundle_does_not_sign_is_refused_by_one_of_the_two()
    {
        // Others beside it, so that a flipped number also names a key that is there.
        var bundles = Enumerable.Range(0, 4).Select(_ => _bob.Bundle(oneTime: true)).ToList();
        _bob.PublishSigned();
        var (bundle, oneTime, signed) = (bundles[0], bundles[0].OneTimePreKey!, bundles[0].SignedPreKey);
        var changes = new List<Func<PreKeyBundle>>();
        changes.AddRange(Bits.Flips(oneTime.PublicKey.Serialize()).Select(key => (Func<PreKeyBundle>)(
            () => bundle with { OneTimePreKey = oneTime with { PublicKey = PublicKey.Parse(key) } })));
        for (var bit = 1u; bit != 0; bit <<= 1)
        {
            var mask = bit;
            changes.Add(() => bundle with { OneTimePreKey = oneTime with { Id = oneTime.Id ^ mask } });
            changes.Add(() => bundle with { SignedPreKey = signed with { Id = signed.Id ^ mask } });
            changes.Add(() => bundle with { KyberPreKeyId = bundle.KyberPreKeyId ^ mask });
        }

        foreach (var change in changes)
        {
            Assert.True(await IsRefusedAsync(change));
        }

        Assert.True(await IsRefusedAsync(() => bundle with { OneTimePreKey = bundles[1].OneTimePreKey! with { Id = oneTime.Id } }));
        Assert.Equal((33 * 8) + (3 * 32), changes.Count);
        Assert.False(await IsRefusedAsync(() => bundle));
    }

    [Fact]
    public async Task The_registration_id_of_a_bundle_is_the_one_thing_that_nobody_proves()
    {
        for (var bit = 1u; bit != 0; bit <<= 1)
        {
            var bundle = _bob.Bundle(oneTime: true);
            Assert.False(await IsRefusedAsync(() => bundle with { RegistrationId = bundle.RegistrationId ^ bit }));
        }
    }

    private async Task RefusesEveryFlipAsync(SessionMessage message)
    {
        var before = StoredState.Of(_bob.Stores);
        foreach (var flipped in Flips(message.Serialized.ToArray()))
        {
            if (IsOnlyAnotherRegistrationId(message, flipped))
            {
                continue;
            }

            await _bob.RefusalAsync(_alice.Address, message with { Serialized = flipped });
            Assert.Equal(before, StoredState.Of(_bob.Stores));
        }
    }

    /// <summary>Whether the initiator refuses the bundle, or else the responder the first message, with nothing changed there.</summary>
    private async Task<bool> IsRefusedAsync(Func<PreKeyBundle> bundle)
    {
        var before = StoredState.Of(_bob.Stores);
        var cipher = _alice.CipherOn(new InMemoryStores());
        try
        {
            await cipher.StartAsync(_bob.Address, bundle().Verify(), _alice.Now, Ct);
        }
        catch (SignalException)
        {
            return true;
        }

        var message = await cipher.EncryptAsync(_bob.Address, (byte[])[1], _alice.Now, Ct);
        try
        {
            await _bob.DecryptAsync(_alice.Address, message);
            return false;
        }
        catch (SignalException)
        {
            Assert.Equal(before, StoredState.Of(_bob.Stores));
            return true;
        }
    }

    /// <summary>The one thing that the protocol lets nobody prove in a first message; a later one has to repeat it.</summary>
    private static bool IsOnlyAnotherRegistrationId(SessionMessage message, byte[] flipped)
    {
        if (message.Type != CiphertextType.PreKeyMessage)
        {
            return false;
        }

        try
        {
            var (was, now) = (PreKeySignalMessage.Parse(message.Serialized.Span), PreKeySignalMessage.Parse(flipped));
            return was.RegistrationId != now.RegistrationId
                && was.Message.Serialize().SequenceEqual(now.Message.Serialize())
                && (was.Header with { RegistrationId = now.RegistrationId }).Hash().SequenceEqual(now.Header.Hash());
        }
        catch (SignalException)
        {
            return false;
        }
    }

    private static void Refuses(byte[] signed, Func<byte[], PreKeyBundle> poison)
    {
        foreach (var flipped in Flips(signed))
        {
            Assert.Contains(
                Assert.Throws<SignalException>(() => poison([.. flipped]).Verify()).Error,
                new[] { SignalError.InvalidSignature, SignalError.InvalidKey });
        }
    }

    /// <summary>The same array each time, with one bit flipped.</summary>
    private static IEnumerable<byte[]> Flips(byte[] bytes)
    {
        byte[] flipped = [.. bytes];
        for (var bit = 0; bit < 8 * bytes.Length; bit++)
        {
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            yield return flipped;
            flipped[bit / 8] = bytes[bit / 8];
        }
    }
}
