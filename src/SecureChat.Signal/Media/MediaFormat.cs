using System.Buffers.Binary;
using System.Numerics;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Media;

/// <summary>Sizes of an encrypted file. Spec: docs/protocol/media.md#format-of-a-file; vectors/media/files.json.</summary>
public static class MediaFormat
{
    /// <summary>Size of a media key, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Size of what is in front of the segments, in bytes: the commitment to the key.</summary>
    public const int HeaderSize = 32;

    /// <summary>Padded content of one segment, in bytes; the last one may have less.</summary>
    public const int SegmentSize = 64 * 1024;

    /// <summary>What encryption adds to a segment, in bytes.</summary>
    public const int TagSize = SegmentCipher.TagSize;

    /// <summary>An encrypted segment, in bytes; the last one may have less.</summary>
    public const int EncryptedSegmentSize = SegmentSize + TagSize;

    /// <summary>The longest content, in bytes (96 MiB): the whole file then stays under 100 MiB.</summary>
    public const int MaxContentLength = 96 * 1024 * 1024;

    private const int SmallestBucket = 4096;

    /// <summary>What a content of this length is padded to: at most an eighth more, in 8 sizes between two powers of two.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Empty, or more than <see cref="MaxContentLength"/>.</exception>
    public static long PaddedLength(long contentLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contentLength, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(contentLength, MaxContentLength);
        if (contentLength <= SmallestBucket)
        {
            return SmallestBucket;
        }

        var step = 1L << (BitOperations.Log2((ulong)contentLength) - 3);
        return (contentLength + step - 1) / step * step;
    }

    /// <summary>The length of the whole encrypted file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Empty, or more than <see cref="MaxContentLength"/>.</exception>
    public static long FileLength(long contentLength)
    {
        var padded = PaddedLength(contentLength);
        return HeaderSize + padded + (SegmentsOf(padded) * TagSize);
    }

    internal static long SegmentsOf(long padded) => (padded + SegmentSize - 1) / SegmentSize;

    /// <summary>Encryption key and commitment, 32 bytes each.</summary>
    internal static byte[] Derive(ReadOnlySpan<byte> mediaKey)
    {
        if (mediaKey.Length is not KeySize)
        {
            throw new SignalException(SignalError.InvalidKey, "A media key has 32 bytes.");
        }

        return Hkdf.Derive([], mediaKey, "secureChat media v1"u8, SegmentCipher.KeySize + HeaderSize);
    }

    /// <summary>The segment's number, and whether it is the last.</summary>
    internal static void WriteNonce(long segment, bool isLast, Span<byte> nonce)
    {
        nonce.Clear();
        BinaryPrimitives.WriteInt64BigEndian(nonce[3..], segment);
        nonce[^1] = isLast ? (byte)1 : (byte)0;
    }
}
