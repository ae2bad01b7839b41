namespace SecureChat.Bench.Wire;

/// <summary>Walks the fields of a protobuf message in place. Only the wire types of socket.proto: varint and length-delimited.</summary>
internal ref struct FrameReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    public int Field { get; private set; }

    /// <summary>The value of a varint field.</summary>
    public ulong Number { get; private set; }

    /// <summary>The value of a length-delimited field.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        Field = (int)(tag >> 3);
        if ((tag & 7) == 0)
        {
            Number = Varint();
            return true;
        }

        if ((tag & 7) != 2)
        {
            throw new BenchException("The server sent a protobuf field of an unknown wire type.");
        }

        var length = checked((int)Varint());
        Bytes = _rest[..length];
        _rest = _rest[length..];
        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = _rest[0];
            _rest = _rest[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
