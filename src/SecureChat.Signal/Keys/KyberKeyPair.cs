using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Keys;

/// <summary>
/// A Kyber1024 key pair: the private half of a post-quantum prekey. Disposing it erases the secret.
/// docs/protocol/sessions.md#kyber.
/// </summary>
public sealed class KyberKeyPair : IDisposable
{
    /// <summary>Size of the serialised private key, in bytes: the type byte 08 and the expanded key of FIPS 203.</summary>
    public const int PrivateKeySize = Kyber1024.PrivateKeySize + 1;

    private readonly byte[] _privateKey;
    private bool _disposed;

    private KyberKeyPair(byte[] privateKey, KyberPublicKey publicKey) => (_privateKey, PublicKey) = (privateKey, publicKey);

    /// <summary>The public key.</summary>
    public KyberPublicKey PublicKey { get; }

    /// <summary>A fresh key pair.</summary>
    public static KyberKeyPair Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var (publicKey, privateKey) = Kyber1024.Generate(random);
        return new KyberKeyPair(privateKey, KyberPublicKey.Parse([KyberPublicKey.TypeByte, .. publicKey]));
    }

    /// <summary>Reads a serialised private key.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidKey"/>: not such a key.</exception>
    public static KyberKeyPair Parse(ReadOnlySpan<byte> serializedPrivateKey)
    {
        if (serializedPrivateKey.Length != PrivateKeySize || serializedPrivateKey[0] != KyberPublicKey.TypeByte)
        {
            throw new SignalException(SignalError.InvalidKey, "A Kyber private key is 3169 bytes that begin with 08.");
        }

        var privateKey = serializedPrivateKey[1..];
        var publicKey = KyberPublicKey.Parse([KyberPublicKey.TypeByte, .. Kyber1024.PublicKeyOf(privateKey)]);
        return Kyber1024.IsConsistent(privateKey)
            ? new KyberKeyPair(privateKey.ToArray(), publicKey)
            : throw new SignalException(SignalError.InvalidKey, "The Kyber private key is damaged.");
    }

    /// <summary>The private key: <see cref="PrivateKeySize"/> bytes, to be stored where only its owner can read it.</summary>
    public byte[] SerializePrivateKey()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return [KyberPublicKey.TypeByte, .. _privateKey];
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(KyberKeyPair);

    /// <inheritdoc/>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_privateKey);
        _disposed = true;
    }

    /// <summary>The secret of a serialised ciphertext: 32 bytes, which nobody knows if it was not made for this key.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidMessage"/>: not a ciphertext.</exception>
    internal byte[] Decapsulate(ReadOnlySpan<byte> ciphertext)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return ciphertext.Length == KyberPublicKey.CiphertextSize && ciphertext[0] == KyberPublicKey.TypeByte
            ? Kyber1024.Decapsulate(_privateKey, ciphertext[1..])
            : throw new SignalException(SignalError.InvalidMessage, "A Kyber ciphertext is 1569 bytes that begin with 08.");
    }
}
