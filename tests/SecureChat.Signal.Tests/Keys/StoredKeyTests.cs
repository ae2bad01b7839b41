using System.Security.Cryptography;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Media;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Keys;

/// <summary>Keys as they are stored and compared: what is a little wrong is refused, and said to be wrong.</summary>
public sealed class StoredKeyTests : IDisposable
{
    private static readonly DateTimeOffset Made = new(2026, 3, 2, 6, 0, 0, TimeSpan.Zero);
    private readonly SeededRandom _random = new(46);
    private readonly IdentityKeyPair _identity;

    public StoredKeyTests() => _identity = new IdentityKeyPair(PrivateKey.Generate(_random));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _identity.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void A_private_key_has_32_bytes(int size)
    {
        AssertRefused(SignalError.InvalidKey, () => PrivateKey.Parse(new byte[size]));
        AssertRefused(SignalError.InvalidRecord, () => IdentityKeyPair.Parse(Fields(_identity.PublicKey.Serialized, new byte[size], first: 1)));
        AssertRefused(SignalError.InvalidRecord, () => PreKeyRecord.Parse([0x08, 0x01, .. Fields(_identity.PublicKey.Serialized, new byte[size], first: 2)]));
    }

    [Fact]
    public void A_stored_identity_ends_where_it_ends_and_its_halves_belong_together()
    {
        using var other = PrivateKey.Generate(_random);

        AssertRefused(SignalError.InvalidRecord, () => IdentityKeyPair.Parse([.. _identity.Serialize(), 0x08]));
        AssertRefused(SignalError.InvalidRecord, () => IdentityKeyPair.Parse(Fields(_identity.PublicKey.Serialized, other.Serialize(), first: 1)));
    }

    [Fact]
    public void A_stored_prekey_has_both_halves_and_a_time_that_there_is()
    {
        using var key = SignedPreKeyRecord.Generate(5, _identity, Made, _random);
        using var other = PrivateKey.Generate(_random);
        var stored = FieldsOf(key.Serialize());
        byte[] At(ulong time) => [.. stored, .. new ProtoWriter().Fixed64(StoredPreKey.CreatedAtField, time).Written];

        using var read = SignedPreKeyRecord.Parse(stored);
        using var last = SignedPreKeyRecord.Parse(At((ulong)DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()));

        Assert.Equal((5u, Made, key.PrivateKey.PublicKey), (read.Id, read.CreatedAt, read.PrivateKey.PublicKey));
        Assert.Equal(key.Signature.ToArray(), read.Signature.ToArray());
        Assert.Equal(9999, last.CreatedAt.Year);
        AssertRefused(SignalError.InvalidRecord, () => SignedPreKeyRecord.Parse(At((ulong)DateTimeOffset.MaxValue.ToUnixTimeMilliseconds() + 1)));
        AssertRefused(SignalError.InvalidRecord, () => SignedPreKeyRecord.Parse(At(ulong.MaxValue)));
        AssertRefused(SignalError.InvalidRecord, () => SignedPreKeyRecord.Parse([.. stored, 0x08]));
        AssertRefused(SignalError.InvalidRecord, () => PreKeyRecord.Parse([0x08, 0x01, .. Fields(_identity.PublicKey.Serialized, other.Serialize(), first: 2)]));
    }

    [Fact]
    public void Every_flipped_bit_and_every_prefix_of_a_stored_prekey_or_identity_is_noticed()
    {
        using var once = PreKeyRecord.Generate(5, _random);
        using var signed = SignedPreKeyRecord.Generate(6, _identity, Made, _random);
        using var kyber = KyberPreKeyRecord.Generate(7, _identity, Made, _random);

        AssertEveryChangeNoticed(once.Serialize(), stored => PreKeyRecord.Parse(stored));
        AssertEveryChangeNoticed(signed.Serialize(), stored => SignedPreKeyRecord.Parse(stored));
        AssertEveryChangeNoticed(kyber.Serialize(), stored => KyberPreKeyRecord.Parse(stored));
        AssertEveryChangeNoticed(_identity.Serialize(), stored => IdentityKeyPair.Parse(stored));
    }

    [Fact]
    public void A_prekey_from_before_there_was_a_checksum_is_read_and_stored_with_one()
    {
        using var kyber = KyberPreKeyRecord.Generate(7, _identity, Made, _random);
        var stored = kyber.Serialize();

        using var read = KyberPreKeyRecord.Parse(FieldsOf(stored));

        Assert.Equal(stored, read.Serialize());
    }

    [Fact]
    public void A_stored_Kyber_prekey_has_both_halves()
    {
        using var key = KyberPreKeyRecord.Generate(5, _identity, Made, _random);
        using var other = KyberKeyPair.Generate(_random);
        using var read = KyberPreKeyRecord.Parse(key.Serialize());
        var secret = key.KeyPair.SerializePrivateKey();
        byte[] Of(ReadOnlySpan<byte> publicKey, byte[] privateKey) => StoredPreKey.Write(5, publicKey, privateKey).ToArray();

        Assert.Equal((5u, Made, key.KeyPair.PublicKey), (read.Id, read.CreatedAt, read.KeyPair.PublicKey));
        Assert.False(key.KeyPair.PublicKey.Equals(other.PublicKey));
        Assert.False(key.KeyPair.PublicKey.Equals(null));
        AssertRefused(SignalError.InvalidRecord, () => KyberPreKeyRecord.Parse(Of(other.PublicKey.Serialized, secret)));
        AssertRefused(SignalError.InvalidRecord, () => KyberPreKeyRecord.Parse(Of(key.KeyPair.PublicKey.Serialized, secret[1..])));
        secret[0] = 0x0A;
        AssertRefused(SignalError.InvalidRecord, () => KyberPreKeyRecord.Parse(Of(key.KeyPair.PublicKey.Serialized, secret)));
    }

    [Fact]
    public void A_Kyber_ciphertext_has_its_size_and_type()
    {
        using var key = KyberKeyPair.Generate(_random);
        var (secret, ciphertext) = key.PublicKey.Encapsulate(_random);

        Assert.Equal(secret, key.Decapsulate(ciphertext));
        AssertRefused(SignalError.InvalidMessage, () => key.Decapsulate([]));
        AssertRefused(SignalError.InvalidMessage, () => key.Decapsulate(ciphertext.AsSpan(0, ciphertext.Length - 1)));
        AssertRefused(SignalError.InvalidMessage, () => key.Decapsulate([.. ciphertext, 0]));
        ciphertext[0] = 0x0A;
        AssertRefused(SignalError.InvalidMessage, () => key.Decapsulate(ciphertext));
    }

    /// <summary>Under such a key one signature in eight, of four or of two would be right for any message.</summary>
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    [InlineData("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    public void Nothing_is_signed_by_a_key_of_low_order(string hex)
    {
        var low = Convert.FromHexString(hex);
        var s = new byte[Scalar25519.Size];
        s[0] = 5;
        byte[] signature = [.. XEdDsa.EdwardsKey(s), .. s];

        for (var i = 0; i < 64; i++)
        {
            signature[^1] = (byte)(i % 2 * 0x80);
            Assert.False(XEdDsa.Verify(low, [(byte)i], signature));
        }
    }

    [Fact]
    public async Task The_store_in_memory_remembers_handshakes_and_keeps_the_key_of_last_resort()
    {
        var stores = new InMemoryStores();
        using var once = KyberPreKeyRecord.Generate(1, _identity, Made, _random);
        using var last = KyberPreKeyRecord.Generate(2, _identity, Made, _random);
        stores.Add(once, lastResort: false);
        stores.Add(last, lastResort: true);
        HandshakeUse[] uses = [new(1, 3, _identity.PublicKey), new(2, 3, _identity.PublicKey)];

        Assert.False(await stores.WasUsedAsync(uses[0], Ct));
        foreach (var use in uses)
        {
            await stores.MarkUsedAsync(use, Ct);
            Assert.True(await stores.WasUsedAsync(use, Ct));
        }

        Assert.False(await stores.WasUsedAsync(uses[0] with { SignedPreKeyId = 4 }, Ct));
        Assert.Null(await stores.LoadKyberAsync(1, Ct));
        Assert.NotNull(await stores.LoadKyberAsync(2, Ct));
    }

    [Fact]
    public void What_is_no_service_id_leaves_none_behind()
    {
        Assert.False(ServiceId.TryParse("f47ac10b58cc4372a5670e02b2c3d479", out var text));
        Assert.False(ServiceId.TryParse([2, .. new byte[15], 9], out var binary));

        Assert.Equal((default, default), (text, binary));
    }

    [Fact]
    public void A_file_has_at_most_its_longest_length_and_ends()
    {
        using var longest = new MediaDecryption(new byte[32], MediaFormat.MaxContentLength);
        AssertRefused(SignalError.InvalidMessage, () => new MediaDecryption(new byte[32], MediaFormat.MaxContentLength + 1L).Dispose());
        var key = MediaEncryption.NewKey(RandomSource.System);
        using var encryption = new MediaEncryption(key, 1);
        var (header, segment) = (new byte[MediaFormat.HeaderSize], new byte[MediaFormat.SegmentSize + MediaFormat.TagSize]);
        encryption.WriteHeader(header);
        var size = encryption.EncryptNext([7], segment);
        using var decryption = new MediaDecryption(key, 1);
        decryption.ReadHeader(header);

        decryption.DecryptNext(segment.AsSpan(0, size), new byte[MediaFormat.SegmentSize]);

        Assert.Equal(0, decryption.NextSegment);
    }

    private static void AssertEveryChangeNoticed(byte[] stored, Func<byte[], IDisposable> parse)
    {
        parse(stored).Dispose();
        foreach (var changed in Bits.Flips(stored).Concat(Bits.Prefixes(stored)))
        {
            AssertRefused(SignalError.InvalidRecord, () => parse(changed).Dispose());
        }
    }

    /// <summary>A stored prekey without its version and checksum.</summary>
    private static byte[] FieldsOf(byte[] stored) => stored[1..^SHA256.HashSizeInBytes];

    private static byte[] Fields(ReadOnlySpan<byte> one, byte[] two, int first) => new ProtoWriter().Bytes(first, one).Bytes(first + 1, two).ToArray();

    private static void AssertRefused(SignalError error, Action read) => Assert.Equal(error, Assert.Throws<SignalException>(read).Error);
}
