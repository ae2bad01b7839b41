using SecureChat.Signal.Handshake;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

public sealed class SessionRecordTests : IDisposable
{
    private readonly SeededRandom _random = new(12);
    private readonly Device _alice;
    private readonly Device _bob;

    public SessionRecordTests() => (_alice, _bob) = (new Device(_random), new Device(_random));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task Both_begin_at_once_and_end_up_in_one_session()
    {
        await _alice.StartAsync(_bob);
        await _bob.StartAsync(_alice);
        var (hello, hallo) = (await _alice.EncryptAsync(_bob.Address, [1]), await _bob.EncryptAsync(_alice.Address, [2]));

        Assert.Equal([1], await _bob.DecryptAsync(_alice.Address, hello));
        Assert.Equal([2], await _alice.DecryptAsync(_bob.Address, hallo));
        for (byte i = 0; i < 4; i++)
        {
            Assert.Equal([i], await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [i])));
            Assert.Equal([i], await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, [i])));
        }

        using var ours = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        using var theirs = SessionRecord.Parse(await _bob.StoredAsync(_alice.Address));
        Assert.Equal(ours.Current!.BaseKey, theirs.Current!.BaseKey);
        Assert.Equal((1, 1), (ours.ArchivedCount, theirs.ArchivedCount));
    }

    [Fact]
    public async Task A_chain_at_the_end_of_its_counter_asks_for_a_new_session()
    {
        await _alice.StartAsync(_bob);
        using var record = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        var (session, chain) = (record.Current!, record.Current!.Sending);
        using var last = record.WithCurrent(session with
        {
            Sending = new SendingChain(chain.RatchetKey, [.. chain.RatchetPrivateKey], [.. chain.ChainKey], uint.MaxValue),
        });

        using var read = SessionRecord.Parse(last.Serialize());

        Assert.True(record.CanSend(_alice.Now));
        Assert.False(read.CanSend(_alice.Now));
    }

    [Fact]
    public async Task Forty_sessions_are_kept_beside_the_current_one()
    {
        var openings = new List<SessionMessage>();
        for (var i = 0; i < SessionRecord.MaxArchived + 3; i++)
        {
            await _alice.StartAsync(_bob);
            openings.Add(await _alice.EncryptAsync(_bob.Address, [(byte)i]));
        }

        foreach (var opening in openings)
        {
            await _bob.DecryptAsync(_alice.Address, opening);
        }

        using var record = SessionRecord.Parse(await _bob.StoredAsync(_alice.Address));
        Assert.Equal(SessionRecord.MaxArchived, record.ArchivedCount);
        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, openings[^1]));
        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, openings[2]));
        Assert.Equal(SignalError.DuplicateMessage, await _bob.RefusalAsync(_alice.Address, openings[0]));
    }

    [Fact]
    public async Task An_answer_in_an_archived_session_makes_it_the_current_one()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var late = await _bob.EncryptAsync(_alice.Address, [2]);
        await _alice.StartAsync(_bob);

        Assert.Equal([2], await _alice.DecryptAsync(_bob.Address, late));

        Assert.Equal(CiphertextType.Message, (await _alice.EncryptAsync(_bob.Address, [3])).Type);
        Assert.Equal(SignalError.DuplicateMessage, await _alice.RefusalAsync(_bob.Address, late));
    }

    [Fact]
    public async Task An_opening_message_that_comes_late_makes_its_archived_session_the_current_one()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var late = await _alice.EncryptAsync(_bob.Address, [2]);
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [3]));
        var forged = late.Serialized.ToArray();
        forged[^1] ^= 1;

        Assert.Equal(SignalError.InvalidMessage, await _bob.RefusalAsync(
            _alice.Address, new SessionMessage(CiphertextType.PreKeyMessage, forged)));
        Assert.Equal([2], await _bob.DecryptAsync(_alice.Address, late));

        using var record = SessionRecord.Parse(await _bob.StoredAsync(_alice.Address));
        Assert.Equal(PreKeySignalMessage.Parse(late.Serialized.Span).Header.BaseKey, record.Current!.BaseKey);
    }

    [Fact]
    public async Task A_message_that_no_session_reads_is_refused_and_changes_none()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var read = await _bob.EncryptAsync(_alice.Address, [2]);
        await _alice.DecryptAsync(_bob.Address, read);
        await _alice.StartAsync(_bob);
        await _alice.StartAsync(_bob);
        var before = await _alice.StoredAsync(_bob.Address);
        var forged = (await _bob.EncryptAsync(_alice.Address, [3])).Serialized.ToArray();
        forged[^1] ^= 1;

        var refusal = await _alice.RefusalAsync(_bob.Address, new SessionMessage(CiphertextType.Message, forged));

        Assert.Equal(SignalError.InvalidMessage, refusal);
        Assert.Equal(SignalError.DuplicateMessage, await _alice.RefusalAsync(_bob.Address, read));
        Assert.Equal(before, await _alice.StoredAsync(_bob.Address));
    }

    [Fact]
    public async Task A_record_of_archived_sessions_alone_refuses_what_none_of_them_reads()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var forged = (await _bob.EncryptAsync(_alice.Address, [3])).Serialized.ToArray();
        forged[^1] ^= 1;
        using var record = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        using var archived = record.ArchiveCurrent();
        await _alice.Stores.StoreAsync(_bob.Address, archived, Ct);

        Assert.Equal(SignalError.InvalidMessage, await _alice.RefusalAsync(
            _bob.Address, new SessionMessage(CiphertextType.Message, forged)));
    }

    [Fact]
    public async Task An_archived_session_sends_nothing_and_still_reads_what_is_late()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        var late = await _bob.EncryptAsync(_alice.Address, [2]);
        using var record = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        var ratchetKey = record.Current!.Sending.RatchetKey;
        using var archived = record.ArchiveCurrent();
        await _alice.Stores.StoreAsync(_bob.Address, archived, Ct);

        Assert.True(record.IsCurrentRatchetKey(ratchetKey));
        Assert.False(archived.IsCurrentRatchetKey(ratchetKey));
        Assert.False(archived.CanSend(_alice.Now));
        Assert.Null(archived.RemoteIdentity);
        Assert.Equal(_bob.Self.RegistrationId, record.RemoteRegistrationId);
        Assert.Same(archived, archived.ArchiveCurrent());
        await Assert.ThrowsAsync<SignalException>(() => _alice.EncryptAsync(_bob.Address, [3]));
        Assert.Equal([2], await _alice.DecryptAsync(_bob.Address, late));
        Assert.Equal(CiphertextType.Message, (await _alice.EncryptAsync(_bob.Address, [3])).Type);
    }

    [Fact]
    public async Task Nothing_that_holds_a_secret_prints_it()
    {
        await _alice.StartAsync(_bob);
        using var record = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        using var oneTime = PreKeyRecord.Generate(1, _random);
        using var kyber = KyberPreKeyRecord.Generate(1, _bob.Self.Identity, _bob.Now, _random);

        Assert.Equal("SessionRecord", record.ToString());
        Assert.Equal("SessionState", record.Current!.ToString());
        Assert.Equal("SendingChain", record.Current.Sending.ToString());
        Assert.Equal("ReceivingChain", record.Current.Receiving[0].ToString());
        Assert.Equal("PreKeyRecord", oneTime.ToString());
        Assert.Equal("SignedPreKeyRecord", _bob.Signed.ToString());
        Assert.Equal("KyberPreKeyRecord", kyber.ToString());
    }

    [Fact]
    public void Stored_prekeys_are_the_same_after_reading()
    {
        using var oneTime = PreKeyRecord.Generate(5, _random);
        using var kyber = KyberPreKeyRecord.Generate(6, _bob.Self.Identity, _bob.Now, _random);

        using var readOneTime = PreKeyRecord.Parse(oneTime.Serialize());
        using var readSigned = SignedPreKeyRecord.Parse(_bob.Signed.Serialize());
        using var readKyber = KyberPreKeyRecord.Parse(kyber.Serialize());

        Assert.Equal((5u, oneTime.PrivateKey.PublicKey), (readOneTime.Id, readOneTime.PrivateKey.PublicKey));
        Assert.Equal(
            (_bob.Signed.Id, _bob.Now, _bob.Signed.PrivateKey.PublicKey),
            (readSigned.Id, readSigned.CreatedAt, readSigned.PrivateKey.PublicKey));
        Assert.Equal(_bob.Signed.Signature.ToArray(), readSigned.Signature.ToArray());
        Assert.Equal((6u, _bob.Now, kyber.KeyPair.PublicKey), (readKyber.Id, readKyber.CreatedAt, readKyber.KeyPair.PublicKey));
        Assert.Equal(kyber.Signature.ToArray(), readKyber.Signature.ToArray());
    }

    [Fact]
    public void A_stored_prekey_whose_halves_do_not_match_is_refused()
    {
        using var oneTime = PreKeyRecord.Generate(5, _random);
        using var kyber = KyberPreKeyRecord.Generate(6, _bob.Self.Identity, _bob.Now, _random);
        // Without version and checksum, as they were stored once.
        var (curve, postQuantum) = (oneTime.Serialize()[1..^32], kyber.Serialize()[1..^32]);
        curve[10] ^= 1;
        postQuantum[100] ^= 1;

        Assert.Equal(SignalError.InvalidRecord, Assert.Throws<SignalException>(() => PreKeyRecord.Parse(curve)).Error);
        Assert.Equal(
            SignalError.InvalidRecord, Assert.Throws<SignalException>(() => KyberPreKeyRecord.Parse(postQuantum)).Error);
    }
}
