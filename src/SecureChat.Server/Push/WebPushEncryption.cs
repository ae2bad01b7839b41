using System.Buffers.Binary;
using System.Security.Cryptography;

namespace SecureChat.Server.Push;

/// <summary>Message encryption for Web Push: RFC 8291 with the aes128gcm coding of RFC 8188, in one record.</summary>
/// <remarks>Body: salt (16), record size (4), length of the key (1), sender's public key (65), ciphertext, tag (16).</remarks>
internal static class WebPushEncryption
{
    public const int SaltBytes = 16;

    /// <exception cref="CryptographicException"><paramref name="p256dh"/> is not a point of P-256.</exception>
    public static byte[] Encrypt(ReadOnlySpan<byte> message, byte[] p256dh, byte[] auth)
    {
        using var sender = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        return Encrypt(message, p256dh, auth, sender, RandomNumberGenerator.GetBytes(SaltBytes));
    }

    /// <summary>With a sender key and a salt that are used once.</summary>
    public static byte[] Encrypt(ReadOnlySpan<byte> message, byte[] p256dh, byte[] auth, ECDiffieHellman sender, byte[] salt)
    {
        var point = sender.ExportParameters(includePrivateParameters: false).Q;
        byte[] senderKey = [0x04, .. point.X!, .. point.Y!];
        using var receiver = PublicKey(p256dh);
        var shared = sender.DeriveRawSecretAgreement(receiver.PublicKey);
        var secret = HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, 32, auth, [.. "WebPush: info\0"u8, .. p256dh, .. senderKey]);
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 16, salt, "Content-Encoding: aes128gcm\0"u8.ToArray());
        var nonce = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 12, salt, "Content-Encoding: nonce\0"u8.ToArray());

        var body = new byte[SaltBytes + 4 + 1 + senderKey.Length + message.Length + 1 + TagBytes];
        salt.CopyTo(body, 0);
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(SaltBytes), RecordBytes);
        body[SaltBytes + 4] = (byte)senderKey.Length;
        senderKey.CopyTo(body, SaltBytes + 5);

        // The delimiter of the last record.
        byte[] plain = [.. message, 0x02];
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, plain, body.AsSpan(SaltBytes + 5 + senderKey.Length, plain.Length), body.AsSpan(^TagBytes..));
        foreach (var used in (ReadOnlySpan<byte[]>)[shared, secret, key])
        {
            CryptographicOperations.ZeroMemory(used);
        }

        return body;
    }

    /// <summary>Reads a receiver's key.</summary>
    /// <exception cref="CryptographicException">It is not a point of P-256.</exception>
    public static ECDiffieHellman PublicKey(byte[] p256dh) =>
        p256dh is [0x04, ..] and { Length: PushTarget.P256dhBytes }
            ? ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = p256dh[1..33], Y = p256dh[33..] },
            })
            : throw new CryptographicException("Not an uncompressed point.");

    private const int TagBytes = 16;
    private const int RecordBytes = 4096;
}
