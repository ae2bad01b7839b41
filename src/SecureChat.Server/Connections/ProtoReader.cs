namespace SecureChat.Server.Connections;

/// <summary>Reads protobuf fields in place: the path of every message copies nothing that it does not keep.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Number of the field just read.</summary>
    public int Field { get; private set; }

    /// <summary>Value of a varint field.</summary>
    public ulong Number { get; private set; }

    /// <summary>Value of a length-delimited field; empty otherwise.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Whether <see cref="Bytes"/> holds the value, not <see cref="Number"/>.</summary>
    public bool IsBytes { get; private set; }

    /// <summary>What was read is no protobuf.</summary>
    public bool IsMalformed { get; private set; }

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Moves to the next field; false at the end and when malformed.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty || !TryVarint(out var tag) || tag > uint.MaxValue || tag >> 3 == 0)
        {
            IsMalformed |= !_rest.IsEmpty;
            return false;
        }

        Field = (int)(tag >> 3);
        Bytes = default;
        IsBytes = false;
        switch (tag & 7)
        {
            case 0:
                IsMalformed = !TryVarint(out var number);
                Number = number;
                return !IsMalformed;
            case 1:
                return Skip(8);
            case 2 when TryVarint(out var length) && length <= (ulong)_rest.Length:
                Bytes = _rest[..(int)length];
                IsBytes = true;
                _rest = _rest[(int)length..];
                return true;
            case 5:
                return Skip(4);
            default:
                IsMalformed = true;
                return false;
        }
    }

    /// <summary>Reads one bare varint, as in a packed field.</summary>
    public bool TryVarint(out ulong value)
    {
        value = 0;
        for (var i = 0; i < _rest.Length && i < 10; i++)
        {
            var part = _rest[i];
            if (i == 9 && part > 1)
            {
                break;
            }

            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return true;
            }
        }

        IsMalformed = true;
        return false;
    }

    private bool Skip(int count)
    {
        Number = 0;
        if (_rest.Length < count)
        {
            IsMalformed = true;
            return false;
        }

        _rest = _rest[count..];
        return true;
    }
}
