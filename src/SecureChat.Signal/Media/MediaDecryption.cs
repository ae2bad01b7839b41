using System.Security.Cryptography;
using SecureChat.Signal.Primitives;

namespace SecureChat.Signal.Media;

/// <summary>Decrypts one file, segment by segment; what it returns is authentic, and complete once <see cref="IsDone"/>.</summary>
/// <remarks>
/// docs/protocol/media.md#format-of-a-file. First <see cref="ReadHeader"/>, then <see cref="DecryptNext"/> until <see cref="IsDone"/>. A file that ends
/// before was cut: its content must be thrown away.
/// </remarks>
public sealed class MediaDecryption : IDisposable
{
    private readonly SegmentCipher _cipher;
    private readonly byte[] _commitment;
    private readonly byte[] _padded = new byte[MediaFormat.SegmentSize];
    private readonly long _paddedLength;
    private long _contentLeft;
    private long _segment;
    private bool _isOpen;

    /// <param name="mediaKey">From the message that speaks of the file.</param>
    /// <param name="contentLength">From the same message, in bytes.</param>
    /// <exception cref="SignalException">The key does not have 32 bytes, or the length is not that of a file.</exception>
    public MediaDecryption(ReadOnlySpan<byte> mediaKey, long contentLength)
    {
        if (contentLength is < 1 or > MediaFormat.MaxContentLength)
        {
            throw new SignalException(SignalError.InvalidMessage, "No file has that length.");
        }

        _paddedLength = MediaFormat.PaddedLength(contentLength);
        _contentLeft = contentLength;
        var derived = MediaFormat.Derive(mediaKey);
        _cipher = new SegmentCipher(derived.AsSpan(0, SegmentCipher.KeySize));
        _commitment = derived[SegmentCipher.KeySize..];
        CryptographicOperations.ZeroMemory(derived);
    }

    /// <summary>Whether the last segment has been decrypted.</summary>
    public bool IsDone => _segment == MediaFormat.SegmentsOf(_paddedLength);

    /// <summary>Bytes of the file that <see cref="DecryptNext"/> takes next.</summary>
    public int NextSegment => IsDone ? 0 : NextPadded + MediaFormat.TagSize;

    private int NextPadded => (int)Math.Min(MediaFormat.SegmentSize, _paddedLength - (_segment * MediaFormat.SegmentSize));

    /// <summary>Checks that the file was made with this key and that no other opens it.</summary>
    /// <exception cref="SignalException">It was not.</exception>
    public void ReadHeader(ReadOnlySpan<byte> header)
    {
        if (!CryptographicOperations.FixedTimeEquals(header, _commitment))
        {
            throw new SignalException(SignalError.InvalidMessage, "The file was made with another key.");
        }

        _isOpen = true;
    }

    /// <summary>Decrypts the next segment.</summary>
    /// <param name="segment">Exactly <see cref="NextSegment"/> bytes.</param>
    /// <param name="content">Room for <see cref="MediaFormat.SegmentSize"/> bytes.</param>
    /// <returns>How many of them were written; 0 when the segment holds padding alone.</returns>
    /// <exception cref="SignalException">The segment was changed, is at another place than its own, or has the wrong length.</exception>
    public int DecryptNext(ReadOnlySpan<byte> segment, Span<byte> content)
    {
        if (!_isOpen || IsDone)
        {
            throw new InvalidOperationException("Read the header first, and nothing after the last segment.");
        }

        if (segment.Length != NextSegment)
        {
            throw new SignalException(SignalError.InvalidMessage, "The file is cut or too long.");
        }

        var padded = _padded.AsSpan(0, NextPadded);
        Span<byte> nonce = stackalloc byte[SegmentCipher.NonceSize];
        MediaFormat.WriteNonce(_segment, _segment == MediaFormat.SegmentsOf(_paddedLength) - 1, nonce);
        if (!_cipher.Decrypt(nonce, segment, padded))
        {
            throw new SignalException(SignalError.InvalidMessage, "A segment of the file is not authentic.");
        }

        var length = (int)Math.Min(_contentLeft, padded.Length);
        padded[..length].CopyTo(content);
        _contentLeft -= length;
        _segment++;
        return length;
    }

    /// <summary>Erases the key and what is left of the content.</summary>
    public void Dispose()
    {
        _cipher.Dispose();
        CryptographicOperations.ZeroMemory(_padded);
    }
}
