using System.Security.Cryptography;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Groups;

/// <summary>Sender keys as they are stored, with a part missing or of a wrong size behind a checksum that is right; and as they are made.</summary>
public sealed class StoredSenderKeyTests
{
    private const byte Version = 1;
    private const int Kept = 6;
    private readonly SeededRandom _random = new(44);
    private readonly Guid _distribution = new(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);

    [Fact]
    public void A_key_is_the_same_after_reading_and_refused_without_any_of_its_parts()
    {
        var state = StateWithKeptSeed();
        var own = StatesOf(SenderKeyRecord.Empty.Distribute(_distribution, _random).Next)[0];

        Assert.Equal(Record([own, state]), SenderKeyRecord.Parse(Record([own, state])).Serialize());
        Assert.Equal(Record([state]), SenderKeyRecord.Parse(Record([state])).Serialize());
        Assert.All((int[])[1, 2, 4, 5], field => AssertDamaged([Change(state, field, _ => null)]));
        Assert.All((int[])[2, 3, 5], field => AssertDamaged([Change(own, field, part => part[..^1])]));
        Assert.All((int[])[2, 3, 5], field => AssertDamaged([Change(own, field, part => [.. part, 0])]));
        AssertDamaged([[.. state, 0x08]]);
    }

    [Fact]
    public void A_kept_seed_has_its_number_its_size_and_no_double()
    {
        var state = StateWithKeptSeed();
        var seed = new ProtoWriter().UInt(1, 9).Bytes(2, new byte[32]).ToArray();

        SenderKeyRecord.Parse(Record([[.. state, .. new ProtoWriter().Bytes(Kept, seed).Written]]));
        AssertDamaged([[.. state, .. new ProtoWriter().Bytes(Kept, seed).Bytes(Kept, seed).Written]]);
        AssertDamaged([Change(state, Kept, part => StoredFields.Change(part, 1, _ => null, 1))]);
        AssertDamaged([Change(state, Kept, part => StoredFields.Change(part, 2, _ => null, 1))]);
        AssertDamaged([Change(state, Kept, part => StoredFields.Change(part, 2, bytes => bytes[1..], 1))]);
        AssertDamaged([Change(state, Kept, part => [.. part, 0x08])]);
    }

    [Theory]
    [InlineData(2000, true)]
    [InlineData(2001, false)]
    public void Two_thousand_kept_seeds_are_read_and_no_more(int count, bool isRead)
    {
        var (_, key) = SenderKeyRecord.Empty.Distribute(_distribution, _random);
        var writer = new ProtoWriter();
        for (var i = 0; i < count; i++)
        {
            writer.Bytes(Kept, new ProtoWriter().UInt(1, (uint)i).Bytes(2, new byte[32]).Written);
        }

        byte[] state = [.. StatesOf(SenderKeyRecord.Empty.Add(key))[0], .. writer.Written];

        if (isRead)
        {
            Assert.Equal(Record([state]), SenderKeyRecord.Parse(Record([state])).Serialize());
        }
        else
        {
            AssertDamaged([state]);
        }
    }

    [Fact]
    public void A_record_has_a_version_a_checksum_and_five_keys_at_most()
    {
        var states = Enumerable.Range(0, 6)
            .Select(_ => StatesOf(SenderKeyRecord.Empty.Distribute(_distribution, _random).Next)[0]).ToList();

        Assert.False(SenderKeyRecord.Parse(Record([])).CanSend);
        SenderKeyRecord.Parse(Record(states[..5]));
        AssertDamaged(states);
        AssertUnreadable([]);
        AssertUnreadable(SHA256.HashData([]));
        AssertUnreadable(Checked([(byte)(Version + 1)]));
        AssertUnreadable(Checked([Version, .. new ProtoWriter().Bytes(2, states[0]).Written]));
        AssertUnreadable(Checked([Version, 0x0A, 0x05]));
        AssertUnreadable([.. Record(states[..1])[..^1], 0]);
    }

    [Fact]
    public void A_key_of_ones_own_is_made_of_chance_and_kept_until_its_end()
    {
        var (record, key) = SenderKeyRecord.Empty.Distribute(_distribution, _random);
        var (_, other) = SenderKeyRecord.Empty.Distribute(_distribution, _random);
        var (next, again) = record.Distribute(_distribution, _random);

        Assert.NotEqual(key.ChainKey, other.ChainKey);
        Assert.NotEqual(new byte[32], key.ChainKey);
        Assert.NotEqual((key.ChainId, key.SigningKey), (other.ChainId, other.SigningKey));
        Assert.Equal((key.ChainId, key.SigningKey, record), (again.ChainId, again.SigningKey, next));
    }

    [Fact]
    public void A_key_at_the_end_of_its_counter_is_replaced_before_it_is_used()
    {
        var (record, key) = SenderKeyRecord.Empty.Distribute(_distribution, _random);
        var state = StatesOf(record)[0];
        var spent = SenderKeyRecord.Parse(Record([WithNumber(state, 4, uint.MaxValue)]));

        Assert.False(spent.CanSend);
        Assert.True(SenderKeyRecord.Parse(Record([WithNumber(state, 4, uint.MaxValue - 1)])).CanSend);
        Assert.NotEqual(key.SigningKey, spent.Distribute(_distribution, _random).Message.SigningKey);
    }

    [Fact]
    public void A_distribution_under_a_known_number_but_with_another_key_takes_its_place()
    {
        using var first = PrivateKey.Generate(_random);
        using var second = PrivateKey.Generate(_random);
        var chainKey = _random.Bytes(32);
        SenderKeyRecord Add(SenderKeyRecord to, PrivateKey signing) => to.Add(
            SenderKeyDistributionMessage.Create(_distribution, 7, 0, chainKey, signing.PublicKey));

        var record = Add(Add(SenderKeyRecord.Empty, first), second);

        Assert.Single(StatesOf(record));
        Assert.Equal(SignalError.InvalidSignature, Refusal(record, Message(7, first)));
        Assert.NotEqual(SignalError.InvalidSignature, Refusal(record, Message(7, second)));
    }

    [Fact]
    public void Seeds_and_chain_keys_are_the_specifications()
    {
        using var signing = PrivateKey.Generate(_random);
        var chainKey = _random.Bytes(32);
        var record = SenderKeyRecord.Empty.Add(SenderKeyDistributionMessage.Create(_distribution, 7, 0, chainKey, signing.PublicKey));
        var seed = HMACSHA256.HashData(HMACSHA256.HashData(chainKey, (byte[])[2]), (byte[])[1]);
        var keys = HKDF.DeriveKey(HashAlgorithmName.SHA256, seed, 48, [], "WhisperGroup"u8.ToArray());
        using var aes = Aes.Create();
        aes.Key = keys[16..];
        var message = SenderKeyMessage.Create(_distribution, 7, 1, aes.EncryptCbc((byte[])[5, 6], keys[..16]), signing, _random);

        Assert.Equal([5, 6], record.Decrypt(message).Plaintext);
    }

    [Fact]
    public void A_message_of_one_byte_less_than_its_frame_is_malformed()
    {
        byte[] shortest = [0x33, .. new byte[XEdDsa.SignatureSize]];

        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => SenderKeyMessage.Parse(shortest)).Error);
        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => SenderKeyMessage.Parse(shortest.AsSpan(0, shortest.Length - 1))).Error);
    }

    private byte[] Message(uint chain, PrivateKey signing) =>
        SenderKeyMessage.Create(_distribution, chain, 0, new byte[16], signing, _random);

    private static SignalError Refusal(SenderKeyRecord record, byte[] message) =>
        Assert.Throws<SignalException>(() => record.Decrypt(message)).Error;

    // Of a member whose first message was lost.
    private byte[] StateWithKeptSeed()
    {
        var (sender, key) = SenderKeyRecord.Empty.Distribute(_distribution, _random);
        (sender, _) = sender.Encrypt(_distribution, [0], _random);
        var late = StatesOf(SenderKeyRecord.Empty.Add(key).Decrypt(sender.Encrypt(_distribution, [1], _random).Message).Next)[0];
        Assert.True(StoredFields.Has(late, Kept));
        return late;
    }

    private static List<byte[]> StatesOf(SenderKeyRecord record)
    {
        var states = new List<byte[]>();
        for (var reader = new ProtoReader(record.Serialize().AsSpan(1..^SHA256.HashSizeInBytes)); reader.Next();)
        {
            states.Add(reader.Bytes().ToArray());
        }

        return states;
    }

    private static byte[] Change(byte[] state, int field, Func<byte[], byte[]?> change) => StoredFields.Change(state, field, change, 1, 4);

    private static byte[] WithNumber(byte[] state, int field, uint number) =>
        [.. Change(state, field, _ => null), .. new ProtoWriter().UInt(field, number).Written];

    private static byte[] Record(IEnumerable<byte[]> states) =>
        Checked([Version, .. states.SelectMany(state => new ProtoWriter().Bytes(1, state).ToArray())]);

    private static byte[] Checked(byte[] body) => [.. body, .. SHA256.HashData(body)];

    private static void AssertDamaged(IEnumerable<byte[]> states) => AssertUnreadable(Record(states));

    private static void AssertUnreadable(byte[] stored) =>
        Assert.Equal(SignalError.InvalidRecord, Assert.Throws<SignalException>(() => SenderKeyRecord.Parse(stored)).Error);
}
