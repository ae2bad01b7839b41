using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>What is stored or sent with a part missing, or with one of a wrong size, behind checksums that are right.</summary>
public sealed class StoredSessionTests : IDisposable
{
    private static readonly int[] Required = [1, 2, 5, 6, 7, 8, 9, 13];
    private static readonly int[] Sized = [1, 2, 5, 6, 7, 8, 9, 12, 13, 14];
    private static readonly int[] Secret = [6, 8, 9];
    private readonly SeededRandom _random = new(72);
    private readonly Device _alice;
    private readonly Device _bob;

    public StoredSessionTests() => (_alice, _bob) = (new Device(_random), new Device(_random, 3));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task A_session_is_the_same_after_reading_and_refused_without_any_of_its_parts()
    {
        foreach (var stored in await SessionsAsync())
        {
            using var read = SessionStateCodec.Parse(stored);
            Assert.Equal(stored, SessionStateCodec.Serialize(read));
            foreach (var field in Required)
            {
                AssertDamaged(Change(stored, field, _ => null));
            }

            foreach (var field in Sized.Where(field => StoredFields.Has(stored, field)))
            {
                AssertDamaged(Change(stored, field, part => part[..^1]));
            }

            foreach (var field in Secret)
            {
                AssertDamaged(Change(stored, field, part => [.. part, 0]));
            }
        }
    }

    [Fact]
    public async Task A_session_has_five_receiving_chains_at_most()
    {
        var stored = (await SessionsAsync())[1];
        using var session = SessionStateCodec.Parse(stored);
        var chain = session.Receiving[0].Serialize();
        byte[] More(int chains) =>
            [.. Change(stored, 12, _ => null), .. Enumerable.Repeat(new ProtoWriter().Bytes(12, chain).ToArray(), chains).SelectMany(all => all)];

        using var full = SessionStateCodec.Parse(More(5));

        Assert.Equal(5, full.Receiving.Length);
        AssertDamaged(More(6));
    }

    [Fact]
    public void A_receiving_chain_is_refused_without_its_keys_or_with_too_many()
    {
        using var key = PrivateKey.Generate(_random);
        byte[] Stored(int ratchetKey, int chainKey, int skipped) => new ProtoWriter()
            .Bytes(1, key.PublicKey.Serialized[..ratchetKey])
            .Bytes(2, new byte[chainKey])
            .UInt(3, 5_000)
            .Bytes(4, new byte[skipped])
            .ToArray();

        using var full = ReceivingChain.Parse(Stored(33, 32, 36 * ReceivingChain.MaxSkipped));

        Assert.Equal(5_000u, full!.Index);
        Assert.Null(ReceivingChain.Parse(Stored(33, 32, 36 * (ReceivingChain.MaxSkipped + 1))));
        Assert.Null(ReceivingChain.Parse(Stored(33, 32, 35)));
        Assert.Null(ReceivingChain.Parse(Stored(33, 31, 36)));
        Assert.Null(ReceivingChain.Parse(Stored(33, 33, 36)));
        Assert.Null(ReceivingChain.Parse(Stored(32, 32, 36)));
        Assert.Null(ReceivingChain.Parse([.. Stored(33, 32, 36), 0x0A]));
    }

    [Fact]
    public void A_handshake_that_waits_is_refused_when_its_ciphertext_or_its_date_cannot_be()
    {
        var last = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.MaxValue.ToUnixTimeMilliseconds());
        var ciphertext = _random.Bytes(KyberPublicKey.CiphertextSize);
        foreach (var id in new uint?[] { null, 7 })
        {
            var pending = new PendingHandshake(id, 2, 3, ciphertext, last);

            var read = PendingHandshake.Parse(pending.Serialize());

            Assert.Equal((id, 2u, 3u, last), (read!.PreKeyId, read.SignedPreKeyId, read.KyberPreKeyId, read.CreatedAt));
            Assert.Equal(ciphertext, read.KyberCiphertext);
            Assert.Null(PendingHandshake.Parse((pending with { KyberCiphertext = ciphertext[1..] }).Serialize()));
            Assert.Null(PendingHandshake.Parse(
                [.. pending.Serialize(), .. new ProtoWriter().UInt(5, (ulong)last.ToUnixTimeMilliseconds() + 1).Written]));
            Assert.Null(PendingHandshake.Parse([.. pending.Serialize(), 0x0A]));
        }
    }

    [Fact]
    public async Task A_record_with_more_than_forty_archived_sessions_is_refused()
    {
        var session = (await SessionsAsync())[0];
        byte[] Stored(int archived)
        {
            var writer = new ProtoWriter().Bytes(1, session);
            for (var i = 0; i < archived; i++)
            {
                writer.Bytes(2, session);
            }

            byte[] body = [1, .. writer.Written];
            return [.. body, .. SHA256.HashData(body)];
        }

        using var full = SessionRecord.Parse(Stored(40));

        Assert.Equal(40, full.ArchivedCount);
        Assert.Equal(Stored(40), full.Serialize());
        Assert.Equal(SignalError.InvalidRecord, Assert.Throws<SignalException>(() => SessionRecord.Parse(Stored(41))).Error);
    }

    [Fact]
    public async Task A_message_without_any_of_its_parts_is_malformed()
    {
        await _alice.StartAsync(_bob);
        var opening = (await _alice.EncryptAsync(_bob.Address, [1])).Serialized.ToArray();
        var inner = PreKeySignalMessage.Parse(opening).Message.Serialize();

        foreach (var field in new[] { 1, 2, 4 })
        {
            byte[] without = [inner[0], .. StoredFields.Change(inner[1..^8], field, _ => null, 2, 3), .. inner[^8..]];
            Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => SignalMessage.Parse(without)).Error);
        }

        foreach (var field in new[] { 2, 3, 4, 5, 6 })
        {
            byte[] without = [opening[0], .. StoredFields.Change(opening[1..], field, _ => null, 1, 5, 6, 7)];
            Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => PreKeySignalMessage.Parse(without)).Error);
        }
    }

    [Fact]
    public async Task Numbers_of_a_session_survive_being_stored()
    {
        await SessionsAsync();
        await _alice.EncryptAsync(_bob.Address, [1]);
        using var record = SessionRecord.Parse(await _alice.StoredAsync(_bob.Address));
        var session = record.Current!;

        Assert.Equal((_alice.Self.RegistrationId, _bob.Self.RegistrationId), (session.LocalRegistrationId, session.RemoteRegistrationId));
        Assert.Equal(_bob.Self.RegistrationId, record.RemoteRegistrationId);
        Assert.Equal(_bob.Self.Identity.PublicKey, record.RemoteIdentity);
        Assert.Equal(_alice.Self.Identity.PublicKey, session.LocalIdentity);
        Assert.True(record.IsCurrentRatchetKey(session.Sending.RatchetKey));
        Assert.False(record.IsCurrentRatchetKey(session.BaseKey));
        Assert.False(SessionRecord.Empty.IsCurrentRatchetKey(session.BaseKey));
    }

    /// <summary>One that waits for its answer, and one at work with keys kept for late messages.</summary>
    private async Task<IReadOnlyList<byte[]>> SessionsAsync()
    {
        await _alice.StartAsync(_bob);
        var pending = await CurrentAsync(_alice, _bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        await _bob.EncryptAsync(_alice.Address, [2]);
        await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, [3]));
        return [pending, await CurrentAsync(_alice, _bob), await CurrentAsync(_bob, _alice)];
    }

    private static async Task<byte[]> CurrentAsync(Device of, Device with)
    {
        using var record = (await ((ISessionStore)of.Stores).LoadAsync(with.Address, Ct))!;
        return SessionStateCodec.Serialize(record.Current!);
    }

    private static void AssertDamaged(byte[] stored) => Assert.Equal(
        SignalError.InvalidRecord, Assert.Throws<SignalException>(() => SessionStateCodec.Parse(stored)).Error);

    private static byte[] Change(byte[] stored, int field, Func<byte[], byte[]?> change) => StoredFields.Change(stored, field, change, 3, 4, 10, 11);
}
