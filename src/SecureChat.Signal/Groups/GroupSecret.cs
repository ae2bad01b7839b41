using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Groups;

/// <summary>What the members of a group share: it encrypts the group's state and signs the requests for it. docs/protocol/groups.md#format.</summary>
public sealed class GroupSecret : IDisposable
{
    /// <summary>Bytes of a secret.</summary>
    public const int Size = 32;

    private const byte Boundary = 0x80;
    private const int Overhead = AesGcmSiv.NonceSize + AesGcmSiv.TagSize;
    private readonly byte[] _secret;

    /// <summary>A secret that somebody has told.</summary>
    /// <exception cref="ArgumentException">It is not 32 bytes.</exception>
    public GroupSecret(ReadOnlySpan<byte> secret) =>
        _secret = secret.Length == Size ? secret.ToArray() : throw new ArgumentException("A group's secret is 32 bytes.", nameof(secret));

    /// <summary>The key that signs requests for the state. The caller disposes it.</summary>
    public PrivateKey RequestKey()
    {
        var scalar = Hkdf.Derive([], _secret, "secureChat group key v1"u8, PrivateKey.SerializedSize);
        var key = PrivateKey.Parse(scalar);
        CryptographicOperations.ZeroMemory(scalar);
        return key;
    }

    /// <summary>Pads a state to a power of two and encrypts it.</summary>
    /// <param name="state">The state.</param>
    /// <param name="group">The group's id; the ciphertext is of no use for another.</param>
    /// <param name="version">The state's version; likewise.</param>
    /// <param name="sizes">The smallest and the largest ciphertext, in bytes; both powers of two.</param>
    /// <param name="random">For the nonce.</param>
    /// <exception cref="ArgumentException">It is larger than the largest.</exception>
    public byte[] Encrypt(
        ReadOnlySpan<byte> state, ReadOnlySpan<byte> group, ulong version, (int Smallest, int Largest) sizes, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var size = Math.Max(sizes.Smallest, (int)BitOperations.RoundUpToPowerOf2((uint)(state.Length + 1 + Overhead)));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, sizes.Largest, nameof(state));
        var padded = new byte[size - Overhead];
        state.CopyTo(padded);
        padded[state.Length] = Boundary;
        var nonce = new byte[AesGcmSiv.NonceSize];
        random.Fill(nonce);
        var key = StateKey();
        byte[] encrypted = [.. nonce, .. AesGcmSiv.Encrypt(key, nonce, padded, Bound(group, version))];
        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(padded);
        return encrypted;
    }

    /// <summary>Reads what <see cref="Encrypt"/> made.</summary>
    /// <returns>Null: made under another secret, for another group or version, or changed.</returns>
    public byte[]? Decrypt(ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> group, ulong version)
    {
        if (ciphertext.Length <= Overhead)
        {
            return null;
        }

        var key = StateKey();
        var padded = AesGcmSiv.Decrypt(
            key, ciphertext[..AesGcmSiv.NonceSize], ciphertext[AesGcmSiv.NonceSize..], Bound(group, version));
        CryptographicOperations.ZeroMemory(key);
        var trimmed = padded.AsSpan().TrimEnd((byte)0);
        var state = trimmed.IsEmpty || trimmed[^1] != Boundary ? null : trimmed[..^1].ToArray();
        CryptographicOperations.ZeroMemory(padded);
        return state;
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(GroupSecret);

    /// <inheritdoc/>
    public void Dispose() => CryptographicOperations.ZeroMemory(_secret);

    private byte[] StateKey() => Hkdf.Derive([], _secret, "secureChat group state key v1"u8, AesGcmSiv.KeySize);

    private static byte[] Bound(ReadOnlySpan<byte> group, ulong version)
    {
        var bound = new byte[group.Length + sizeof(ulong)];
        group.CopyTo(bound);
        BinaryPrimitives.WriteUInt64BigEndian(bound.AsSpan(group.Length), version);
        return bound;
    }
}
