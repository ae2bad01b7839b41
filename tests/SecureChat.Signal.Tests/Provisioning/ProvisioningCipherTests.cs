using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;
using SecureChat.Tests;

namespace SecureChat.Signal.Tests.Provisioning;

public sealed class ProvisioningCipherTests(LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(700)]
    public void What_is_encrypted_for_a_device_is_decrypted_by_it(int size)
    {
        var random = new SeededRandom(1);
        using var device = PrivateKey.Generate(random);
        var plaintext = random.Bytes(size);

        var envelope = ProvisioningCipher.Encrypt(device.PublicKey, plaintext, random);

        Assert.Equal(plaintext, ProvisioningCipher.Decrypt(device, envelope));
    }

    /// <summary>The documented form, made from the official client's own agreement and key derivation.</summary>
    [Fact]
    public async Task An_envelope_put_together_with_the_official_clients_primitives_is_decrypted()
    {
        var random = new SeededRandom(2);
        using var device = PrivateKey.Generate(random);
        var ephemeral = await peer.CallAsync("genKey", new { }, Ct);
        var (iv, plaintext) = (random.Bytes(16), random.Bytes(50));
        var keys = await OfficialKeysAsync(ephemeral.Bytes("privateKey"), device.PublicKey.Serialize());
        using var aes = Aes.Create();
        aes.Key = keys[..32];
        byte[] authenticated = [1, .. iv, .. aes.EncryptCbc(plaintext, iv)];
        byte[] body = [.. authenticated, .. HMACSHA256.HashData(keys.AsSpan(32), authenticated)];

        var envelope = new ProtoWriter().Bytes(1, ephemeral.Bytes("publicKey")).Bytes(2, body).ToArray();

        Assert.Equal(plaintext, ProvisioningCipher.Decrypt(device, envelope));
    }

    [Fact]
    public async Task Our_envelope_comes_apart_with_the_official_clients_primitives()
    {
        var random = new SeededRandom(3);
        var device = await peer.CallAsync("genKey", new { }, Ct);
        var plaintext = random.Bytes(33);

        var envelope = ProvisioningCipher.Encrypt(PublicKey.Parse(device.Bytes("publicKey")), plaintext, random);

        Assert.Equal([0x0A, 33, 5], envelope[..3]);
        Assert.Equal(0x12, envelope[35]);
        var (ephemeral, body) = (envelope[2..35], envelope[37..]);
        var keys = await OfficialKeysAsync(device.Bytes("privateKey"), ephemeral);
        using var aes = Aes.Create();
        aes.Key = keys[..32];
        Assert.Equal(HMACSHA256.HashData(keys.AsSpan(32), body.AsSpan(0, body.Length - 32)), body[^32..]);
        Assert.Equal(plaintext, aes.DecryptCbc(body.AsSpan(17, body.Length - 49), body.AsSpan(1, 16)));
    }

    [Fact]
    public void Every_flipped_bit_and_every_prefix_is_refused()
    {
        var random = new SeededRandom(4);
        using var device = PrivateKey.Generate(random);
        var envelope = ProvisioningCipher.Encrypt(device.PublicKey, random.Bytes(20), random);

        foreach (var changed in Bits.Flips(envelope).Concat(Bits.Prefixes(envelope)))
        {
            Assert.Throws<SignalException>(() => ProvisioningCipher.Decrypt(device, changed));
        }
    }

    [Fact]
    public void Another_device_cannot_read_it()
    {
        var random = new SeededRandom(5);
        using var device = PrivateKey.Generate(random);
        using var other = PrivateKey.Generate(random);
        var envelope = ProvisioningCipher.Encrypt(device.PublicKey, [1], random);

        Assert.Equal(
            SignalError.InvalidMessage,
            Assert.Throws<SignalException>(() => ProvisioningCipher.Decrypt(other, envelope)).Error);
    }

    private async Task<byte[]> OfficialKeysAsync(byte[] privateKey, byte[] publicKey)
    {
        var agreed = await peer.CallAsync("agree", new { privateKey, publicKey }, Ct);
        var derived = await peer.CallAsync(
            "hkdf", new { key = agreed.Bytes("secret"), info = "TextSecure Provisioning Message"u8.ToArray(), length = 64 }, Ct);
        return derived.Bytes("output");
    }
}
