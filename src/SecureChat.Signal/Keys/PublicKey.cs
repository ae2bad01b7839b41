using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Keys;

/// <summary>
/// An X25519 public key: of an identity, a prekey or a ratchet. Serialised as the type byte 05 and the 32 bytes of RFC 7748.
/// docs/protocol/signatures.md.
/// </summary>
public sealed class PublicKey : IEquatable<PublicKey>
{
    /// <summary>Size of the serialised key, in bytes.</summary>
    public const int SerializedSize = 33;

    internal const byte TypeByte = 0x05;
    private const int RawSize = 32;
    private readonly byte[] _serialized;

    private PublicKey(byte[] serialized) => _serialized = serialized;

    /// <summary>The 32 bytes without the type.</summary>
    internal ReadOnlySpan<byte> Raw => _serialized.AsSpan(1);

    /// <summary>The serialised key, without a copy.</summary>
    internal ReadOnlySpan<byte> Serialized => _serialized;

    /// <summary>Reads a serialised key.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidKey"/>.</exception>
    public static PublicKey Parse(ReadOnlySpan<byte> serialized) =>
        TryParse(serialized, out var key)
            ? key
            : throw new SignalException(SignalError.InvalidKey, "A public key is 33 bytes that begin with 05, and canonical.");

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    public static bool TryParse(ReadOnlySpan<byte> serialized, [NotNullWhen(true)] out PublicKey? key)
    {
        key = serialized.Length == SerializedSize && serialized[0] == TypeByte && IsReduced(serialized[1..])
            ? new PublicKey(serialized.ToArray())
            : null;
        return key is not null;
    }

    /// <summary>As <see cref="Parse"/>, and null instead of an exception.</summary>
    internal static PublicKey? ParseOrNull(ReadOnlySpan<byte> serialized) =>
        TryParse(serialized, out var key) ? key : null;

    /// <summary>A key from its 32 bytes without the type.</summary>
    internal static PublicKey FromRaw(ReadOnlySpan<byte> raw)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(raw.Length, RawSize);
        return new PublicKey([TypeByte, .. raw]);
    }

    /// <summary>The serialised key: <see cref="SerializedSize"/> bytes.</summary>
    public byte[] Serialize() => [.. _serialized];

    /// <summary>Whether a signature of 64 bytes over the message was made with the private key of this one.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => XEdDsa.Verify(Raw, message, signature);

    /// <summary>Whether the key is in canonical form and of prime order; what a peer sends as a base key must be.</summary>
    public bool IsCanonical() => XEdDsa.IsCanonical(Raw);

    /// <summary>Whether u is below 2^255 - 19: a second way of writing the same key would be another key to a comparison.</summary>
    private static bool IsReduced(ReadOnlySpan<byte> raw) =>
        raw[^1] < 0x7F || (raw[^1] == 0x7F && (raw[0] < 0xED || raw[1..^1].ContainsAnyExcept((byte)0xFF)));

    /// <inheritdoc/>
    public bool Equals(PublicKey? other) =>
        other is not null && CryptographicOperations.FixedTimeEquals(_serialized, other._serialized);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_serialized, 1);
}
