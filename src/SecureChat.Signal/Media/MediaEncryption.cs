using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Media;

/// <summary>Encrypts one file, segment by segment: whoever has the content streams it through, and nothing is held but one segment.</summary>
/// <remarks>
/// docs/protocol/media.md#format-of-a-file. First <see cref="WriteHeader"/>, then <see cref="EncryptNext"/> until <see cref="IsDone"/>. A key is for
/// one file: a second one under it would repeat the nonces of the first.
/// </remarks>
public sealed class MediaEncryption : IDisposable
{
    private readonly SegmentCipher _cipher;
    private readonly byte[] _header;
    private readonly byte[] _padded = new byte[MediaFormat.SegmentSize];
    private readonly long _paddedLength;
    private long _contentLeft;
    private long _segment;

    /// <param name="mediaKey">32 random bytes of this file alone, see <see cref="NewKey"/>.</param>
    /// <param name="contentLength">The exact length of what will be encrypted, in bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is not that of a file.</exception>
    /// <exception cref="SignalException">The key does not have 32 bytes.</exception>
    public MediaEncryption(ReadOnlySpan<byte> mediaKey, long contentLength)
    {
        _paddedLength = MediaFormat.PaddedLength(contentLength);
        _contentLeft = contentLength;
        var derived = MediaFormat.Derive(mediaKey);
        _cipher = new SegmentCipher(derived.AsSpan(0, SegmentCipher.KeySize));
        _header = derived[SegmentCipher.KeySize..];
        CryptographicOperations.ZeroMemory(derived);
    }

    /// <summary>Whether the last segment has been made.</summary>
    public bool IsDone => _segment == MediaFormat.SegmentsOf(_paddedLength);

    /// <summary>Content that <see cref="EncryptNext"/> takes next, in bytes; 0: what is left is padding.</summary>
    public int NextContent => (int)Math.Min(_contentLeft, MediaFormat.SegmentSize);

    /// <summary>A fresh key for one file: 32 bytes that travel to its recipients inside encrypted messages, and nowhere else.</summary>
    public static byte[] NewKey(RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var key = new byte[MediaFormat.KeySize];
        random.Fill(key);
        return key;
    }

    /// <summary>Writes the file's first 32 bytes.</summary>
    public void WriteHeader(Span<byte> header) => _header.CopyTo(header);

    /// <summary>Encrypts the next segment.</summary>
    /// <param name="content">Exactly <see cref="NextContent"/> bytes.</param>
    /// <param name="segment">Room for <see cref="MediaFormat.EncryptedSegmentSize"/> bytes.</param>
    /// <returns>How many of them were written.</returns>
    public int EncryptNext(ReadOnlySpan<byte> content, Span<byte> segment)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(content.Length, NextContent);
        if (IsDone)
        {
            throw new InvalidOperationException("The last segment has been made.");
        }

        var length = (int)Math.Min(MediaFormat.SegmentSize, _paddedLength - (_segment * MediaFormat.SegmentSize));
        _padded.AsSpan(content.Length).Clear();
        content.CopyTo(_padded);
        _contentLeft -= content.Length;
        Span<byte> nonce = stackalloc byte[SegmentCipher.NonceSize];
        MediaFormat.WriteNonce(_segment, _segment == MediaFormat.SegmentsOf(_paddedLength) - 1, nonce);
        _segment++;
        _cipher.Encrypt(nonce, _padded.AsSpan(0, length), segment[..(length + MediaFormat.TagSize)]);
        return length + MediaFormat.TagSize;
    }

    /// <summary>Erases the key and what is left of the content.</summary>
    public void Dispose()
    {
        _cipher.Dispose();
        CryptographicOperations.ZeroMemory(_padded);
    }
}
