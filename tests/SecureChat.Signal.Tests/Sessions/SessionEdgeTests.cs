using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Retries;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>What a conversation leaves behind, and single bits of MACs and checksums.</summary>
public sealed class SessionEdgeTests : IDisposable
{
    private readonly SeededRandom _random = new(62);
    private readonly Device _alice;
    private readonly Device _bob;

    public SessionEdgeTests() => (_alice, _bob) = (new Device(_random), new Device(_random, 3));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task Whoever_starts_a_session_or_reads_in_one_remembers_the_other_sides_identity()
    {
        var known = new Identities();
        var alice = new SessionCipher(_alice.Self, _alice.Stores, known, _alice.Stores, _random);

        await alice.StartAsync(_bob.Address, _bob.Bundle(oneTime: true).Verify(), _alice.Now, Ct);
        Assert.Equal([(_bob.Address, _bob.Self.Identity.PublicKey)], known.Saved);

        var opening = await alice.EncryptAsync(_bob.Address, new byte[] { 1 }, _alice.Now, Ct);
        await _bob.DecryptAsync(_alice.Address, opening);
        var answer = await _bob.EncryptAsync(_alice.Address, [2]);
        known.Saved.Clear();
        await alice.DecryptAsync(_bob.Address, answer.Type, answer.Serialized, Ct);
        Assert.Equal([(_bob.Address, _bob.Self.Identity.PublicKey)], known.Saved);
    }

    [Fact]
    public async Task A_one_time_prekey_is_gone_when_it_is_removed()
    {
        using var record = PreKeyRecord.Generate(9, _random);
        _alice.Stores.Add(record);
        var store = _alice.Stores;

        using var before = await store.LoadOneTimeAsync(9, Ct);
        await store.RemoveOneTimeAsync(9, Ct);

        Assert.NotNull(before);
        Assert.Null(await store.LoadOneTimeAsync(9, Ct));
    }

    [Fact]
    public async Task The_second_message_of_a_handshake_leaves_a_newer_prekey_of_the_same_number_alone()
    {
        await _alice.StartAsync(_bob);
        var (first, second) = (await _alice.EncryptAsync(_bob.Address, [1]), await _alice.EncryptAsync(_bob.Address, [2]));
        await _bob.DecryptAsync(_alice.Address, first);
        using var newer = PreKeyRecord.Generate(PreKeySignalMessage.Parse(second.Serialized.Span).Header.PreKeyId!.Value, _random);
        _bob.Stores.Add(newer);

        await _bob.DecryptAsync(_alice.Address, second);

        using var left = await _bob.Stores.LoadOneTimeAsync(newer.Id, Ct);
        Assert.NotNull(left);
    }

    [Fact]
    public void Every_part_of_a_handshake_is_in_its_hash()
    {
        using var other = PrivateKey.Generate(_random);
        var header = new HandshakeHeader(
            1, _alice.Self.Identity.PublicKey, _bob.Self.Identity.PublicKey, 2, 3, 4, _random.Bytes(KyberPublicKey.CiphertextSize));
        HandshakeHeader[] changed =
        [
            header,
            header with { PreKeyId = 9 },
            header with { PreKeyId = null },
            header with { BaseKey = other.PublicKey },
            header with { IdentityKey = other.PublicKey },
            header with { RegistrationId = 9 },
            header with { SignedPreKeyId = 9 },
            header with { KyberPreKeyId = 9 },
            header with { KyberCiphertext = _random.Bytes(KyberPublicKey.CiphertextSize) },
        ];

        Assert.Equal(changed.Length, changed.Select(one => Convert.ToHexString(one.Hash())).Distinct().Count());
        Assert.Equal(header.Hash(), (header with { }).Hash());
    }

    [Fact]
    public async Task A_stored_record_whose_checksum_alone_is_wrong_is_refused()
    {
        await _alice.StartAsync(_bob);
        var stored = (await _alice.StoredAsync(_bob.Address))!;
        using var read = SessionRecord.Parse(stored);
        stored[^1] ^= 1;

        Assert.Equal(SignalError.InvalidRecord, Assert.Throws<SignalException>(() => SessionRecord.Parse(stored)).Error);
    }

    [Fact]
    public void A_stored_session_without_a_name_is_nobodys() =>
        Assert.False(SessionStateCodec.IsNamed([], _alice.Self.Identity.PublicKey));

    [Fact]
    public void A_message_says_the_same_when_it_is_made_and_when_it_is_read()
    {
        var keys = (_bob.Self.Identity.PublicKey, _alice.Self.Identity.PublicKey);
        using var messageKeys = MessageKeys.Derive(_random.Bytes(32), _random.Bytes(32));
        var header = new MessageHeader(_bob.Self.Identity.PublicKey, 5, 4);

        var made = SignalMessage.Seal(header, messageKeys, [1, 2], [3], [4], keys);

        var read = SignalMessage.Parse(made.Serialize());
        Assert.Equal(read.Ciphertext.ToArray(), made.Ciphertext.ToArray());
        Assert.Equal([3], made.PostQuantum.ToArray());
        Assert.Equal([4], made.Addresses.ToArray());
    }

    [Fact]
    public void A_provisioning_message_whose_MAC_alone_is_wrong_is_refused()
    {
        using var device = PrivateKey.Generate(_random);
        var envelope = ProvisioningCipher.Encrypt(device.PublicKey, [1, 2, 3], _random);
        Assert.Equal([1, 2, 3], ProvisioningCipher.Decrypt(device, envelope));
        envelope[^1] ^= 1;

        Assert.Equal(
            SignalError.InvalidMessage, Assert.Throws<SignalException>(() => ProvisioningCipher.Decrypt(device, envelope)).Error);
    }

    [Fact]
    public void A_username_link_whose_MAC_alone_is_wrong_is_refused()
    {
        var link = UsernameLink.Create(Username.Parse("alice.42"), _random);
        var encrypted = link.EncryptedUsername.ToArray();
        encrypted[^1] ^= 1;

        Assert.Equal(
            SignalError.InvalidUsername,
            Assert.Throws<SignalException>(() => UsernameLink.Open(link.Entropy.Span, encrypted)).Error);
    }

    [Fact]
    public void A_report_is_made_of_whole_messages_only()
    {
        byte[] Message(params byte[] rest) =>
            [0x44, 0x0A, 33, .. _alice.Self.Identity.PublicKey.Serialize(), .. rest, .. new byte[8]];

        Assert.NotNull(DecryptionErrorMessage.ForOriginal(Message(), CiphertextType.Message, 1, 1).RatchetKey);
        Assert.Equal(
            SignalError.InvalidMessage,
            Assert.Throws<SignalException>(() => DecryptionErrorMessage.ForOriginal(Message(0x0A), CiphertextType.Message, 1, 1)).Error);
    }

    /// <summary>Trusts everybody and notes what it is told.</summary>
    private sealed class Identities : IIdentityStore
    {
        public List<(ProtocolAddress Address, PublicKey Identity)> Saved { get; } = [];

        public ValueTask<PublicKey?> LoadAsync(ProtocolAddress remote, CancellationToken ct) => new((PublicKey?)null);

        public ValueTask<bool> IsTrustedAsync(ProtocolAddress remote, PublicKey identity, TrustDirection direction, CancellationToken ct) =>
            new(true);

        public ValueTask SaveAsync(ProtocolAddress remote, PublicKey identity, CancellationToken ct)
        {
            Saved.Add((remote, identity));
            return ValueTask.CompletedTask;
        }
    }
}
