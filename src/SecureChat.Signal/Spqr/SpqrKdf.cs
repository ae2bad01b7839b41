using System.Buffers.Binary;
using System.Text;

namespace SecureChat.Signal.Spqr;

/// <summary>What the key derivations of the post-quantum ratchet have in common. docs/protocol/spqr.md#keys.</summary>
internal static class SpqrKdf
{
    /// <summary>Every key, root and MAC of the ratchet, in bytes.</summary>
    public const int KeySize = 32;

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
