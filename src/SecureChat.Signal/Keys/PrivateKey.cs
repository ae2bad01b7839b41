using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Keys;

/// <summary>
/// An X25519 private key with its public key: agrees on secrets and signs. Disposing it erases the secret.
/// docs/protocol/signatures.md.
/// </summary>
/// <remarks>
/// Erasing is best effort: the runtime may have moved the bytes before, and what was copied out of here is the caller's.
/// </remarks>
public sealed class PrivateKey : IDisposable
{
    /// <summary>Size of the serialised key, in bytes.</summary>
    public const int SerializedSize = 32;

    /// <summary>Size of a secret agreed on, in bytes.</summary>
    public const int AgreementSize = 32;

    private readonly byte[] _scalar;
    private PublicKey? _publicKey;
    private byte[]? _edwardsKey;
    private bool _disposed;

    private PrivateKey(byte[] scalar)
    {
        X25519.Clamp(scalar);
        _scalar = scalar;
    }

    /// <summary>The public key that belongs to this one.</summary>
    public PublicKey PublicKey => _publicKey ??= MakePublicKey();

    /// <summary>A fresh key.</summary>
    public static PrivateKey Generate(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var scalar = new byte[SerializedSize];
        random.Fill(scalar);
        return new PrivateKey(scalar);
    }

    /// <summary>Reads a serialised key, and clamps it if it is not clamped yet.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidKey"/>: not 32 bytes.</exception>
    public static PrivateKey Parse(ReadOnlySpan<byte> serialized) =>
        serialized.Length == SerializedSize
            ? new PrivateKey(serialized.ToArray())
            : throw new SignalException(SignalError.InvalidKey, "A private key is 32 bytes.");

    /// <summary>The secret shared with the holder of another key (RFC 7748).</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidKey"/>: the other key forces an all-zero secret, which everybody knows.
    /// </exception>
    public byte[] Agree(PublicKey other)
    {
        ArgumentNullException.ThrowIfNull(other);
        ObjectDisposedException.ThrowIf(_disposed, this);
        var secret = new byte[AgreementSize];
        return X25519.Agree(_scalar, other.Raw, secret)
            ? secret
            : throw new SignalException(SignalError.InvalidKey, "The public key is of low order.");
    }

    /// <summary>Signs a message: 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        ObjectDisposedException.ThrowIf(_disposed, this);
        _edwardsKey ??= XEdDsa.EdwardsKey(_scalar);
        return XEdDsa.Sign(_scalar, _edwardsKey, message, random);
    }

    /// <summary>The secret itself: 32 bytes, to be stored where only its owner can read it.</summary>
    public byte[] Serialize()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return [.. _scalar];
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(PrivateKey);

    /// <inheritdoc/>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_scalar);
        _disposed = true;
    }

    private PublicKey MakePublicKey()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Span<byte> raw = stackalloc byte[X25519.Size];
        X25519.PublicKey(_scalar, raw);
        return PublicKey.FromRaw(raw);
    }
}
