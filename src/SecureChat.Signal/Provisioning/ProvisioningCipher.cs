using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Provisioning;

/// <summary>
/// Carries what a new device needs from the primary device to it: the new device shows a one-time public key as a code, the
/// primary encrypts to that key. docs/protocol/provisioning.md.
/// </summary>
/// <remarks>
/// The only proof that the key is the new device's is that it was scanned from its screen. A key that came any other way
/// may be an attacker's, and linking it gives the account away.
/// </remarks>
public static class ProvisioningCipher
{
    private const byte Version = 1;
    private const int MacSize = 32;

    /// <summary>Encrypts for a new device.</summary>
    /// <param name="device">The public key that was scanned.</param>
    /// <param name="plaintext">What the device needs.</param>
    /// <param name="random">For the one-time key and the initialisation vector.</param>
    /// <returns>A protobuf: {1: one-time public key, 2: version, IV, ciphertext and MAC}.</returns>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidKey"/>: the key that was scanned is of low order.</exception>
    public static byte[] Encrypt(PublicKey device, ReadOnlySpan<byte> plaintext, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(random);
        using var ephemeral = PrivateKey.Generate(random);
        var keys = Keys(ephemeral.Agree(device));
        Span<byte> iv = stackalloc byte[AesCbc.IvSize];
        random.Fill(iv);
        byte[] authenticated = [Version, .. iv, .. AesCbc.Encrypt(keys.AsSpan(0, AesCbc.KeySize), iv, plaintext)];
        byte[] body = [.. authenticated, .. HMACSHA256.HashData(keys.AsSpan(AesCbc.KeySize), authenticated)];
        CryptographicOperations.ZeroMemory(keys);
        return new ProtoWriter().Bytes(1, ephemeral.PublicKey.Serialized).Bytes(2, body).ToArray();
    }

    /// <summary>Decrypts on the new device.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidMessage"/>: malformed, tampered with, or for another key;
    /// <see cref="SignalError.InvalidKey"/>: its one-time key is of low order, so that anybody could have made it;
    /// <see cref="SignalError.UnknownVersion"/>: another version.
    /// </exception>
    public static byte[] Decrypt(PrivateKey device, ReadOnlySpan<byte> envelope)
    {
        ArgumentNullException.ThrowIfNull(device);
        var reader = new ProtoReader(envelope);
        PublicKey? ephemeral = null;
        ReadOnlySpan<byte> body = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    ephemeral = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 2:
                    body = reader.Bytes();
                    break;
            }
        }

        if (!reader.IsValid || ephemeral is null || body.Length < 1 + AesCbc.IvSize + MacSize)
        {
            throw Malformed();
        }

        if (body[0] != Version)
        {
            throw new SignalException(SignalError.UnknownVersion, "The provisioning message's version is not known.");
        }

        var keys = Keys(device.Agree(ephemeral));
        var authenticated = body[..^MacSize];
        var mac = HMACSHA256.HashData(keys.AsSpan(AesCbc.KeySize), authenticated);
        var plaintext = CryptographicOperations.FixedTimeEquals(mac, body[^MacSize..])
            ? AesCbc.Decrypt(keys.AsSpan(0, AesCbc.KeySize), body.Slice(1, AesCbc.IvSize), authenticated[(1 + AesCbc.IvSize)..])
            : null;
        CryptographicOperations.ZeroMemory(keys);
        return plaintext ?? throw Malformed();
    }

    /// <summary>The key of the cipher, and behind it the key of the MAC. Erases the secret.</summary>
    internal static byte[] Keys(byte[] agreed)
    {
        var keys = Hkdf.Derive([], agreed, "TextSecure Provisioning Message"u8, AesCbc.KeySize + MacSize);
        CryptographicOperations.ZeroMemory(agreed);
        return keys;
    }

    private static SignalException Malformed() =>
        new(SignalError.InvalidMessage, "The provisioning message is malformed, tampered with, or for another device.");
}
