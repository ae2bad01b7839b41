using System.Security.Cryptography;
using Google.Protobuf;

namespace SecureChat.Client.LocalStore;

/// <summary>Random ids, and their 16 bytes in network order.</summary>
internal static class Ids
{
    public static Guid New()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    public static ByteString ToBytes(this Guid id) => ByteString.CopyFrom(id.ToByteArray(bigEndian: true));

    public static Guid ToGuid(this ByteString bytes) => new(bytes.Span, bigEndian: true);

    public static ulong Milliseconds(this DateTimeOffset time) => (ulong)time.ToUnixTimeMilliseconds();

    public static ulong Milliseconds(this TimeSpan span) => (ulong)span.TotalMilliseconds;

    /// <summary>Others may say any time: beyond the year 9999 it is its end.</summary>
    public static DateTimeOffset ToTime(this ulong milliseconds) =>
        milliseconds < DateTimeOffset.MaxValue.Milliseconds() ? DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds) : DateTimeOffset.MaxValue;

    /// <summary>Bytes that nobody else knows.</summary>
    public static ByteString RandomBytes(int size)
    {
        var bytes = new byte[size];
        RandomNumberGenerator.Fill(bytes);
        return ByteString.CopyFrom(bytes);
    }
}
