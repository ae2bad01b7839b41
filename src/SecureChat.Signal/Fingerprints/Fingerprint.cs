using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace SecureChat.Signal.Fingerprints;

/// <summary>What comparing two fingerprints showed.</summary>
public enum FingerprintComparison
{
    /// <summary>Each side sees the other's true identity key: nobody is in between.</summary>
    Match,

    /// <summary>The keys or the people differ: somebody may be in between, or another conversation was scanned.</summary>
    Mismatch,

    /// <summary>The other app makes fingerprints of another version; one of the two needs an update.</summary>
    VersionMismatch,
}

/// <summary>
/// The safety number of two people: the same on both their screens exactly when each has the other's true identity key.
/// docs/protocol/fingerprints.md.
/// </summary>
public sealed class Fingerprint
{
    /// <summary>The version whose identifiers are the 16 bytes of account ids.</summary>
    public const int Version = 2;

    /// <summary>How often each half is hashed: what slows down a search for a key with a similar number.</summary>
    public const int Iterations = 5200;

    private const int IdentitySize = 33;
    private const int ScannedSize = 32;
    private const int DisplayedGroups = 6;
    private const int GroupSize = 5;

    private readonly int _version;
    private readonly byte[] _local;
    private readonly byte[] _remote;

    private Fingerprint(int version, byte[] local, byte[] remote) =>
        (_version, _local, _remote) = (version, local, remote);

    /// <summary>Sixty digits to read aloud or to compare by eye, the same on both sides.</summary>
    public string Display
    {
        get
        {
            var (local, remote) = (Digits(_local), Digits(_remote));
            return string.CompareOrdinal(local, remote) <= 0 ? local + remote : remote + local;
        }
    }

    /// <summary>The fingerprint of oneself and somebody else.</summary>
    /// <param name="localId">One's own identifier: the account id as 16 bytes.</param>
    /// <param name="localKey">One's own identity key, serialised: 33 bytes.</param>
    /// <param name="remoteId">The other's identifier.</param>
    /// <param name="remoteKey">The other's identity key, serialised: 33 bytes.</param>
    public static Fingerprint Create(
        ReadOnlySpan<byte> localId, ReadOnlySpan<byte> localKey, ReadOnlySpan<byte> remoteId, ReadOnlySpan<byte> remoteKey) =>
        Create(Iterations, Version, localId, localKey, remoteId, remoteKey);

    /// <summary>With another number of iterations and version: for the vectors of other implementations.</summary>
    internal static Fingerprint Create(
        int iterations,
        int version,
        ReadOnlySpan<byte> localId,
        ReadOnlySpan<byte> localKey,
        ReadOnlySpan<byte> remoteId,
        ReadOnlySpan<byte> remoteKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(localKey.Length, IdentitySize);
        ArgumentOutOfRangeException.ThrowIfNotEqual(remoteKey.Length, IdentitySize);
        var (local, remote) = (FirstHash(localId, localKey), FirstHash(remoteId, remoteKey));
        HashPair.Iterate(iterations - 1, local, localKey, remote, remoteKey);
        return new Fingerprint(version, local, remote);
    }

    /// <summary>The content of the code that the other side scans.</summary>
    public byte[] Scannable() => ScannableFingerprint.Serialize((uint)_version, _local.AsSpan(0, ScannedSize),
        _remote.AsSpan(0, ScannedSize));

    /// <summary>Compares with what was scanned from the other side's screen.</summary>
    /// <exception cref="SignalException">
    /// The code is no fingerprint at all: <see cref="SignalError.InvalidMessage"/>.
    /// </exception>
    public FingerprintComparison Compare(ReadOnlySpan<byte> scanned)
    {
        var (version, theirLocal, theirRemote) = ScannableFingerprint.Parse(scanned);
        if (version != _version)
        {
            return FingerprintComparison.VersionMismatch;
        }

        // Crosswise: what is local to one side is remote to the other.
        var match = CryptographicOperations.FixedTimeEquals(theirRemote, _local.AsSpan(0, ScannedSize))
            & CryptographicOperations.FixedTimeEquals(theirLocal, _remote.AsSpan(0, ScannedSize));
        return match ? FingerprintComparison.Match : FingerprintComparison.Mismatch;
    }

    private static byte[] FirstHash(ReadOnlySpan<byte> id, ReadOnlySpan<byte> key) =>
        SHA512.HashData([0, 0, .. key, .. id, .. key]);

    private static string Digits(byte[] hash)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        var digits = string.Empty;
        for (var group = 0; group < DisplayedGroups; group++)
        {
            wide.Clear();
            hash.AsSpan(group * GroupSize, GroupSize).CopyTo(wide[(sizeof(ulong) - GroupSize)..]);
            var number = BinaryPrimitives.ReadUInt64BigEndian(wide) % 100_000;
            digits += number.ToString("D5", CultureInfo.InvariantCulture);
        }

        return digits;
    }
}
