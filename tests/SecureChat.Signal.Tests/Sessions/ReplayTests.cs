using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>A server or a network that repeats, reflects, exchanges and holds back, and prekeys that it has put in itself.</summary>
public sealed class ReplayTests : IDisposable
{
    private readonly SeededRandom _random = new(31);
    private readonly Device _alice;
    private readonly Device _bob;
    private readonly Device _carol;

    public ReplayTests() =>
        (_alice, _bob, _carol) = (new Device(_random), new Device(_random, 3), new Device(_random));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
        _carol.Dispose();
    }

    [Fact]
    public void Signatures_of_a_bundle_belong_to_their_keys_and_cannot_be_left_out()
    {
        var (bundle, other) = (_bob.Bundle(oneTime: true), _carol.Bundle(oneTime: true));
        PreKeyBundle[] substituted =
        [
            bundle with { SignedPreKey = other.SignedPreKey },
            bundle with { SignedPreKey = other.SignedPreKey, SignedPreKeySignature = other.SignedPreKeySignature },
            bundle with { KyberPreKey = other.KyberPreKey },
            bundle with { KyberPreKey = other.KyberPreKey, KyberPreKeySignature = other.KyberPreKeySignature },
            bundle with { KyberPreKeySignature = default },
            bundle with { KyberPreKeySignature = new byte[64] },
            bundle with { SignedPreKeySignature = bundle.KyberPreKeySignature, KyberPreKeySignature = bundle.SignedPreKeySignature },
            bundle with { IdentityKey = other.IdentityKey },
        ];

        foreach (var forged in substituted)
        {
            Assert.Equal(SignalError.InvalidSignature, Assert.Throws<SignalException>(() => forged.Verify()).Error);
        }
    }

    [Fact]
    public async Task A_one_time_key_that_was_exchanged_opens_no_session_and_uses_nothing_up()
    {
        var (bundle, other) = (_bob.Bundle(oneTime: true), _carol.Bundle(oneTime: true));
        var exchanged = bundle with { OneTimePreKey = bundle.OneTimePreKey! with { PublicKey = other.OneTimePreKey!.PublicKey } };
        await _alice.Cipher.StartAsync(_bob.Address, exchanged.Verify(), _alice.Now, Ct);

        var refusal = await _bob.RefusalAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));

        Assert.Equal(SignalError.InvalidMessage, refusal);
        Assert.Null(await _bob.StoredAsync(_alice.Address));
        await _alice.Cipher.StartAsync(_bob.Address, bundle.Verify(), _alice.Now, Ct);
        Assert.Equal([2], await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [2])));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task An_opening_message_that_comes_twice_opens_one_session(bool oneTime, bool kyberOneTime)
    {
        await _alice.StartAsync(_bob, oneTime, kyberOneTime);
        var opening = await _alice.EncryptAsync(_bob.Address, [1]);
        await _bob.DecryptAsync(_alice.Address, opening);
        var before = await _bob.StoredAsync(_alice.Address);

        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, opening));

        Assert.Equal(before, await _bob.StoredAsync(_alice.Address));
        using var record = SessionRecord.Parse(before);
        Assert.Equal(0, record.ArchivedCount);
    }

    [Fact]
    public async Task Messages_of_one_session_are_refused_in_every_other()
    {
        await OpenAsync(_alice, _bob);
        await OpenAsync(_carol, _bob);
        var (fromAlice, before) = (await _alice.EncryptAsync(_bob.Address, [1]), await _bob.StoredAsync(_carol.Address));
        var fromBob = await _bob.EncryptAsync(_alice.Address, [2]);

        // To another session of the same recipient, back to its sender, and to somebody else altogether.
        Assert.Equal(SignalError.InvalidMessage, await _bob.RefusalAsync(_carol.Address, fromAlice));
        Assert.Equal(SignalError.InvalidMessage, await _alice.RefusalAsync(_bob.Address, fromAlice));
        Assert.Equal(SignalError.InvalidMessage, await _carol.RefusalAsync(_bob.Address, fromBob));

        Assert.Equal(before, await _bob.StoredAsync(_carol.Address));
        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, fromAlice));
        Assert.Equal([2], await _alice.DecryptAsync(_bob.Address, fromBob));
    }

    [Fact]
    public async Task What_is_repeated_reordered_and_dropped_is_heard_once_or_not_at_all()
    {
        await OpenAsync(_alice, _bob);
        var messages = new List<SessionMessage>();
        for (byte i = 0; i < 60; i++)
        {
            messages.Add(await _alice.EncryptAsync(_bob.Address, [i]));
        }

        var delivered = messages.Where((_, i) => i % 7 != 3).ToList();
        var arriving = Enumerable.Repeat(delivered, 5).SelectMany(all => all).OrderBy(_ => _random.Below(int.MaxValue)).ToList();
        var heard = new List<byte>();
        foreach (var message in arriving)
        {
            try
            {
                heard.AddRange(await _bob.DecryptAsync(_alice.Address, message));
            }
            catch (SignalException e)
            {
                Assert.Equal(SignalError.DuplicateMessage, e.Error);
            }
        }

        Assert.Equal(Enumerable.Range(0, 60).Where(i => i % 7 != 3).Select(i => (byte)i), heard.Order());
    }

    [Fact]
    public async Task No_ratchet_key_and_no_ciphertext_ever_comes_twice()
    {
        await OpenAsync(_alice, _bob);
        var (keys, bodies) = (new HashSet<PublicKey>(), new HashSet<string>());
        for (var i = 0; i < 50; i++)
        {
            var (from, to) = i % 2 == 0 ? (_alice, _bob) : (_bob, _alice);
            var message = await from.EncryptAsync(to.Address, [9, 9, 9]);
            var parsed = SignalMessage.Parse(message.Serialized.Span);

            Assert.True(keys.Add(parsed.RatchetKey));
            Assert.True(bodies.Add(Convert.ToHexString(parsed.Ciphertext.Span)));
            await to.DecryptAsync(from.Address, message);
        }
    }

    private static async Task OpenAsync(Device from, Device to)
    {
        await from.StartAsync(to);
        await to.DecryptAsync(from.Address, await from.EncryptAsync(to.Address, [0]));
        await from.DecryptAsync(to.Address, await to.EncryptAsync(from.Address, [0]));
    }
}
