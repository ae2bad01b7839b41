using System.Buffers.Binary;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Support;

/// <summary>Mail that nobody sent before.</summary>
internal static class SomeMail
{
    public static Mail To(DeviceAddress device, ReadOnlyMemory<byte> envelope, DateTimeOffset deadline)
    {
        Span<byte> once = stackalloc byte[16];
        RandomNumberGenerator.Fill(once);
        return new Mail(device, BinaryPrimitives.ReadUInt128BigEndian(once), deadline, envelope);
    }
}
