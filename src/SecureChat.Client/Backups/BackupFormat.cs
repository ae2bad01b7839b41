using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Media;

namespace SecureChat.Client.Backups;

/// <summary>
/// A backup as it is kept: a manifest and a body, each encrypted as a file of the media relay under a key of its own.
/// Spec: docs/protocol/backups.md#format.
/// </summary>
internal static class BackupFormat
{
    private const int SaltSize = 32;

    /// <summary>A manifest is padded to one size.</summary>
    private const int ManifestContent = 128;

    private static ReadOnlySpan<byte> ManifestPurpose => "secureChat backup manifest v1"u8;

    private static ReadOnlySpan<byte> BodyPurpose => "secureChat backup body v1"u8;

    /// <summary>Bytes of every encrypted manifest.</summary>
    public static int ManifestSize => SaltSize + (int)MediaFormat.FileLength(ManifestContent);

    /// <summary>Encrypts a body for a version; no key is used twice.</summary>
    public static (byte[] Manifest, byte[] Body) Seal(RecoveryKey key, ulong version, DateTimeOffset made, byte[] body)
    {
        var manifest = new BackupManifest
        {
            Version = version,
            BodySalt = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(SaltSize)),
            BodyLength = (ulong)body.Length,
            Made = made.Milliseconds(),
        };
        var plain = new byte[ManifestContent];
        plain[0] = (byte)manifest.CalculateSize();
        manifest.WriteTo(plain.AsSpan(1, plain[0]));
        var salt = RandomNumberGenerator.GetBytes(SaltSize);
        return ([.. salt, .. Encrypt(key.Derive(salt, ManifestPurpose), plain)], Encrypt(BodyKey(key, manifest), body));
    }

    /// <exception cref="BackupException">Another key, or damaged.</exception>
    public static BackupManifest OpenManifest(RecoveryKey key, byte[] sealedManifest)
    {
        if (sealedManifest.Length != ManifestSize)
        {
            throw new BackupException(BackupFault.Damaged);
        }

        var plain = Decrypt(key.Derive(sealedManifest.AsSpan(0, SaltSize), ManifestPurpose), sealedManifest.AsSpan(SaltSize), ManifestContent);
        try
        {
            return plain[0] < plain.Length ? BackupManifest.Parser.ParseFrom(plain, 1, plain[0]) : throw new BackupException(BackupFault.Damaged);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new BackupException(BackupFault.Damaged, e);
        }
    }

    /// <summary>Encrypted bytes of the body that a manifest speaks of.</summary>
    /// <exception cref="BackupException">No body has that length.</exception>
    public static int BodySize(BackupManifest manifest) => manifest.BodyLength is > 0 and <= MediaFormat.MaxContentLength
        ? (int)MediaFormat.FileLength((long)manifest.BodyLength)
        : throw new BackupException(BackupFault.Damaged);

    /// <exception cref="BackupException">It is not the body that the manifest speaks of, or damaged.</exception>
    public static byte[] OpenBody(RecoveryKey key, BackupManifest manifest, byte[] body) => body.Length == BodySize(manifest)
        ? Decrypt(BodyKey(key, manifest), body, (long)manifest.BodyLength)
        : throw new BackupException(BackupFault.Damaged);

    private static byte[] BodyKey(RecoveryKey key, BackupManifest manifest)
    {
        var version = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(version, manifest.Version);
        return key.Derive(manifest.BodySalt.Span, [.. BodyPurpose, .. version]);
    }

    private static byte[] Encrypt(byte[] key, ReadOnlySpan<byte> content)
    {
        using var encryption = new MediaEncryption(key, content.Length);
        CryptographicOperations.ZeroMemory(key);
        var file = new byte[MediaFormat.FileLength(content.Length)];
        encryption.WriteHeader(file);
        var (from, to) = (0, MediaFormat.HeaderSize);
        while (!encryption.IsDone)
        {
            var next = encryption.NextContent;
            to += encryption.EncryptNext(content.Slice(from, next), file.AsSpan(to));
            from += next;
        }

        return file;
    }

    private static byte[] Decrypt(byte[] key, ReadOnlySpan<byte> file, long length)
    {
        using var decryption = new MediaDecryption(key, length);
        CryptographicOperations.ZeroMemory(key);
        try
        {
            decryption.ReadHeader(file[..MediaFormat.HeaderSize]);
        }
        catch (SignalException e)
        {
            throw new BackupException(BackupFault.WrongKey, e);
        }

        try
        {
            var content = new byte[length];
            var segment = new byte[MediaFormat.SegmentSize];
            var (from, to) = (MediaFormat.HeaderSize, 0);
            while (!decryption.IsDone)
            {
                var next = decryption.NextSegment;
                var written = decryption.DecryptNext(file.Slice(from, next), segment);
                segment.AsSpan(0, written).CopyTo(content.AsSpan(to));
                (from, to) = (from + next, to + written);
            }

            return content;
        }
        catch (Exception e) when (e is SignalException or ArgumentOutOfRangeException)
        {
            throw new BackupException(BackupFault.Damaged, e);
        }
    }
}

/// <summary>Why a backup is not made or not restored.</summary>
public enum BackupFault
{
    /// <summary>Made with another recovery key or another passphrase.</summary>
    WrongKey,

    /// <summary>Cut, changed, or no backup at all. Nothing was restored.</summary>
    Damaged,

    /// <summary>The server hands out an older version than this device has made or seen: a rollback. Nothing was restored or made.</summary>
    RolledBack,

    /// <summary>The server has no backup under this key.</summary>
    Gone,

    /// <summary>Another device wrote a version meanwhile. Nothing was made: try again.</summary>
    Superseded,

    /// <summary>More than 96 MiB: leave out conversations, or back up to a file of another program.</summary>
    TooLarge,
}

/// <summary>A backup was not made or not restored.</summary>
#pragma warning disable CA1032 // One without a fault does not exist.
public sealed class BackupException(BackupFault fault, Exception? inner = null) : Exception(Sentence(fault), inner)
#pragma warning restore CA1032
{
    /// <summary>Why.</summary>
    public BackupFault Fault => fault;

    private static string Sentence(BackupFault fault) => fault switch
    {
        BackupFault.WrongKey => "The backup was made with another recovery key or passphrase.",
        BackupFault.Damaged => "This is no backup, or it was cut or changed.",
        BackupFault.RolledBack => "The server hands out an older backup than this device has made or seen.",
        BackupFault.Gone => "The server has no backup under this recovery key.",
        BackupFault.Superseded => "Another device has just written a backup.",
        _ => "A backup has at most 96 MiB.",
    };
}
