using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.SealedSender;

/// <summary>
/// Version 2: the content is encrypted once under a key that is then wrapped for each recipient, so that a message to a
/// group is uploaded once.
/// </summary>
internal static class SealedSenderV2
{
    /// <summary>First byte of an envelope as a recipient gets it.</summary>
    public const byte ReceivedVersion = 0x22;

    public const int WrappedKeySize = 32;
    public const int TagSize = 16;
    public const int EphemeralSize = 32;

    private const int SeedSize = 32;

    /// <summary>How many bytes of content make an envelope of a size, as a recipient gets it.</summary>
    public static int RoomIn(int size) => size - 1 - WrappedKeySize - TagSize - EphemeralSize - AesGcmSiv.TagSize;

    /// <summary>The message key of one sending, and the one-time key that follows from it.</summary>
    public static MessageKey NewKey(RandomSource random)
    {
        var seed = new byte[SeedSize];
        random.Fill(seed);
        return new MessageKey(seed);
    }

    public static SealedContent Open(ReadOnlySpan<byte> envelope, PrivateKey identity)
    {
        const int headSize = WrappedKeySize + TagSize + EphemeralSize;
        if (envelope.Length < headSize + AesGcmSiv.TagSize)
        {
            throw SealedEnvelope.Malformed();
        }

        var wrapped = envelope[..WrappedKeySize];
        var tag = envelope.Slice(WrappedKeySize, TagSize);
        var ephemeral = PublicKey.FromRaw(envelope.Slice(WrappedKeySize + TagSize, EphemeralSize));
        var seed = Mask(identity.Agree(ephemeral), ephemeral, identity.PublicKey, wrapped);
        using var key = new MessageKey(seed);

        // The one-time key follows from the seed: another one means that the seed was wrapped by somebody else.
        if (!key.Ephemeral.Equals(ephemeral))
        {
            throw SealedEnvelope.Malformed();
        }

        var plaintext = key.Decrypt(envelope[headSize..]) ?? throw SealedEnvelope.Malformed();
        var content = SealedContent.Parse(plaintext);
        var sender = content.Sender.IdentityKey;
        var expected = SenderTag(identity.Agree(sender), ephemeral, wrapped, sender, identity.PublicKey);
        return CryptographicOperations.FixedTimeEquals(expected, tag) ? content : throw SealedEnvelope.Malformed();
    }

    /// <summary>The part that is made for each recipient: the wrapped seed, and proof of who wrapped it.</summary>
    public static byte[] Wrap(MessageKey key, PublicKey recipient, PrivateKey identity)
    {
        var wrapped = Mask(key.Agree(recipient), key.Ephemeral, recipient, key.Seed);
        var tag = SenderTag(identity.Agree(recipient), key.Ephemeral, wrapped, identity.PublicKey, recipient);
        return [.. wrapped, .. tag];
    }

    /// <summary>Wraps a seed, or unwraps it, which is the same.</summary>
    private static byte[] Mask(byte[] agreed, PublicKey ephemeral, PublicKey recipient, ReadOnlySpan<byte> seed)
    {
        byte[] material = [.. agreed, .. ephemeral.Serialized, .. recipient.Serialized];
        var mask = Hkdf.Derive([], material, "Sealed Sender v2: DH"u8, SeedSize);
        for (var i = 0; i < SeedSize; i++)
        {
            mask[i] ^= seed[i];
        }

        CryptographicOperations.ZeroMemory(agreed);
        CryptographicOperations.ZeroMemory(material);
        return mask;
    }

    private static byte[] SenderTag(
        byte[] agreed, PublicKey ephemeral, ReadOnlySpan<byte> wrapped, PublicKey sender, PublicKey recipient)
    {
        byte[] material =
            [.. agreed, .. ephemeral.Serialized, .. wrapped, .. sender.Serialized, .. recipient.Serialized];
        var tag = Hkdf.Derive([], material, "Sealed Sender v2: DH-sender"u8, TagSize);
        CryptographicOperations.ZeroMemory(agreed);
        CryptographicOperations.ZeroMemory(material);
        return tag;
    }

    /// <summary>Everything that follows from the seed of one sending.</summary>
    internal sealed class MessageKey : IDisposable
    {
        private readonly PrivateKey _ephemeral;
        private readonly byte[] _seed;
        private readonly byte[] _cipherKey;

        public MessageKey(byte[] seed)
        {
            _seed = seed;
            _cipherKey = Hkdf.Derive([], seed, "Sealed Sender v2: K"u8, AesGcmSiv.KeySize);
            var scalar = Hkdf.Derive([], seed, "Sealed Sender v2: r (2023-08)"u8, PrivateKey.SerializedSize);
            _ephemeral = PrivateKey.Parse(scalar);
            CryptographicOperations.ZeroMemory(scalar);
        }

        public PublicKey Ephemeral => _ephemeral.PublicKey;

        public ReadOnlySpan<byte> Seed => _seed;

        public byte[] Agree(PublicKey recipient) => _ephemeral.Agree(recipient);

        /// <summary>A key encrypts one content, so that the nonce can be zero.</summary>
        public byte[] Encrypt(ReadOnlySpan<byte> content) =>
            AesGcmSiv.Encrypt(_cipherKey, stackalloc byte[AesGcmSiv.NonceSize], content, []);

        public byte[]? Decrypt(ReadOnlySpan<byte> ciphertext) =>
            AesGcmSiv.Decrypt(_cipherKey, stackalloc byte[AesGcmSiv.NonceSize], ciphertext, []);

        public void Dispose()
        {
            _ephemeral.Dispose();
            CryptographicOperations.ZeroMemory(_seed);
            CryptographicOperations.ZeroMemory(_cipherKey);
        }
    }
}
