namespace SecureChat.Server.Connections;

/// <summary>Writes protobuf fields into a buffer that the caller made large enough.</summary>
internal ref struct ProtoWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _buffer[..Length];

    public static int SizeOf(ulong value) => (70 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 7;

    /// <summary>A varint field; zero is the default and is not written.</summary>
    public void Number(int field, ulong value)
    {
        if (value != 0)
        {
            Varint((uint)field << 3);
            Varint(value);
        }
    }

    /// <summary>A bytes field; empty is the default and is not written.</summary>
    public void Bytes(int field, scoped ReadOnlySpan<byte> value) => BytesOf(field, value, 0);

    /// <summary>The same for a value of which <paramref name="more"/> bytes are left to be written elsewhere.</summary>
    public void BytesOf(int field, scoped ReadOnlySpan<byte> value, int more)
    {
        if (!value.IsEmpty)
        {
            Head(field, value.Length + more);
            value.CopyTo(_buffer[Length..]);
            Length += value.Length;
        }
    }

    /// <summary>The beginning of a length-delimited field, whose <paramref name="length"/> bytes follow.</summary>
    public void Head(int field, int length)
    {
        Varint(((uint)field << 3) | 2);
        Varint((ulong)length);
    }

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _buffer[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _buffer[Length++] = (byte)value;
    }
}
