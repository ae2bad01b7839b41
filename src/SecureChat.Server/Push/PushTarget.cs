using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Protocol;

namespace SecureChat.Server.Push;

/// <summary>The services that wake devices. The numbers are stored.</summary>
internal enum PushKind : byte
{
    WebPush = 1,
    UnifiedPush = 2,
    Fcm = 3,
    Apns = 4,
}

/// <summary>Where one device is woken. A class, not a record: nothing prints it.</summary>
/// <param name="address">Endpoint or token.</param>
/// <param name="p256dh">65 bytes, or none.</param>
/// <param name="auth">16 bytes, or none.</param>
internal sealed class PushTarget(PushKind kind, string address, byte[] p256dh, byte[] auth)
{
    public const int P256dhBytes = 65;
    public const int AuthBytes = 16;

    public PushKind Kind { get; } = kind;

    public string Address { get; } = address;

    public byte[] P256dh { get; } = p256dh;

    public byte[] Auth { get; } = auth;

    public bool HasKeys => P256dh.Length > 0;

    /// <summary>Encrypts it for one device: version 1, nonce (12), ciphertext, tag (16).</summary>
    /// <remarks>
    /// AES-256-GCM with a random nonce; the device is authenticated with it, so that rows cannot be exchanged. The content is padded to a
    /// multiple of 512 bytes, so that its length does not tell the service.
    /// </remarks>
    public byte[] Seal(byte[] key, DeviceAddress device)
    {
        var address = Encoding.UTF8.GetBytes(Address);
        var length = HeadBytes + P256dh.Length + Auth.Length + address.Length;
        var plain = new byte[(length + Padding - 1) / Padding * Padding];
        plain[0] = (byte)Kind;
        plain[1] = (byte)(HasKeys ? 1 : 0);
        BinaryPrimitives.WriteUInt16BigEndian(plain.AsSpan(2), (ushort)address.Length);
        P256dh.CopyTo(plain, HeadBytes);
        Auth.CopyTo(plain, HeadBytes + P256dh.Length);
        address.CopyTo(plain, length - address.Length);

        var sealedBytes = new byte[1 + NonceBytes + plain.Length + TagBytes];
        sealedBytes[0] = Version;
        RandomNumberGenerator.Fill(sealedBytes.AsSpan(1, NonceBytes));
        using var aes = new AesGcm(key.AsSpan(0, 32), TagBytes);
        aes.Encrypt(
            sealedBytes.AsSpan(1, NonceBytes), plain, sealedBytes.AsSpan(1 + NonceBytes, plain.Length), sealedBytes.AsSpan(^TagBytes..),
            WakeUp.NameOf(device));
        CryptographicOperations.ZeroMemory(plain);
        return sealedBytes;
    }

    /// <summary>Null when it was sealed under another key or for another device.</summary>
    public static PushTarget? Open(byte[] sealedBytes, byte[] key, DeviceAddress device)
    {
        if (sealedBytes.Length < 1 + NonceBytes + TagBytes + HeadBytes || sealedBytes[0] != Version)
        {
            return null;
        }

        var plain = new byte[sealedBytes.Length - 1 - NonceBytes - TagBytes];
        using var aes = new AesGcm(key.AsSpan(0, 32), TagBytes);
        try
        {
            aes.Decrypt(
                sealedBytes.AsSpan(1, NonceBytes), sealedBytes.AsSpan(1 + NonceBytes, plain.Length), sealedBytes.AsSpan(^TagBytes..), plain,
                WakeUp.NameOf(device));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        var keys = plain[1] is 1 ? P256dhBytes + AuthBytes : 0;
        var length = BinaryPrimitives.ReadUInt16BigEndian(plain.AsSpan(2));
        return new PushTarget(
            (PushKind)plain[0],
            Encoding.UTF8.GetString(plain.AsSpan(HeadBytes + keys, length)),
            keys is 0 ? [] : plain[HeadBytes..(HeadBytes + P256dhBytes)],
            keys is 0 ? [] : plain[(HeadBytes + P256dhBytes)..(HeadBytes + keys)]);
    }

    public override string ToString() => nameof(PushTarget);



    private const byte Version = 1;
    private const int HeadBytes = 4;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int Padding = 512;
}
