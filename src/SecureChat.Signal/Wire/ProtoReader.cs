using System.Buffers.Binary;

namespace SecureChat.Signal.Wire;

/// <summary>
/// Walks the fields of a protobuf message. Unknown fields are passed over; of a field that comes twice the last one counts,
/// as the protobuf specification has it.
/// </summary>
/// <remarks>
/// Use: <c>while (reader.Next()) switch (reader.Field) …</c>, then look at <see cref="IsValid"/>. A field of the wrong wire
/// type, or a length beyond the end, makes the message invalid. Nothing is allocated for what is passed over.
/// </remarks>
internal ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;
    private ProtoWireType _type;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;

    /// <summary>False after the first violation.</summary>
    public bool IsValid { get; private set; } = true;

    /// <summary>The number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field; false at the end, and after a violation.</summary>
    public bool Next()
    {
        if (!IsValid || _rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        var field = tag >> 3;
        Require(field is >= 1 and <= 0x1FFF_FFFF);
        Field = IsValid ? (int)field : 0;
        _type = (ProtoWireType)(tag & 7);
        switch (_type)
        {
            case ProtoWireType.Varint:
                _number = Varint();
                break;
            case ProtoWireType.Fixed64:
                _bytes = Take(sizeof(ulong));
                break;
            case ProtoWireType.Fixed32:
                _bytes = Take(sizeof(uint));
                break;
            case ProtoWireType.Bytes:
                _bytes = Take(Varint());
                break;
            default:
                IsValid = false;
                break;
        }

        return IsValid;
    }

    /// <summary>The current field as a number of 32 bits.</summary>
    public uint UInt32()
    {
        var value = UInt64();
        Require(value <= uint.MaxValue);
        return IsValid ? (uint)value : 0;
    }

    /// <summary>The current field as a number of 64 bits.</summary>
    public ulong UInt64()
    {
        Require(_type == ProtoWireType.Varint);
        return IsValid ? _number : 0;
    }

    /// <summary>The current field as a number of eight fixed bytes.</summary>
    public ulong Fixed64()
    {
        Require(_type == ProtoWireType.Fixed64);
        return IsValid ? BinaryPrimitives.ReadUInt64LittleEndian(_bytes) : 0;
    }

    /// <summary>The current field as bytes, still inside the message.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Require(_type == ProtoWireType.Bytes);
        return IsValid ? _bytes : [];
    }

    private void Require(bool condition) => IsValid &= condition;

    private ReadOnlySpan<byte> Take(ulong size)
    {
        if (size > (ulong)_rest.Length)
        {
            IsValid = false;
            return [];
        }

        var taken = _rest[..(int)size];
        _rest = _rest[(int)size..];
        return taken;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < Math.Min(_rest.Length, 10); i++)
        {
            // The tenth byte has room for one bit of the 64.
            if (i == 9 && _rest[i] > 1)
            {
                break;
            }

            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        IsValid = false;
        return 0;
    }
}
