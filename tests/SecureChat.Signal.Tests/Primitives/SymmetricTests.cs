using System.Security.Cryptography;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Primitives;

public sealed class SymmetricTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void The_browsers_AES_CBC_equals_the_platforms()
    {
        var random = new SeededRandom(1);
        for (var size = 0; size < 100; size++)
        {
            var (key, iv, plaintext) = (random.Bytes(32), random.Bytes(16), random.Bytes(size));

            var ciphertext = AesCbc.Encrypt(key, iv, plaintext);

            Assert.Equal(ciphertext, AesCbc.Managed(encrypt: true, key, iv, plaintext));
            Assert.Equal(plaintext, AesCbc.Managed(encrypt: false, key, iv, ciphertext));
            Assert.Equal(plaintext, AesCbc.Decrypt(key, iv, ciphertext));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(32)]
    public void What_is_no_AES_CBC_ciphertext_decrypts_to_nothing(int size) =>
        Assert.Null(AesCbc.Decrypt(new byte[32], new byte[16], new byte[size]));

    [Fact]
    public void AES_CTR_is_AES_of_a_counter()
    {
        var random = new SeededRandom(2);
        using var aes = Aes.Create();
        aes.Key = random.Bytes(32);
        var stream = aes.EncryptEcb(
            [.. Enumerable.Range(0, 20).SelectMany(i => new byte[15].Append((byte)i))], PaddingMode.None);
        for (var size = 0; size <= stream.Length; size++)
        {
            Assert.Equal(stream[..size], AesCtr.Apply(aes.Key, new byte[size]));
        }

        byte[] counters = [.. Enumerable.Range(0, 20).SelectMany(i => new byte[15].Append((byte)i))];
        AesCtr.Managed(aes.Key, counters);
        Assert.Equal(stream, counters);
    }

    /// <summary>RFC 8452, appendix C.2: AEAD_AES_256_GCM_SIV.</summary>
    [Theory]
    [InlineData("", "", "07f5f4169bbf55a8400cd47ea6fd400f")]
    [InlineData("0100000000000000", "", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28")]
    [InlineData("0200000000000000", "01", "1de22967237a813291213f267e3b452f02d01ae33e4ec854")]
    public void AES_GCM_SIV_gives_the_vectors_of_the_RFC(string plaintext, string associated, string expected)
    {
        var key = Convert.FromHexString("01".PadRight(64, '0'));
        var nonce = Convert.FromHexString("03".PadRight(24, '0'));

        var ciphertext = AesGcmSiv.Encrypt(
            key, nonce, Convert.FromHexString(plaintext), Convert.FromHexString(associated));

        Assert.Equal(expected, Convert.ToHexStringLower(ciphertext));
    }

    [Fact]
    public async Task AES_GCM_SIV_equals_the_official_clients_and_refuses_every_flipped_bit()
    {
        var random = new SeededRandom(3);
        foreach (var size in new[] { 0, 1, 16, 33, 200 })
        {
            var (key, nonce, message) = (random.Bytes(32), random.Bytes(12), random.Bytes(size));
            var theirs = await peer.CallAsync(
                "gcmSivEncrypt", new { key, nonce, message, aad = Array.Empty<byte>() }, Ct);

            var ours = AesGcmSiv.Encrypt(key, nonce, message, []);

            Assert.Equal(theirs.Bytes("output"), ours);
            Assert.Equal(message, AesGcmSiv.Decrypt(key, nonce, ours, []));
            for (var bit = 0; bit < ours.Length * 8; bit++)
            {
                byte[] changed = [.. ours];
                changed[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.Null(AesGcmSiv.Decrypt(key, nonce, changed, []));
            }
        }
    }

    /// <summary>RFC 5869, test case 1.</summary>
    [Fact]
    public void HKDF_gives_the_vector_of_the_RFC()
    {
        var output = Hkdf.Derive(
            Convert.FromHexString("000102030405060708090a0b0c"),
            Convert.FromHexString("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
            Convert.FromHexString("f0f1f2f3f4f5f6f7f8f9"),
            42);

        Assert.Equal(
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            Convert.ToHexStringLower(output));
    }
}
