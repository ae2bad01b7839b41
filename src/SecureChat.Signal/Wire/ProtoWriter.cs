using System.Buffers.Binary;

namespace SecureChat.Signal.Wire;

/// <summary>Writes protobuf fields in the order in which they are given; callers keep them ascending.</summary>
/// <remarks>Absent is absent: a field is written exactly when a method is called for it, also with zero or nothing in it.</remarks>
internal sealed class ProtoWriter
{
    private readonly ErasableBuffer _buffer = new(512);

    public ReadOnlySpan<byte> Written => _buffer.Written;

    public byte[] ToArray() => Written.ToArray();

    /// <summary>The fields, for what holds secrets: erases the writer's own copy of them.</summary>
    public byte[] ToArrayAndErase() => _buffer.ToArrayAndErase();

    /// <summary>Erases what was written.</summary>
    public void Erase() => _buffer.Erase();

    public ProtoWriter UInt(int field, ulong value)
    {
        Varint(Tag(field, ProtoWireType.Varint));
        Varint(value);
        return this;
    }

    public ProtoWriter Fixed64(int field, ulong value)
    {
        Varint(Tag(field, ProtoWireType.Fixed64));
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.Append(sizeof(ulong)), value);
        return this;
    }

    public ProtoWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint(Tag(field, ProtoWireType.Bytes));
        Varint((ulong)value.Length);
        _buffer.Append(value);
        return this;
    }

    public ProtoWriter Text(int field, string value) => Bytes(field, System.Text.Encoding.UTF8.GetBytes(value));

    /// <summary>A field of zeros that takes exactly so many bytes, with its tag and its length.</summary>
    /// <remarks>The length is written in three bytes whatever it is: in as few as it needs, some sizes could not be had.</remarks>
    public ProtoWriter Zeros(int field, int size)
    {
        var end = Written.Length + size;
        Varint(Tag(field, ProtoWireType.Bytes));
        var zeros = end - Written.Length - 3;
        _buffer.Append([(byte)((zeros & 0x7F) | 0x80), (byte)(((zeros >> 7) & 0x7F) | 0x80), (byte)(zeros >> 14)]);
        _buffer.Append(zeros).Clear();
        return this;
    }

    private static ulong Tag(int field, ProtoWireType type) => ((ulong)field << 3) | (ulong)type;

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            _buffer.Append([(byte)((value & 0x7F) | 0x80)]);
        }

        _buffer.Append([(byte)value]);
    }
}

/// <summary>How a protobuf field is written.</summary>
internal enum ProtoWireType
{
    /// <summary>A variable-length number.</summary>
    Varint = 0,

    /// <summary>Eight bytes, little-endian.</summary>
    Fixed64 = 1,

    /// <summary>A length and so many bytes.</summary>
    Bytes = 2,

    /// <summary>Four bytes, little-endian.</summary>
    Fixed32 = 5,
}
