namespace SecureChat.Bench.Wire;

/// <summary>Writes a protobuf message from its end to its start, so that every length is known when it is due.</summary>
internal ref struct FrameWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _start = buffer.Length;

    public readonly ReadOnlySpan<byte> Written => _buffer[_start..];

    /// <summary>How much is written: taken before the parts of a nested message, given to <see cref="Nest"/> after them.</summary>
    public readonly int Length => _buffer.Length - _start;

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        _start -= value.Length;
        value.CopyTo(_buffer[_start..]);
        Varint((uint)value.Length);
        Varint(((uint)field << 3) | 2);
    }

    public void Number(int field, ulong value)
    {
        Varint(value);
        Varint((uint)field << 3);
    }

    /// <summary>Makes what was written since <paramref name="length"/> a nested message.</summary>
    public void Nest(int field, int length)
    {
        Varint((uint)(Length - length));
        Varint(((uint)field << 3) | 2);
    }

    public void Varint(ulong value)
    {
        var size = 1;
        for (var rest = value >> 7; rest != 0; rest >>= 7)
        {
            size++;
        }

        _start -= size;
        for (var i = 0; i < size; i++)
        {
            _buffer[_start + i] = (byte)((value & 0x7F) | (i == size - 1 ? 0u : 0x80u));
            value >>= 7;
        }
    }
}
