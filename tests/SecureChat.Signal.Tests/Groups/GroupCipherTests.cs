using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Groups;

public sealed class GroupCipherTests(LibsignalPeer peer)
{
    private readonly SeededRandom _random = new(1);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_official_client_decrypts_our_group_messages_in_any_order()
    {
        var (alice, self, distribution) = (Cipher(), Someone(), Guid.CreateVersion7());
        var bob = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 1, Ct);
        await ProcessAsync(bob, self, await alice.DistributeAsync(self, distribution, Ct));
        var sent = new List<(byte[] Plaintext, byte[] Ciphertext)>();
        for (var i = 0; i < 60; i++)
        {
            var plaintext = _random.Bytes(i);
            sent.Add((plaintext, await alice.EncryptAsync(self, distribution, plaintext, Ct)));
        }

        foreach (var (plaintext, ciphertext) in sent.OrderBy(_ => _random.Below(1_000)))
        {
            var decrypted = await peer.CallAsync(
                "groupDecrypt", new { party = bob.Id, remote = RemoteOf(self), ciphertext }, Ct);

            Assert.Equal(plaintext, decrypted.Bytes("plaintext"));
        }
    }

    [Fact]
    public async Task We_decrypt_the_official_clients_group_messages_in_any_order()
    {
        var (bob, distributionId) = (Cipher(), Guid.CreateVersion7());
        var alice = await peer.PartyAsync(Guid.CreateVersion7().ToString(), 3, Ct);
        var sender = new ProtocolAddress(alice.Name, 3);
        var made = await peer.CallAsync("skdmCreate", new { party = alice.Id, distributionId }, Ct);
        await bob.ProcessAsync(sender, SenderKeyDistributionMessage.Parse(made.Bytes("message")), Ct);
        var sent = new List<(byte[] Plaintext, byte[] Ciphertext)>();
        for (var i = 0; i < 60; i++)
        {
            var plaintext = _random.Bytes(i);
            var message = await peer.CallAsync("groupEncrypt", new { party = alice.Id, distributionId, plaintext }, Ct);
            sent.Add((plaintext, message.Bytes("ciphertext")));
        }

        foreach (var (plaintext, ciphertext) in sent.OrderBy(_ => _random.Below(1_000)))
        {
            Assert.Equal(plaintext, await bob.DecryptAsync(sender, ciphertext, Ct));
        }

        var late = await peer.CallAsync("skdmCreate", new { party = alice.Id, distributionId }, Ct);
        var carol = Cipher();
        await carol.ProcessAsync(sender, SenderKeyDistributionMessage.Parse(late.Bytes("message")), Ct);
        var refusal = await Assert.ThrowsAsync<SignalException>(
            () => carol.DecryptAsync(sender, sent[59].Ciphertext, Ct).AsTask());
        Assert.Equal(SignalError.DuplicateMessage, refusal.Error);
    }

    [Fact]
    public async Task Somebody_who_joins_later_reads_what_comes_later()
    {
        var (alice, carol, self, distribution) = (Cipher(), Cipher(), Someone(), Guid.CreateVersion7());
        await alice.DistributeAsync(self, distribution, Ct);
        var before = await alice.EncryptAsync(self, distribution, new byte[] { 1 }, Ct);
        await carol.ProcessAsync(self, await alice.DistributeAsync(self, distribution, Ct), Ct);
        var after = await alice.EncryptAsync(self, distribution, new byte[] { 2 }, Ct);

        Assert.Equal([2], await carol.DecryptAsync(self, after, Ct));
        await Assert.ThrowsAsync<SignalException>(() => carol.DecryptAsync(self, before, Ct).AsTask());
    }

    [Fact]
    public async Task Rotation_means_another_distribution_and_leaves_whoever_was_not_told_out()
    {
        var (alice, bob, eve, self) = (Cipher(), Cipher(), Cipher(), Someone());
        var (old, rotated) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        var first = await alice.DistributeAsync(self, old, Ct);
        await bob.ProcessAsync(self, first, Ct);
        await eve.ProcessAsync(self, first, Ct);

        await bob.ProcessAsync(self, await alice.DistributeAsync(self, rotated, Ct), Ct);
        var message = await alice.EncryptAsync(self, rotated, new byte[] { 7 }, Ct);

        Assert.Equal([7], await bob.DecryptAsync(self, message, Ct));
        var refusal = await Assert.ThrowsAsync<SignalException>(() => eve.DecryptAsync(self, message, Ct).AsTask());
        Assert.Equal(SignalError.NoSenderKey, refusal.Error);
    }

    [Fact]
    public async Task A_distribution_message_seen_twice_does_not_turn_the_chain_back()
    {
        var (alice, bob, self, distribution) = (Cipher(), Cipher(), Someone(), Guid.CreateVersion7());
        var key = await alice.DistributeAsync(self, distribution, Ct);
        await bob.ProcessAsync(self, key, Ct);
        var message = await alice.EncryptAsync(self, distribution, new byte[] { 1 }, Ct);
        await bob.DecryptAsync(self, message, Ct);

        await bob.ProcessAsync(self, key, Ct);

        var refusal = await Assert.ThrowsAsync<SignalException>(() => bob.DecryptAsync(self, message, Ct).AsTask());
        Assert.Equal(SignalError.DuplicateMessage, refusal.Error);
    }

    [Fact]
    public async Task One_cannot_send_before_having_a_key()
    {
        var refusal = await Assert.ThrowsAsync<SignalException>(
            () => Cipher().EncryptAsync(Someone(), Guid.CreateVersion7(), new byte[] { 1 }, Ct).AsTask());

        Assert.Equal(SignalError.NoSenderKey, refusal.Error);
    }

    [Fact]
    public void Another_members_key_does_not_let_us_send_as_them()
    {
        var distribution = Guid.CreateVersion7();
        var (_, key) = SenderKeyRecord.Empty.Distribute(distribution, _random);

        var theirs = SenderKeyRecord.Empty.Add(key);

        Assert.False(theirs.CanSend);
        Assert.Throws<SignalException>(() => theirs.Encrypt(distribution, [1], _random));
    }

    [Theory]
    [InlineData(2_000, true)]
    [InlineData(2_001, false)]
    public void A_late_message_finds_its_key_2000_messages_later_and_no_more(int later, bool found)
    {
        var (sender, receiver, distribution) = Pair();
        (sender, var late) = sender.Encrypt(distribution, [1], _random);
        byte[] last = late;
        for (var i = 0; i < later; i++)
        {
            (sender, last) = sender.Encrypt(distribution, [2], _random);
        }

        var after = SenderKeyRecord.Parse(receiver.Decrypt(last).Next.Serialize());
        var error = Record.Exception(() => Assert.Equal([1], after.Decrypt(late).Plaintext));

        Assert.Equal(found, error is null);
    }

    [Theory]
    [InlineData(25_000, null)]
    [InlineData(25_001, SignalError.InvalidMessage)]
    [InlineData(uint.MaxValue, SignalError.InvalidMessage)]
    public void A_jump_of_25000_messages_is_the_furthest(uint iteration, SignalError? expected)
    {
        using var signer = PrivateKey.Generate(_random);
        var distribution = Guid.CreateVersion7();
        var key = SenderKeyDistributionMessage.Create(distribution, 5, 0, _random.Bytes(32), signer.PublicKey);
        var message = SenderKeyMessage.Create(distribution, 5, iteration, new byte[16], signer, _random);

        var refusal = Assert.Throws<SignalException>(() => SenderKeyRecord.Empty.Add(key).Decrypt(message));

        // A message of noise is never accepted; the jump is refused before its padding is looked at.
        Assert.Equal(expected is not null, refusal.Message.Contains("too far ahead", StringComparison.Ordinal));
    }

    [Fact]
    public void Five_keys_of_a_sender_are_kept()
    {
        var distribution = Guid.CreateVersion7();
        var senders = Enumerable.Range(0, 6).Select(_ => SenderKeyRecord.Empty.Distribute(distribution, _random)).ToList();
        var receiver = senders.Aggregate(SenderKeyRecord.Empty, (record, sender) => record.Add(sender.Message));

        for (var i = 0; i < 6; i++)
        {
            var message = senders[i].Next.Encrypt(distribution, [(byte)i], _random).Message;
            var error = Record.Exception(() => receiver.Decrypt(message));

            Assert.Equal(i == 0, error is SignalException { Error: SignalError.NoSenderKey });
        }
    }

    [Fact]
    public void Every_flipped_bit_and_every_prefix_of_a_message_is_refused_and_changes_nothing()
    {
        var (sender, receiver, distribution) = Pair();
        var message = sender.Encrypt(distribution, [1, 2, 3], _random).Message;
        var before = receiver.Serialize();

        foreach (var changed in Bits.Flips(message).Concat(Bits.Prefixes(message)))
        {
            Assert.Throws<SignalException>(() => receiver.Decrypt(changed));
        }

        Assert.Equal(before, receiver.Serialize());
        Assert.Equal([1, 2, 3], receiver.Decrypt(message).Plaintext);
    }

    /// <summary>The message has no proof of its own: the session that it comes in vouches for it.</summary>
    [Fact]
    public void Every_flipped_bit_of_a_distribution_message_is_refused_or_gives_a_key_that_does_not_read_the_senders_messages()
    {
        var distribution = Guid.CreateVersion7();
        var (sender, key) = SenderKeyRecord.Empty.Distribute(distribution, _random);
        var message = sender.Encrypt(distribution, [1, 2, 3], _random).Message;
        bool Reads(byte[] given)
        {
            try
            {
                var parsed = SenderKeyDistributionMessage.Parse(given);
                return parsed.DistributionId == distribution
                    && SenderKeyRecord.Empty.Add(parsed).Decrypt(message).Plaintext is [1, 2, 3];
            }
            catch (SignalException)
            {
                return false;
            }
        }

        Assert.True(Reads(key.Serialize()));
        Assert.All(Bits.Prefixes(key.Serialize()), shorter => Assert.False(Reads(shorter)));
        Assert.All(Bits.Flips(key.Serialize()), flipped => Assert.False(Reads(flipped)));
    }

    [Fact]
    public void A_record_survives_storage_and_every_flipped_bit_and_prefix_of_it_is_noticed()
    {
        var (sender, receiver, distribution) = Pair();
        (sender, _) = sender.Encrypt(distribution, [0], _random);
        (sender, var message) = sender.Encrypt(distribution, [1, 2, 3], _random);
        var next = sender.Encrypt(distribution, [4, 5, 6], _random).Message;
        var stored = receiver.Decrypt(message).Next.Serialize();

        foreach (var changed in Bits.Flips(stored).Concat(Bits.Prefixes(stored)))
        {
            var refusal = Assert.Throws<SignalException>(() => SenderKeyRecord.Parse(changed));
            Assert.Equal(SignalError.InvalidRecord, refusal.Error);
        }

        Assert.Equal(stored, SenderKeyRecord.Parse(stored).Serialize());
        Assert.Equal([4, 5, 6], SenderKeyRecord.Parse(stored).Decrypt(next).Plaintext);
    }

    [Fact]
    public void A_key_that_is_given_out_at_the_end_of_its_counter_does_not_spoil_the_record()
    {
        var (sender, receiver, distribution) = Pair();
        using var signing = PrivateKey.Generate(_random);
        var last = SenderKeyDistributionMessage.Create(
            distribution, 5, uint.MaxValue, _random.Bytes(32), signing.PublicKey);

        var record = SenderKeyRecord.Parse(receiver.Add(last).Serialize());

        Assert.Equal([1], record.Decrypt(sender.Encrypt(distribution, [1], _random).Message).Plaintext);
    }

    [Theory]
    [InlineData("", SignalError.InvalidMessage)]
    [InlineData("23", SignalError.LegacyVersion)]
    [InlineData("43", SignalError.UnknownVersion)]
    [InlineData("33", SignalError.InvalidMessage)]
    [InlineData("34", SignalError.InvalidMessage)]
    [InlineData("330801", SignalError.InvalidMessage)]
    public void What_is_no_group_message_is_refused(string hex, SignalError error)
    {
        var bytes = Convert.FromHexString(hex);

        Assert.Equal(error, Assert.Throws<SignalException>(() => SenderKeyRecord.Empty.Decrypt(bytes)).Error);
        Assert.Equal(error, Assert.Throws<SignalException>(() => SenderKeyDistributionMessage.Parse(bytes)).Error);
    }

    [Theory]
    [InlineData(0x30)]
    [InlineData(0x32)]
    [InlineData(0x3f)]
    public void A_distribution_message_whose_first_byte_is_right_by_half_is_refused(byte first)
    {
        var message = SenderKeyRecord.Empty.Distribute(Guid.CreateVersion7(), _random).Message.Serialize();
        Assert.Equal(message, SenderKeyDistributionMessage.Parse(message).Serialize());

        message[0] = first;

        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => SenderKeyDistributionMessage.Parse(message)).Error);
    }

    [Fact]
    public void No_key_is_ever_printed()
    {
        var (record, message) = SenderKeyRecord.Empty.Distribute(Guid.CreateVersion7(), _random);

        Assert.Equal((nameof(SenderKeyRecord), nameof(SenderKeyDistributionMessage)), ($"{record}", $"{message}"));
    }

    private (SenderKeyRecord Sender, SenderKeyRecord Receiver, Guid Distribution) Pair()
    {
        var distribution = Guid.CreateVersion7();
        var (sender, key) = SenderKeyRecord.Empty.Distribute(distribution, _random);
        return (sender, SenderKeyRecord.Empty.Add(key), distribution);
    }

    private GroupCipher Cipher() => new(new InMemorySenderKeyStore(), _random);

    private ProtocolAddress Someone() => new(ServiceId.OfAccount(new Guid(_random.Bytes(16))), 1);

    private static object RemoteOf(ProtocolAddress address) => new { name = address.Name, device = address.DeviceId };

    private static async Task ProcessAsync(
        PeerParty party, ProtocolAddress sender, SenderKeyDistributionMessage message) =>
        await party.Peer.CallAsync(
            "skdmProcess", new { party = party.Id, remote = RemoteOf(sender), message = message.Serialize() }, Ct);
}
