using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Keys;

/// <summary>
/// A Kyber1024 public key: of a post-quantum prekey. Serialised as the type byte 08 and the 1568 bytes of FIPS 203.
/// docs/protocol/sessions.md#kyber.
/// </summary>
public sealed class KyberPublicKey : IEquatable<KyberPublicKey>
{
    /// <summary>Size of the serialised key, in bytes.</summary>
    public const int SerializedSize = Kyber1024.PublicKeySize + 1;

    /// <summary>Size of a serialised ciphertext, in bytes: the type byte 08 and the 1568 bytes of FIPS 203.</summary>
    public const int CiphertextSize = Kyber1024.CiphertextSize + 1;

    internal const byte TypeByte = 0x08;
    private readonly byte[] _serialized;

    private KyberPublicKey(byte[] serialized) => _serialized = serialized;

    /// <summary>The serialised key, without a copy.</summary>
    internal ReadOnlySpan<byte> Serialized => _serialized;

    /// <summary>Reads a serialised key.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidKey"/>.</exception>
    public static KyberPublicKey Parse(ReadOnlySpan<byte> serialized) =>
        TryParse(serialized, out var key)
            ? key
            : throw new SignalException(SignalError.InvalidKey, "A Kyber key is 1569 bytes that begin with 08.");

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    public static bool TryParse(ReadOnlySpan<byte> serialized, [NotNullWhen(true)] out KyberPublicKey? key)
    {
        key = serialized.Length == SerializedSize
            && serialized[0] == TypeByte
            && Kyber1024.IsValidPublicKey(serialized[1..])
                ? new KyberPublicKey(serialized.ToArray())
                : null;
        return key is not null;
    }

    /// <summary>The serialised key: <see cref="SerializedSize"/> bytes.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <inheritdoc/>
    public bool Equals(KyberPublicKey? other) =>
        other is not null && CryptographicOperations.FixedTimeEquals(_serialized, other._serialized);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as KyberPublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_serialized, 1);

    /// <summary>A fresh secret of 32 bytes, and the serialised ciphertext that tells it to the key's owner alone.</summary>
    internal (byte[] Secret, byte[] Ciphertext) Encapsulate(RandomSource random)
    {
        var (secret, ciphertext) = Kyber1024.Encapsulate(_serialized.AsSpan(1), random);
        return (secret, [TypeByte, .. ciphertext]);
    }
}
