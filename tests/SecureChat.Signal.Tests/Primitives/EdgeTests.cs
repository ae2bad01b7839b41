using System.Numerics;
using System.Security.Cryptography;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Primitives;

/// <summary>What is just still accepted next to what is not any more, which random values never meet.</summary>
public sealed class EdgeTests
{
    private readonly SeededRandom _random = new(81);

    [Theory]
    [InlineData(-1, true)]
    [InlineData(0, false)]
    [InlineData(1, false)]
    public void A_scalar_is_reduced_below_the_order_and_not_at_it(int more, bool isReduced)
    {
        var scalar = (new BigInteger(Scalar25519.OrderBytes, isUnsigned: true) + more).ToByteArray(isUnsigned: true);

        Assert.Equal(isReduced, Scalar25519.IsReduced(scalar));
    }

    [Fact]
    public void What_is_shorter_than_a_tag_is_not_authentic()
    {
        var (key, nonce) = (new byte[AesGcmSiv.KeySize], new byte[AesGcmSiv.NonceSize]);

        Assert.All(Enumerable.Range(0, AesGcmSiv.TagSize), size => Assert.Null(AesGcmSiv.Decrypt(key, nonce, new byte[size], [])));
        Assert.NotNull(AesGcmSiv.Decrypt(key, nonce, AesGcmSiv.Encrypt(key, nonce, [], []), []));
    }

    [Fact]
    public void A_Kyber_key_of_another_size_is_none()
    {
        var (key, _) = Kyber1024.Generate(_random);

        Assert.True(Kyber1024.IsValidPublicKey(key));
        Assert.False(Kyber1024.IsValidPublicKey(key.AsSpan(1)));
        Assert.False(Kyber1024.IsValidPublicKey([.. key, 0]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2_000)]
    public void The_nonce_of_a_signature_is_the_hash_that_the_specification_names(int size)
    {
        using var key = PrivateKey.Generate(_random);
        var message = _random.Bytes(size);
        var chance = new SeededRandom(5).Bytes(64);

        var signature = key.Sign(message, new SeededRandom(5));

        var nonce = new byte[Scalar25519.Size];
        Scalar25519.Reduce(
            SHA512.HashData([0xFE, .. Enumerable.Repeat((byte)0xFF, 31), .. key.Serialize(), .. message, .. chance]), nonce);
        var expected = new byte[EdwardsPoint.EncodedSize];
        EdwardsBase.Multiply(nonce).Encode(expected);
        Assert.Equal(expected, signature[..32]);
    }

    [Fact]
    public void A_text_that_is_no_id_gives_none()
    {
        var sign = ServiceId.TryParse("+1234567-0000-4000-8000-000000000001", out var id);

        Assert.False(sign);
        Assert.Equal(default, id);
    }
}
