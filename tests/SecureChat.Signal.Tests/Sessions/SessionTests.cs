using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Sessions;

public sealed class SessionTests : IDisposable
{
    private readonly SeededRandom _random = new(7);
    private readonly Device _alice;
    private readonly Device _bob;

    public SessionTests() => (_alice, _bob) = (new Device(_random), new Device(_random, 3));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_session_opens_with_a_prekey_message_until_the_answer_has_come(bool oneTime, bool kyberOneTime)
    {
        await _alice.StartAsync(_bob, oneTime, kyberOneTime);

        var (first, second) = (await ToBobAsync([1]), await ToBobAsync([2]));
        Assert.Equal([2], await _bob.DecryptAsync(_alice.Address, second));
        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, first));
        var answer = await ToAliceAsync([3]);
        Assert.Equal([3], await _alice.DecryptAsync(_bob.Address, answer));
        var third = await ToBobAsync([4]);

        Assert.Equal((CiphertextType.PreKeyMessage, CiphertextType.PreKeyMessage), (first.Type, second.Type));
        Assert.Equal((CiphertextType.Message, CiphertextType.Message), (answer.Type, third.Type));
        Assert.Equal([4], await _bob.DecryptAsync(_alice.Address, third));
    }

    [Fact]
    public async Task Nothing_is_sent_or_read_without_a_session()
    {
        var refusal = await Assert.ThrowsAsync<SignalException>(() => ToBobAsync([1]));
        await TalkAsync();
        var message = await ToBobAsync([1]);
        using var stranger = new Device(_random);

        Assert.Equal(SignalError.NoSession, refusal.Error);
        Assert.Equal(SignalError.NoSession, await stranger.RefusalAsync(_alice.Address, message));
    }

    [Fact]
    public async Task A_message_is_decrypted_once_and_then_is_a_duplicate()
    {
        await _alice.StartAsync(_bob);
        var first = await ToBobAsync([1]);
        await _bob.DecryptAsync(_alice.Address, first);
        await _alice.DecryptAsync(_bob.Address, await ToAliceAsync([2]));
        var second = await ToBobAsync([3]);
        await _bob.DecryptAsync(_alice.Address, second);

        for (var i = 0; i < 1_000; i++)
        {
            Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, second));
        }

        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, first));
    }

    [Fact]
    public async Task A_one_time_prekey_opens_one_session()
    {
        var bundle = _bob.Bundle(oneTime: true);
        using var carol = new Device(_random);
        await _alice.Cipher.StartAsync(_bob.Address, bundle.Verify(), _alice.Now, Ct);
        await carol.Cipher.StartAsync(_bob.Address, bundle.Verify(), carol.Now, Ct);

        await _bob.DecryptAsync(_alice.Address, await ToBobAsync([1]));

        var second = await carol.EncryptAsync(_bob.Address, [2]);
        Assert.Equal(SignalError.UnknownPreKey, await _bob.RefusalAsync(carol.Address, second));
    }

    [Fact]
    public async Task A_replay_to_a_prekey_of_last_resort_is_refused_after_the_session_is_forgotten()
    {
        await _alice.StartAsync(_bob, oneTime: false);
        var first = await ToBobAsync([1]);
        await _bob.DecryptAsync(_alice.Address, first);
        await _bob.Stores.StoreAsync(_alice.Address, SessionRecord.Empty, Ct);

        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, first));
    }

    [Fact]
    public async Task A_prekey_of_last_resort_serves_many()
    {
        var bundle = _bob.Bundle(oneTime: false);
        for (byte i = 0; i < 3; i++)
        {
            using var sender = new Device(_random);
            await sender.Cipher.StartAsync(_bob.Address, bundle.Verify(), sender.Now, Ct);

            Assert.Equal([i], await _bob.DecryptAsync(sender.Address, await sender.EncryptAsync(_bob.Address, [i])));
        }
    }

    [Fact]
    public async Task Another_identity_is_refused_in_every_direction_until_it_is_trusted()
    {
        await TalkAsync();
        using var impostor = new Device(_random, _alice.Address.DeviceId);
        var cipher = new SessionCipher(
            new LocalDevice(_alice.Address, impostor.Self.Identity, 1),
            impostor.Stores, impostor.Stores, impostor.Stores, _random);
        await cipher.StartAsync(_bob.Address, _bob.Bundle(oneTime: true).Verify(), _bob.Now, Ct);
        var message = await cipher.EncryptAsync(_bob.Address, new byte[] { 1 }, _bob.Now, Ct);

        Assert.Equal(SignalError.UntrustedIdentity, await _bob.RefusalAsync(_alice.Address, message));
        var start = await Assert.ThrowsAsync<SignalException>(async () => await _bob.Cipher.StartAsync(
            _alice.Address, impostor.Bundle(oneTime: true).Verify(), _bob.Now, Ct));
        Assert.Equal(SignalError.UntrustedIdentity, start.Error);
        var (inFlight, before) = (await ToBobAsync([8]), await _bob.StoredAsync(_alice.Address));
        await _bob.Stores.SaveAsync(_alice.Address, impostor.Self.Identity.PublicKey, Ct);
        var send = await Assert.ThrowsAsync<SignalException>(() => ToAliceAsync([1]));
        Assert.Equal(SignalError.UntrustedIdentity, send.Error);
        Assert.Equal(SignalError.UntrustedIdentity, await _bob.RefusalAsync(_alice.Address, inFlight));
        Assert.Equal(before, await _bob.StoredAsync(_alice.Address));
        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public async Task A_session_without_an_answer_is_used_for_thirty_days(int secondsMore, bool sends)
    {
        await _alice.StartAsync(_bob);
        _alice.Now += TimeSpan.FromDays(30) + TimeSpan.FromSeconds(secondsMore);

        var attempt = await Record.ExceptionAsync(() => ToBobAsync([1]));

        Assert.Equal(sends ? null : SignalError.NoSession, (attempt as SignalException)?.Error);
    }

    [Fact]
    public async Task An_answered_session_is_used_for_as_long_as_it_is_there()
    {
        await TalkAsync();
        _alice.Now += TimeSpan.FromDays(3_000);

        Assert.Equal([5], await _bob.DecryptAsync(_alice.Address, await ToBobAsync([5])));
    }

    [Theory]
    [InlineData(5, true)]
    [InlineData(6, false)]
    public async Task A_late_message_is_read_while_its_chain_is_among_the_last_five(int turns, bool arrives)
    {
        await TalkAsync();
        var late = await ToBobAsync([1]);
        for (var i = 0; i < turns; i++)
        {
            await TurnAsync();
        }

        var outcome = await Record.ExceptionAsync(() => _bob.DecryptAsync(_alice.Address, late));

        Assert.Equal(arrives ? null : SignalError.InvalidMessage, (outcome as SignalException)?.Error);
    }

    [Theory]
    [InlineData(2_000, true)]
    [InlineData(2_001, false)]
    public async Task Two_thousand_keys_are_kept_for_messages_that_are_late(int behind, bool arrives)
    {
        await TalkAsync();
        var late = await ToBobAsync([1]);
        for (var i = 0; i < behind - 1; i++)
        {
            await ToBobAsync([]);
        }

        await _bob.DecryptAsync(_alice.Address, await ToBobAsync([2]));

        if (arrives)
        {
            Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, late));
            return;
        }

        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, late));
    }

    [Fact]
    public void A_chain_jumps_twenty_five_thousand_messages_and_no_further()
    {
        using var key = PrivateKey.Generate(_random);
        var chain = new ReceivingChain(key.PublicKey, _random.Bytes(32));

        var far = Assert.Throws<SignalException>(() => chain.Take(25_001));
        var last = Assert.Throws<SignalException>(() => chain.Take(uint.MaxValue));
        var (_, next) = chain.Take(25_000);

        Assert.Equal((SignalError.InvalidMessage, SignalError.InvalidMessage), (far.Error, last.Error));
        Assert.Equal(25_001u, next.Index);
        next.Take(23_000);
        Assert.Throws<SignalException>(() => next.Take(22_999));
    }

    [Fact]
    public async Task A_forged_counter_does_not_keep_another_device_of_the_account_busy()
    {
        var account = new Guid(_random.Bytes(16));
        using var phone = new Device(_random, 1, account);
        using var tablet = new Device(_random, 2, account, IdentityKeyPair.Parse(phone.Self.Identity.Serialize()));
        await phone.StartAsync(tablet);
        await tablet.DecryptAsync(phone.Address, await phone.EncryptAsync(tablet.Address, [1]));
        await phone.DecryptAsync(tablet.Address, await tablet.EncryptAsync(phone.Address, [2]));
        var message = SignalMessage.Parse((await phone.EncryptAsync(tablet.Address, [3])).Serialized.Span);
        byte[] forged =
        [
            MessageVersion.Current,
            .. new ProtoWriter()
                .Bytes(1, message.RatchetKey.Serialized)
                .UInt(2, uint.MaxValue - 1)
                .UInt(3, 0)
                .Bytes(4, message.Ciphertext.Span)
                .Bytes(5, message.PostQuantum.Span)
                .Written,
            .. new byte[8],
        ];

        Assert.Equal(
            SignalError.InvalidMessage,
            await tablet.RefusalAsync(phone.Address, new SessionMessage(CiphertextType.Message, forged)));
    }

    [Fact]
    public async Task A_message_that_names_another_recipient_or_sender_is_refused()
    {
        await _alice.StartAsync(_bob);
        var message = await ToBobAsync([1]);

        Assert.Equal(SignalError.InvalidMessage, await _bob.RefusalAsync(new ProtocolAddress(_alice.Address.Name, 99), message));
        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, message));
    }

    [Fact]
    public async Task Sessions_work_between_names_that_are_no_service_ids()
    {
        var (anna, ben) = (new ProtocolAddress("anna", 1), new ProtocolAddress("ben", 1));
        var from = new SessionCipher(
            new LocalDevice(anna, _alice.Self.Identity, 1), _alice.Stores, _alice.Stores, _alice.Stores, _random);
        var to = new SessionCipher(
            new LocalDevice(ben, _bob.Self.Identity, 2), _bob.Stores, _bob.Stores, _bob.Stores, _random);
        await from.StartAsync(ben, _bob.Bundle(oneTime: true).Verify(), _alice.Now, Ct);

        var message = await from.EncryptAsync(ben, new byte[] { 1 }, _alice.Now, Ct);

        Assert.Equal([1], await to.DecryptAsync(anna, message.Type, message.Serialized, Ct));
    }

    [Fact]
    public async Task A_message_of_no_session_kind_is_refused()
    {
        await TalkAsync();

        var refusal = await Assert.ThrowsAsync<SignalException>(async () =>
            await _bob.Cipher.DecryptAsync(_alice.Address, CiphertextType.SenderKeyMessage, new byte[] { 0x33 }, Ct));

        Assert.Equal(SignalError.InvalidMessage, refusal.Error);
    }

    [Theory]
    [InlineData(0x33, SignalError.LegacyVersion)]
    [InlineData(0x55, SignalError.UnknownVersion)]
    [InlineData(0x45, SignalError.InvalidMessage)]
    public async Task A_message_of_another_version_is_refused_by_name(byte version, SignalError error)
    {
        await _alice.StartAsync(_bob);
        var opening = (await ToBobAsync([1])).Serialized.ToArray();
        opening[0] = version;

        Assert.Equal(error, await _bob.RefusalAsync(_alice.Address, new SessionMessage(CiphertextType.PreKeyMessage, opening)));
        Assert.Equal(error, await _bob.RefusalAsync(_alice.Address, new SessionMessage(CiphertextType.Message, opening)));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task An_opening_without_kyber_is_refused_as_legacy(bool withoutId, bool withoutCiphertext)
    {
        await _alice.StartAsync(_bob);
        var opening = PreKeySignalMessage.Parse((await ToBobAsync([1])).Serialized.Span);
        var writer = new ProtoWriter();
        PreKeySignalMessage.WriteBeforeMessage(writer, opening.Header);
        writer.Bytes(4, opening.Message.Serialized)
            .UInt(5, opening.RegistrationId)
            .UInt(6, opening.Header.SignedPreKeyId);
        if (!withoutId)
        {
            writer.UInt(7, opening.Header.KyberPreKeyId);
        }

        if (!withoutCiphertext)
        {
            writer.Bytes(8, opening.Header.KyberCiphertext);
        }

        byte[] message = [MessageVersion.Current, .. writer.Written];

        Assert.Equal(SignalError.LegacyVersion, await _bob.RefusalAsync(
            _alice.Address, new SessionMessage(CiphertextType.PreKeyMessage, message)));
        Assert.Equal(_alice.Self.Identity.PublicKey, opening.IdentityKey);
        Assert.NotNull(opening.PreKeyId);
    }

    [Fact]
    public async Task A_message_without_the_post_quantum_ratchet_is_refused_as_legacy()
    {
        await TalkAsync();
        var genuine = SignalMessage.Parse((await ToBobAsync([1])).Serialized.Span);
        byte[] stripped =
        [
            MessageVersion.Current,
            .. new ProtoWriter()
                .Bytes(1, genuine.RatchetKey.Serialized)
                .UInt(2, genuine.Counter)
                .UInt(3, 0)
                .Bytes(4, genuine.Ciphertext.Span)
                .Written,
            .. new byte[8],
        ];

        Assert.Equal(SignalError.LegacyVersion, await _bob.RefusalAsync(
            _alice.Address, new SessionMessage(CiphertextType.Message, stripped)));
    }

    [Fact]
    public async Task Our_own_opening_message_sent_back_to_us_is_refused()
    {
        await _alice.StartAsync(_bob);
        var message = await ToBobAsync([1]);

        var refusal = await _alice.RefusalAsync(_bob.Address, message);

        Assert.Contains(refusal, new[] { SignalError.UntrustedIdentity, SignalError.InvalidMessage });
    }

    private Task<SessionMessage> ToBobAsync(byte[] plaintext) => _alice.EncryptAsync(_bob.Address, plaintext);

    private Task<SessionMessage> ToAliceAsync(byte[] plaintext) => _bob.EncryptAsync(_alice.Address, plaintext);

    private async Task TalkAsync()
    {
        await _alice.StartAsync(_bob);
        await TurnAsync();
    }

    /// <summary>One message each way: Alice's next one is under a new ratchet key.</summary>
    private async Task TurnAsync()
    {
        await _bob.DecryptAsync(_alice.Address, await ToBobAsync([1]));
        await _alice.DecryptAsync(_bob.Address, await ToAliceAsync([2]));
    }
}
