using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.SealedSender;

/// <summary>Version 1: two layers, the outer hiding the sender's key, the inner authenticated by it.</summary>
internal static class SealedSenderV1
{
    public const byte Version = 0x11;

    private const int MacSize = 10;
    private const int KeySize = 32;

    /// <summary>The version, a one-time key, a static key and its MAC as fields, the tag of the message, and its MAC.</summary>
    private const int Overhead = 1 + (2 + PublicKey.SerializedSize) + (2 + PublicKey.SerializedSize + MacSize) + 1 + MacSize;

    /// <summary>The largest length that protobuf writes in two bytes.</summary>
    private const int MaxTwoByteLength = 0x3FFF;

    /// <summary>How many bytes of content make an envelope of a size.</summary>
    public static int RoomIn(int size) => size - Overhead - (size - Overhead - 2 + MacSize <= MaxTwoByteLength ? 2 : 3);

    public static byte[] Seal(ReadOnlySpan<byte> content, PublicKey recipient, PrivateKey identity, RandomSource random)
    {
        using var ephemeral = PrivateKey.Generate(random);
        var outer = OuterKeys(ephemeral.PublicKey, recipient, ephemeral.Agree(recipient));
        var encryptedStatic = Encrypt(outer.Cipher, outer.Mac, identity.PublicKey.Serialized);
        var inner = InnerKeys(outer.Chain, encryptedStatic, identity.Agree(recipient));
        var encryptedMessage = Encrypt(inner.Cipher, inner.Mac, content);
        return
        [
            Version,
            .. new ProtoWriter()
                .Bytes(1, ephemeral.PublicKey.Serialized)
                .Bytes(2, encryptedStatic)
                .Bytes(3, encryptedMessage)
                .Written,
        ];
    }

    public static SealedContent Open(ReadOnlySpan<byte> envelope, PrivateKey identity)
    {
        var reader = new ProtoReader(envelope);
        PublicKey? ephemeral = null;
        ReadOnlySpan<byte> encryptedStatic = [];
        ReadOnlySpan<byte> encryptedMessage = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    ephemeral = PublicKey.ParseOrNull(reader.Bytes());
                    break;
                case 2:
                    encryptedStatic = reader.Bytes();
                    break;
                case 3:
                    encryptedMessage = reader.Bytes();
                    break;
            }
        }

        if (!reader.IsValid || ephemeral is null)
        {
            throw SealedEnvelope.Malformed();
        }

        var outer = OuterKeys(ephemeral, identity.PublicKey, identity.Agree(ephemeral));
        var sender = Decrypt(outer.Cipher, outer.Mac, encryptedStatic);
        if (!PublicKey.TryParse(sender, out var senderKey))
        {
            throw SealedEnvelope.Malformed();
        }

        var inner = InnerKeys(outer.Chain, encryptedStatic, identity.Agree(senderKey));
        var content = SealedContent.Parse(Decrypt(inner.Cipher, inner.Mac, encryptedMessage));

        // The certificate names the key that made the envelope, or somebody has put another's certificate into theirs.
        return content.Sender.IdentityKey.Equals(senderKey) ? content : throw SealedEnvelope.Malformed();
    }

    private static (byte[] Chain, byte[] Cipher, byte[] Mac) OuterKeys(
        PublicKey ephemeral, PublicKey recipient, byte[] agreed)
    {
        byte[] salt = [.. "UnidentifiedDelivery"u8, .. recipient.Serialized, .. ephemeral.Serialized];
        var keys = Hkdf.Derive(salt, agreed, [], 3 * KeySize);
        CryptographicOperations.ZeroMemory(agreed);
        var parts = (keys[..KeySize], keys[KeySize..(2 * KeySize)], keys[(2 * KeySize)..]);
        Erase(keys);
        return parts;
    }

    /// <summary>The keys of the message. Erases what they are derived from.</summary>
    private static (byte[] Cipher, byte[] Mac) InnerKeys(byte[] chain, ReadOnlySpan<byte> encryptedStatic, byte[] agreed)
    {
        byte[] salt = [.. chain, .. encryptedStatic];
        var keys = Hkdf.Derive(salt, agreed, [], 3 * KeySize);
        CryptographicOperations.ZeroMemory(agreed);

        // The first 32 bytes are derived and not used.
        var parts = (keys[KeySize..(2 * KeySize)], keys[(2 * KeySize)..]);
        Erase(keys, salt, chain);
        return parts;
    }

    private static void Erase(params ReadOnlySpan<byte[]> secrets)
    {
        foreach (var secret in secrets)
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    /// <summary>Encrypts, and erases the keys: they are for this once.</summary>
    private static byte[] Encrypt(byte[] cipherKey, byte[] macKey, ReadOnlySpan<byte> plaintext)
    {
        var ciphertext = AesCtr.Apply(cipherKey, plaintext);
        byte[] encrypted = [.. ciphertext, .. HMACSHA256.HashData(macKey, ciphertext).AsSpan(0, MacSize)];
        Erase(cipherKey, macKey);
        return encrypted;
    }

    /// <summary>Decrypts, and erases the keys.</summary>
    private static byte[] Decrypt(byte[] cipherKey, byte[] macKey, ReadOnlySpan<byte> ciphertext)
    {
        if (ciphertext.Length < MacSize)
        {
            throw SealedEnvelope.Malformed();
        }

        var body = ciphertext[..^MacSize];
        var mac = HMACSHA256.HashData(macKey, body).AsSpan(0, MacSize);
        var plaintext = CryptographicOperations.FixedTimeEquals(mac, ciphertext[^MacSize..])
            ? AesCtr.Apply(cipherKey, body)
            : null;
        Erase(cipherKey, macKey);
        return plaintext ?? throw SealedEnvelope.Malformed();
    }
}
