using System.Security.Cryptography;
using SecureChat.Signal.Primitives;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Keys;

/// <summary>
/// The long-term key of an account on its devices: what safety numbers are made of, and what signs prekeys. Disposing it
/// erases the secret.
/// </summary>
public sealed class IdentityKeyPair : IDisposable
{
    private const int PublicKeyField = 1;
    private const int PrivateKeyField = 2;

    /// <summary>The identity of this private key, which it takes over.</summary>
    public IdentityKeyPair(PrivateKey privateKey)
    {
        ArgumentNullException.ThrowIfNull(privateKey);
        PrivateKey = privateKey;
    }

    /// <summary>The private key.</summary>
    public PrivateKey PrivateKey { get; }

    /// <summary>The public key, by which others know the account.</summary>
    public PublicKey PublicKey => PrivateKey.PublicKey;

    /// <summary>A fresh identity.</summary>
    public static IdentityKeyPair Generate(RandomSource random) => new(PrivateKey.Generate(random));

    /// <summary>Reads a stored identity.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidRecord"/>: not what <see cref="Serialize"/> gives.
    /// </exception>
    public static IdentityKeyPair Parse(ReadOnlySpan<byte> serialized)
    {
        var reader = new ProtoReader(serialized);
        ReadOnlySpan<byte> publicKey = [];
        ReadOnlySpan<byte> privateKey = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case PublicKeyField:
                    publicKey = reader.Bytes();
                    break;
                case PrivateKeyField:
                    privateKey = reader.Bytes();
                    break;
                default:
                    break;
            }
        }

        // A flipped bit that clamping would set right again is damage like any other.
        if (!reader.IsValid || privateKey.Length != PrivateKey.SerializedSize || !X25519.IsClamped(privateKey))
        {
            throw new SignalException(SignalError.InvalidRecord, "The stored identity is damaged.");
        }

        var pair = new IdentityKeyPair(PrivateKey.Parse(privateKey));
        if (!pair.PublicKey.Serialized.SequenceEqual(publicKey))
        {
            pair.Dispose();
            throw new SignalException(SignalError.InvalidRecord, "The stored identity is damaged.");
        }

        return pair;
    }

    /// <summary>Both keys, in the format of Signal's clients, to be stored where only the owner can read it.</summary>
    public byte[] Serialize()
    {
        var privateKey = PrivateKey.Serialize();
        var serialized = new ProtoWriter()
            .Bytes(PublicKeyField, PublicKey.Serialized)
            .Bytes(PrivateKeyField, privateKey)
            .ToArrayAndErase();
        CryptographicOperations.ZeroMemory(privateKey);
        return serialized;
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(IdentityKeyPair);

    /// <inheritdoc/>
    public void Dispose() => PrivateKey.Dispose();
}
