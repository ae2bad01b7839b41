using SecureChat.Signal.Groups;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Media;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Usernames;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>Somebody who gets hold of the process's memory afterwards: what was let go is not in it any more.</summary>
public sealed class ErasureTests
{
    private readonly SeededRandom _random = new(71);

    [Fact]
    public async Task A_record_that_is_let_go_holds_no_secret_of_any_of_its_sessions()
    {
        using var alice = new Device(_random);
        using var bob = new Device(_random, 2);
        await alice.StartAsync(bob);
        await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [1]));
        await alice.StartAsync(bob);
        for (byte i = 0; i < 4; i++)
        {
            // Every second message is late, so that keys are kept for it.
            await alice.EncryptAsync(bob.Address, [i]);
            await bob.DecryptAsync(alice.Address, await alice.EncryptAsync(bob.Address, [i]));
            await bob.EncryptAsync(alice.Address, [i]);
            await alice.DecryptAsync(bob.Address, await bob.EncryptAsync(alice.Address, [i]));
        }

        foreach (var stored in new[] { await bob.StoredAsync(alice.Address), await alice.StoredAsync(bob.Address) })
        {
            var record = SessionRecord.Parse(stored!);
            var secrets = Secrets.Of(record).Where(secret => secret.Length > 0).ToList();
            Assert.True(secrets.Count > 10);
            Assert.Equal(1, record.ArchivedCount);
            Assert.All(secrets, secret => Assert.Contains(secret, part => part != 0));

            record.Dispose();

            Assert.All(secrets, AssertErased);
        }
    }

    [Fact]
    public void Every_state_of_the_post_quantum_ratchet_can_be_erased()
    {
        var key = _random.Bytes(32);
        var (left, right) = (SpqrState.Initialize(key, SpqrRole.Initiator), SpqrState.Initialize(key, SpqrRole.Responder));
        var states = new HashSet<byte>();
        for (var i = 0; i < 3_000 && states.Count < 11; i++)
        {
            // Alternating sides pass six of the states: the others need bursts of one of them.
            for (var burst = _random.Percent(10) ? 60 : 1; burst > 0; burst--)
            {
                var sent = left.Send(_random);
                (left, right) = (sent.Next, right.Receive(sent.Message).Next);
                AssertErasable(left, states);
                AssertErasable(right, states);
            }

            if (_random.Percent(50))
            {
                (left, right) = (right, left);
            }
        }

        Assert.Equal(11, states.Count);
    }

    [Fact]
    public void Group_keys_that_are_let_go_are_erased_and_a_copy_that_others_hold_is_not()
    {
        var distribution = new Guid(_random.Bytes(16));
        var (own, key) = SenderKeyRecord.Empty.Distribute(distribution, _random);
        var theirs = SenderKeyRecord.Empty.Add(key);
        var (sent, _) = own.Encrypt(distribution, [1], _random);
        var late = theirs.Decrypt(sent.Encrypt(distribution, [2], _random).Message).Next;
        var link = UsernameLink.Create(Username.Parse("anna.42"), _random);
        (IDisposable Holder, int Secrets)[] holders = [(key, 2), (link, 1), (new GroupSecret(_random.Bytes(32)), 1), (sent, 2), (late, 2)];
        foreach (var (holder, count) in holders)
        {
            AssertErasable(holder, count);
        }

        Assert.All(Secrets.Of(theirs), secret => Assert.Contains(secret, part => part != 0));
    }

    [Fact]
    public void A_step_of_a_group_key_that_is_not_to_be_is_erased_and_leaves_the_key_as_it_was()
    {
        var start = SenderKeyState.From(SenderKeyState.Generate(_random).Distribute(new Guid(_random.Bytes(16)))).TakeAt(3).Next;
        var before = Secrets.Of(start).Select(secret => secret.ToArray()).ToList();
        foreach (var iteration in (uint[])[1, 9])
        {
            var next = start.TakeAt(iteration).Next;
            var added = Secrets.Of(next).Where(secret => !Secrets.Of(start).Any(known => ReferenceEquals(known, secret))).ToList();
            Assert.Equal(iteration == 9 ? 6 : 0, added.Count);

            next.EraseSince(start);

            Assert.All(added, AssertErased);
            Assert.Equal(before, Secrets.Of(start));
        }
    }

    [Fact]
    public void Keys_that_are_let_go_are_erased_and_of_no_further_use()
    {
        var (curve, kyber) = (PrivateKey.Generate(_random), KyberKeyPair.Generate(_random));
        var other = PrivateKey.Generate(_random).PublicKey;
        var identity = new IdentityKeyPair(PrivateKey.Generate(_random));
        IDisposable[] holders =
        [
            curve, kyber, identity, PreKeyRecord.Generate(1, _random),
            SignedPreKeyRecord.Generate(1, new IdentityKeyPair(PrivateKey.Generate(_random)), Device.Start, _random),
            KyberPreKeyRecord.Generate(1, new IdentityKeyPair(PrivateKey.Generate(_random)), Device.Start, _random),
        ];
        foreach (var holder in holders)
        {
            var secret = Assert.Single(Secrets.Of(holder));
            Assert.Contains(secret, part => part != 0);

            holder.Dispose();

            AssertErased(secret);
        }

        Assert.Throws<ObjectDisposedException>(() => curve.Agree(other));
        Assert.Throws<ObjectDisposedException>(() => curve.Sign([1], _random));
        Assert.Throws<ObjectDisposedException>(curve.Serialize);
        Assert.Throws<ObjectDisposedException>(() => curve.PublicKey);
        Assert.Throws<ObjectDisposedException>(identity.Serialize);
        Assert.Throws<ObjectDisposedException>(kyber.SerializePrivateKey);
        Assert.Throws<ObjectDisposedException>(() => kyber.Decapsulate(new byte[KyberPublicKey.CiphertextSize]));
    }

    [Fact]
    public void What_keys_are_derived_from_is_erased_by_the_derivation()
    {
        var (seed, postQuantum, agreed) = (_random.Bytes(32), _random.Bytes(32), _random.Bytes(32));
        var epoch = new EpochSecret(1, _random.Bytes(32));

        var keys = MessageKeys.Derive(seed, postQuantum);
        RatchetKdf.Root(_random.Bytes(32), agreed);
        SpqrChains.Initial(_random.Bytes(32), SpqrRole.Initiator).Add(epoch);
        var derived = Assert.Single(Secrets.Of(keys));
        keys.Dispose();

        var (groupSeed, provisioned) = (_random.Bytes(32), _random.Bytes(32));
        SenderKeyRecord.Keys(groupSeed);
        ProvisioningCipher.Keys(provisioned);

        Assert.All([seed, postQuantum, agreed, epoch.Secret, derived, groupSeed, provisioned], AssertErased);
    }

    [Fact]
    public void A_stored_prekey_is_erased_once_its_key_has_been_read()
    {
        using var curve = PreKeyRecord.Generate(1, _random);
        using var identity = new IdentityKeyPair(PrivateKey.Generate(_random));
        using var kyber = KyberPreKeyRecord.Generate(2, identity, Device.Start, _random);
        var (first, second) = (StoredPreKey.Parse(curve.Serialize()), StoredPreKey.Parse(kyber.Serialize()));

        using var privateKey = first.CurvePrivateKey();
        using var keyPair = second.KyberKeyPair();

        Assert.All([.. Secrets.Of(first), .. Secrets.Of(second)], AssertErased);
    }

    [Fact]
    public void A_stored_prekey_is_erased_also_when_its_halves_do_not_belong_together()
    {
        using var curve = PrivateKey.Generate(_random);
        using var kyber = KyberKeyPair.Generate(_random);
        using var other = KyberKeyPair.Generate(_random);
        StoredPreKey[] stored =
        [
            StoredPreKey.Parse(StoredPreKey.Seal(StoredPreKey.Write(1, PrivateKey.Generate(_random).PublicKey.Serialized, curve.Serialize()))),
            StoredPreKey.Parse(StoredPreKey.Seal(StoredPreKey.Write(1, other.PublicKey.Serialized, kyber.SerializePrivateKey()))),
            StoredPreKey.Parse(StoredPreKey.Seal(StoredPreKey.Write(1, kyber.PublicKey.Serialized, _random.Bytes(50)))),
        ];

        Assert.Throws<SignalException>(stored[0].CurvePrivateKey);
        Assert.Throws<SignalException>(stored[1].KyberKeyPair);
        Assert.Throws<SignalException>(stored[2].KyberKeyPair);

        Assert.All(stored, prekey => AssertErased(Assert.Single(Secrets.Of(prekey))));
    }

    [Fact]
    public void What_secrets_were_written_into_is_emptied()
    {
        var (proto, flat) = (new ProtoWriter().Bytes(1, [1, 2, 3]), new SpqrWriter());
        var written = proto.Written;
        flat.Byte(7);

        Assert.Equal([0x0A, 3, 1, 2, 3], proto.ToArrayAndErase());
        Assert.Equal([7], flat.ToArrayAndErase());

        Assert.Equal(new byte[5], written.ToArray());
        Assert.Empty(flat.ToArrayAndErase());
    }

    [Fact]
    public void What_secrets_were_written_into_leaves_nothing_behind_when_it_grows()
    {
        var writer = new ProtoWriter().Bytes(1, _random.Bytes(100));
        var before = writer.ToArray();
        var small = writer.Written;

        writer.Bytes(2, new byte[1_000]);

        Assert.Equal(new byte[before.Length], small.ToArray());
        Assert.Equal(before, writer.Written[..before.Length].ToArray());
    }

    [Fact]
    public void A_file_that_is_let_go_leaves_no_content_behind_and_takes_no_more()
    {
        byte[] key = MediaEncryption.NewKey(_random), content = _random.Bytes(MediaFormat.SegmentSize), header = new byte[MediaFormat.HeaderSize];
        var length = content.Length + 1;
        var (encryption, decryption) = (new MediaEncryption(key, length), new MediaDecryption(key, length));
        var segment = new byte[MediaFormat.EncryptedSegmentSize];
        encryption.WriteHeader(header);
        encryption.EncryptNext(content, segment);
        decryption.ReadHeader(header);
        decryption.DecryptNext(segment, new byte[content.Length]);
        foreach (var holder in (IDisposable[])[encryption, decryption])
        {
            var inside = Assert.Single(Secrets.Of(holder), bytes => bytes.AsSpan().SequenceEqual(content));

            holder.Dispose();

            AssertErased(inside);
        }

        Assert.Throws<ObjectDisposedException>(() => encryption.EncryptNext([1], segment));
        Assert.Throws<ObjectDisposedException>(() => decryption.DecryptNext(segment.AsSpan(0, decryption.NextSegment), content));
    }

    [Fact]
    public void Keys_of_one_message_or_one_file_are_erased()
    {
        (IDisposable Holder, int Secrets)[] holders =
            [(new SegmentCipher(_random.Bytes(32), managed: true), 1), (new SealedSenderV2.MessageKey(_random.Bytes(32)), 3)];
        foreach (var (holder, count) in holders)
        {
            AssertErasable(holder, count);
        }
    }

    private static void AssertErasable(IDisposable holder, int count)
    {
        var secrets = Secrets.Of(holder);
        Assert.Equal(count, secrets.Count);
        Assert.All(secrets, secret => Assert.Contains(secret, part => part != 0));

        holder.Dispose();

        Assert.All(secrets, AssertErased);
    }

    private static void AssertErasable(SpqrState state, HashSet<byte> seen)
    {
        if (!seen.Add(state.Braid.Tag))
        {
            return;
        }

        Assert.True(SpqrState.TryParse(state.Serialize(), out var copy));
        var secrets = Secrets.Of(copy!);
        Assert.All(secrets, secret => Assert.Contains(secret, part => part != 0));
        Assert.True(secrets.Count >= 5);

        copy!.Dispose();

        Assert.All(secrets, AssertErased);
    }

    private static void AssertErased(byte[] secret) => Assert.Equal(new byte[secret.Length], secret);
}
