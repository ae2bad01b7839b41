using System.Buffers.Binary;
using SecureChat.Signal;
using SecureChat.Signal.Media;

namespace SecureChat.Fuzz.Targets;

/// <summary>Files as they are downloaded: a key and a length that somebody sent, a header and segments.</summary>
internal static class MediaTarget
{
    public static readonly byte[] Key = Cast.Chance(20).Bytes(MediaFormat.KeySize);

    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, File, AnyKey, RoundTrip);

    /// <summary>The content of every genuine file: its bytes count up.</summary>
    public static byte[] Content(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)i)];

    /// <summary>The length, four bytes, and the encrypted file.</summary>
    public static byte[] Genuine(int length)
    {
        var genuine = new byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(genuine, length);
        return [.. genuine, .. Encrypt(Content(length))];
    }

    private static void File(ReadOnlySpan<byte> input)
    {
        var content = Decrypt(Key, input);
        var longest = Content(content.Length);
        var real = content.AsSpan().CommonPrefixLength(longest);
        Oracle.Require(!content.AsSpan(real).ContainsAnyExcept((byte)0), "A file reads that was never made.");
    }

    private static void AnyKey(ReadOnlySpan<byte> input)
    {
        var rest = input;
        var key = FuzzTargets.Part(ref rest);
        Decrypt(key, rest);
    }

    private static void RoundTrip(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            throw new SignalException(SignalError.InvalidMessage, "There is no empty file.");
        }

        var length = new byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(length, input.Length);
        Oracle.Require(
            Decrypt(Key, [.. length, .. Encrypt(input.ToArray())]).AsSpan().SequenceEqual(input), "A file reads as another.");
    }

    private static byte[] Decrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
    {
        if (input.Length < sizeof(uint) + MediaFormat.HeaderSize)
        {
            throw new SignalException(SignalError.InvalidMessage, "Too short for a file.");
        }

        using var decryption = new MediaDecryption(key, BinaryPrimitives.ReadUInt32BigEndian(input));
        var rest = input[sizeof(uint)..];
        decryption.ReadHeader(rest[..MediaFormat.HeaderSize]);
        rest = rest[MediaFormat.HeaderSize..];
        var content = new List<byte>();
        var segment = new byte[MediaFormat.SegmentSize];
        while (!decryption.IsDone)
        {
            var size = Math.Min(decryption.NextSegment, rest.Length);
            content.AddRange(segment.AsSpan(0, decryption.DecryptNext(rest[..size], segment)));
            rest = rest[size..];
        }

        return [.. content];
    }

    private static byte[] Encrypt(byte[] content)
    {
        using var encryption = new MediaEncryption(Key, content.Length);
        var file = new byte[MediaFormat.FileLength(content.Length)];
        encryption.WriteHeader(file);
        var (read, written) = (0, MediaFormat.HeaderSize);
        var segment = new byte[MediaFormat.EncryptedSegmentSize];
        while (!encryption.IsDone)
        {
            var next = encryption.NextContent;
            var size = encryption.EncryptNext(content.AsSpan(read, next), segment);
            segment.AsSpan(0, size).CopyTo(file.AsSpan(written));
            (read, written) = (read + next, written + size);
        }

        return file;
    }
}
