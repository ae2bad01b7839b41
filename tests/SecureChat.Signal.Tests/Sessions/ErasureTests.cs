using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;
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
        for (var i = 0; i < 120; i++)
        {
            var sent = left.Send(_random);
            var received = right.Receive(sent.Message);
            (left, right) = (received.Next, sent.Next);
            if (!states.Add(right.Braid.Tag))
            {
                continue;
            }

            Assert.True(SpqrState.TryParse(right.Serialize(), out var copy));
            var secrets = Secrets.Of(copy!);
            Assert.All(secrets, secret => Assert.Contains(secret, part => part != 0));
            Assert.True(secrets.Count >= 5);

            copy!.Dispose();

            Assert.All(secrets, AssertErased);
        }

        Assert.True(states.Count > 5);
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

        Assert.All([seed, postQuantum, agreed, epoch.Secret, derived], AssertErased);
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

    private static void AssertErased(byte[] secret) => Assert.Equal(new byte[secret.Length], secret);
}
