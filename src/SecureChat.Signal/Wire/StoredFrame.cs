using System.Security.Cryptography;

namespace SecureChat.Signal.Wire;

/// <summary>What every stored record has around its fields: a version before, and a SHA-256 over both behind.</summary>
/// <remarks>
/// Against damage, not against attackers: a disk that flips a bit must not make a key that quietly fits no message any more.
/// </remarks>
internal static class StoredFrame
{
    /// <summary>The record of these fields; erases the writer.</summary>
    public static byte[] Seal(byte version, ProtoWriter fields)
    {
        var stored = new byte[1 + fields.Written.Length + SHA256.HashSizeInBytes];
        stored[0] = version;
        fields.Written.CopyTo(stored.AsSpan(1));
        SHA256.HashData(stored.AsSpan(..^SHA256.HashSizeInBytes), stored.AsSpan(^SHA256.HashSizeInBytes..));
        fields.Erase();
        return stored;
    }

    /// <summary>The fields of a record, if it is of this version and undamaged.</summary>
    public static bool TryOpen(byte version, ReadOnlySpan<byte> stored, out ReadOnlySpan<byte> fields)
    {
        fields = [];
        if (stored.Length <= SHA256.HashSizeInBytes
            || stored[0] != version
            || !SHA256.HashData(stored[..^SHA256.HashSizeInBytes]).AsSpan().SequenceEqual(stored[^SHA256.HashSizeInBytes..]))
        {
            return false;
        }

        fields = stored[1..^SHA256.HashSizeInBytes];
        return true;
    }
}
