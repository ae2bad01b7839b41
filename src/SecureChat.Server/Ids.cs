using System.Security.Cryptography;

namespace SecureChat.Server;

/// <summary>Ids drawn from the system's random generator: version 4 UUIDs that tell nothing about when they were made.</summary>
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
}
