using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Provisioning;
using SecureChat.Signal.Tests.Support;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Tests.Provisioning;

/// <summary>Envelopes that are wrong behind a MAC that is right, which nobody makes by flipping bits.</summary>
public sealed class ProvisioningRefusalTests : IDisposable
{
    private readonly SeededRandom _random = new(41);
    private readonly PrivateKey _device;
    private readonly PrivateKey _ephemeral;

    public ProvisioningRefusalTests() => (_device, _ephemeral) = (PrivateKey.Generate(_random), PrivateKey.Generate(_random));

    public void Dispose()
    {
        _device.Dispose();
        _ephemeral.Dispose();
    }

    [Fact]
    public void The_envelope_of_the_documentation_is_decrypted() =>
        Assert.Equal([7, 7], ProvisioningCipher.Decrypt(_device, Envelope(Body(1, Encrypted([7, 7])))));

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Another_version_is_said_to_be_one(byte version) =>
        AssertRefused(SignalError.UnknownVersion, Envelope(Body(version, Encrypted([7]))));

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(17)]
    public void A_ciphertext_that_is_no_whole_blocks_is_malformed(int size) =>
        AssertRefused(SignalError.InvalidMessage, Envelope(Body(1, new byte[size])));

    [Fact]
    public void A_body_just_long_enough_for_its_parts_is_looked_at_for_its_version() =>
        AssertRefused(SignalError.UnknownVersion, Envelope([9, .. new byte[48]]));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(48)]
    public void A_body_too_short_for_its_parts_is_malformed_whatever_its_version(int size)
    {
        var body = new byte[size];
        body.AsSpan().Fill(9);

        AssertRefused(SignalError.InvalidMessage, Envelope(body));
    }

    [Fact]
    public void An_envelope_without_a_key_or_a_body_or_with_something_cut_off_is_malformed()
    {
        var body = Body(1, Encrypted([7]));

        AssertRefused(SignalError.InvalidMessage, new ProtoWriter().Bytes(2, body).ToArray());
        AssertRefused(SignalError.InvalidMessage, new ProtoWriter().Bytes(1, _ephemeral.PublicKey.Serialized).ToArray());
        AssertRefused(SignalError.InvalidMessage, new ProtoWriter().Bytes(1, new byte[33]).Bytes(2, body).ToArray());
        AssertRefused(SignalError.InvalidMessage, [.. Envelope(body), 0x1A]);
    }

    [Theory]
    [MemberData(nameof(LowOrder.Points), MemberType = typeof(LowOrder))]
    public void A_one_time_key_of_low_order_is_refused_before_a_MAC_that_anybody_could_make(string hex)
    {
        var (low, keys) = (LowOrder.Key(hex), ProvisioningCipher.Keys(LowOrder.Secret()));
        byte[] authenticated = [1, .. new byte[16], .. AesCbc.Encrypt(keys.AsSpan(0, 32), new byte[16], [7])];
        byte[] body = [.. authenticated, .. HMACSHA256.HashData(keys.AsSpan(32), authenticated)];

        AssertRefused(LowOrder.Refusal(low), new ProtoWriter().Bytes(1, low.Serialize()).Bytes(2, body).ToArray());
    }

    private void AssertRefused(SignalError error, byte[] envelope) =>
        Assert.Equal(error, Assert.Throws<SignalException>(() => ProvisioningCipher.Decrypt(_device, envelope)).Error);

    private byte[] Envelope(byte[] body) =>
        new ProtoWriter().Bytes(1, _ephemeral.PublicKey.Serialized).Bytes(2, body).ToArray();

    private byte[] Body(byte version, byte[] ciphertext)
    {
        byte[] authenticated = [version, .. new byte[16], .. ciphertext];
        return [.. authenticated, .. HMACSHA256.HashData(Keys().AsSpan(32), authenticated)];
    }

    private byte[] Encrypted(byte[] plaintext) => AesCbc.Encrypt(Keys().AsSpan(0, 32), new byte[16], plaintext);

    private byte[] Keys() => Hkdf.Derive([], _ephemeral.Agree(_device.PublicKey), "TextSecure Provisioning Message"u8, 64);
}
