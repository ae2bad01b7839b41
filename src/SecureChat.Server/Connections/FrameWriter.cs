using System.Buffers;
using System.Buffers.Binary;

namespace SecureChat.Server.Connections;

/// <summary>Puts a server's frames on the wire: whole, unmasked (RFC 6455 section 5).</summary>
internal static class FrameWriter
{
    /// <summary>Appends one frame whose payload comes in two parts.</summary>
    public static void Write(IBufferWriter<byte> output, Opcode opcode, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
    {
        var length = head.Length + tail.Length;
        var start = length switch { <= 125 => 2, <= ushort.MaxValue => 4, _ => 10 };
        var span = output.GetSpan(start + head.Length);
        span[0] = (byte)(0x80 | (byte)opcode);
        switch (start)
        {
            case 2:
                span[1] = (byte)length;
                break;
            case 4:
                span[1] = 126;
                BinaryPrimitives.WriteUInt16BigEndian(span[2..], (ushort)length);
                break;
            default:
                span[1] = 127;
                BinaryPrimitives.WriteInt64BigEndian(span[2..], length);
                break;
        }

        head.CopyTo(span[start..]);
        output.Advance(start + head.Length);

        // Into the blocks at hand, so that no block larger than the pool's is asked for.
        output.Write(tail);
    }
}
