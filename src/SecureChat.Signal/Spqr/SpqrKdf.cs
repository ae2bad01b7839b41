using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Signal.Spqr;

/// <summary>Key derivation of the post-quantum ratchet: HKDF-SHA256 under labels. docs/protocol/spqr.md#keys.</summary>
internal static class SpqrKdf
{
    /// <summary>Every key, root and MAC of the ratchet, in bytes.</summary>
    public const int KeySize = 32;

    /// <summary>Without a salt: RFC 5869 then takes zeros.</summary>
    public static byte[] Derive(ReadOnlySpan<byte> keyMaterial, ReadOnlySpan<byte> info, int size) =>
        Derive([], keyMaterial, info, size);

    /// <summary>HKDF-SHA256.</summary>
    public static byte[] Derive(
        ReadOnlySpan<byte> salt, ReadOnlySpan<byte> keyMaterial, ReadOnlySpan<byte> info, int size)
    {
        var output = new byte[size];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, keyMaterial, output, salt, info);
        return output;
    }

    /// <summary>A label followed by an epoch as eight bytes, big-endian.</summary>
    public static byte[] Labelled(string label, ulong epoch)
    {
        var size = Encoding.ASCII.GetByteCount(label);
        var labelled = new byte[size + sizeof(ulong)];
        Encoding.ASCII.GetBytes(label, labelled);
        BinaryPrimitives.WriteUInt64BigEndian(labelled.AsSpan(size), epoch);
        return labelled;
    }
}
