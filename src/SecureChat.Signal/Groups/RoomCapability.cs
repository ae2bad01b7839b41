using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Groups;

/// <summary>The right to join the room of a group's call, from what the members share. Spec: docs/protocol/calls.md#joining.</summary>
public static class RoomCapability
{
    /// <summary>Bytes of a capability, and of the key of signals.</summary>
    public const int Size = 32;

    /// <summary>Bytes of a room's name.</summary>
    public const int RoomSize = 16;

    /// <summary>What the server is shown.</summary>
    /// <param name="secret">The group's, 32 bytes.</param>
    /// <exception cref="ArgumentException">It is not 32 bytes.</exception>
    public static byte[] Derive(ReadOnlySpan<byte> secret) => Derive(secret, "securechat room capability"u8);

    /// <summary>The key that seals signals, which the server is never shown.</summary>
    /// <param name="secret">The group's, 32 bytes.</param>
    /// <exception cref="ArgumentException">It is not 32 bytes.</exception>
    public static byte[] SignalKey(ReadOnlySpan<byte> secret) => Derive(secret, "securechat room signals"u8);

    /// <summary>The name under which the server knows the room.</summary>
    /// <param name="capability">What <see cref="Derive(ReadOnlySpan{byte})"/> made.</param>
    public static byte[] Room(ReadOnlySpan<byte> capability) => SHA256.HashData([.. "securechat room"u8, .. capability])[..RoomSize];

    private static byte[] Derive(ReadOnlySpan<byte> secret, ReadOnlySpan<byte> info) => secret.Length == GroupSecret.Size
        ? Hkdf.Derive([], secret, info, Size)
        : throw new ArgumentException("A group's secret is 32 bytes.", nameof(secret));
}
