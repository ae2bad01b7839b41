using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Unicode;
using SecureChat.Protocol;

namespace SecureChat.Server.Connections;

/// <summary>Takes a client's frames off the wire: RFC 6455 sections 5 and 8.1, no extensions.</summary>
/// <remarks>
/// Sizes are judged from the header alone, before anything is gathered. A whole frame stays in the connection's own buffer; only
/// a fragmented message needs one here, and only while it is under way. Not thread-safe: the reading loop owns it.
/// </remarks>
internal struct FrameReader
{
    // Payloads are unmasked here: a message is handled before the next one is read on the same thread.
    [ThreadStatic]
    private static byte[]? _scratch;

    private byte[]? _message;
    private int _length;
    private Opcode _opcode;

    /// <summary>Takes one frame.</summary>
    /// <param name="input">Moved behind the frame when it was complete.</param>
    /// <param name="payload">Of a whole message or a control frame; valid until the next call on this thread.</param>
    public ReadResult Read(ref ReadOnlySequence<byte> input, out Opcode opcode, out ReadOnlySpan<byte> payload)
    {
        opcode = default;
        payload = default;
        Span<byte> head = stackalloc byte[MaxHead];
        head = head[..(int)Math.Min(MaxHead, input.Length)];
        input.Slice(0, head.Length).CopyTo(head);
        if (head.Length < 2)
        {
            return ReadResult.NeedsMore;
        }

        opcode = (Opcode)(head[0] & 0x0F);
        var isFinal = (head[0] & 0x80) != 0;
        if (Check(head, opcode, isFinal) is var refusal and not ReadResult.Message)
        {
            return refusal;
        }

        if (ReadLength(head, out var headLength) is not { } length)
        {
            return ReadResult.NeedsMore;
        }

        if (length < 0)
        {
            return ReadResult.ProtocolError;
        }

        if (length + (opcode < Opcode.Close ? _length : 0) > Limits.MaxFrameBytes)
        {
            return ReadResult.TooBig;
        }

        if (input.Length < headLength + length)
        {
            return ReadResult.NeedsMore;
        }

        var unmasked = Unmask(input.Slice(headLength, length), (int)length, head[(headLength - 4)..headLength]);
        input = input.Slice(headLength + length);
        if (opcode >= Opcode.Close)
        {
            payload = unmasked;
            return ReadResult.Control;
        }

        return Gather(unmasked, isFinal, ref opcode, out payload);
    }

    /// <summary>Gives back what a message under way had rented.</summary>
    public void Release()
    {
        if (_message is not null)
        {
            ArrayPool<byte>.Shared.Return(_message);
            _message = null;
        }

        _length = 0;
    }

    private readonly ReadResult Check(scoped ReadOnlySpan<byte> head, Opcode opcode, bool isFinal)
    {
        var isReserved = (head[0] & 0x70) != 0
            || opcode is not (Opcode.Continuation or Opcode.Text or Opcode.Binary or Opcode.Close or Opcode.Ping or Opcode.Pong);
        var isUnmasked = (head[1] & 0x80) == 0;
        var isBadControl = opcode >= Opcode.Close && (!isFinal || (head[1] & 0x7F) > MaxControlPayload);
        var isOutOfTurn = opcode == Opcode.Continuation ? _opcode == default : opcode < Opcode.Close && _opcode != default;
        return isReserved || isUnmasked || isBadControl || isOutOfTurn ? ReadResult.ProtocolError : ReadResult.Message;
    }

    // Null: not all there. Negative: not the shortest form, or no length at all.
    private static long? ReadLength(scoped ReadOnlySpan<byte> head, out int headLength)
    {
        var first = head[1] & 0x7F;
        headLength = first switch { 127 => 14, 126 => 8, _ => 6 };
        if (head.Length < headLength)
        {
            return null;
        }

        return first switch
        {
            127 => BinaryPrimitives.ReadInt64BigEndian(head[2..]) is var length and > ushort.MaxValue ? length : -1,
            126 => BinaryPrimitives.ReadUInt16BigEndian(head[2..]) is var length and > 125 ? length : -1,
            _ => first,
        };
    }

    private static Span<byte> Unmask(ReadOnlySequence<byte> masked, int length, scoped ReadOnlySpan<byte> key)
    {
        if (_scratch is null || _scratch.Length < length)
        {
            _scratch = GC.AllocateUninitializedArray<byte>(Math.Max(4096, length));
        }

        var payload = _scratch.AsSpan(0, length);
        masked.CopyTo(payload);
        var mask = MemoryMarshal.Read<uint>(key);
        var words = MemoryMarshal.Cast<byte, ulong>(payload);
        var wide = mask | ((ulong)mask << 32);
        for (var i = 0; i < words.Length; i++)
        {
            words[i] ^= wide;
        }

        for (var i = words.Length * sizeof(ulong); i < length; i++)
        {
            payload[i] ^= key[i & 3];
        }

        return payload;
    }

    private ReadResult Gather(Span<byte> part, bool isFinal, scoped ref Opcode opcode, out ReadOnlySpan<byte> payload)
    {
        payload = part;
        if (!isFinal || _opcode != default)
        {
            _opcode = _opcode == default ? opcode : _opcode;
            Append(part);
            if (!isFinal)
            {
                return ReadResult.Fragment;
            }

            opcode = _opcode;
            _opcode = default;
            if (_scratch!.Length < _length)
            {
                _scratch = GC.AllocateUninitializedArray<byte>(_length);
            }

            _message.AsSpan(0, _length).CopyTo(_scratch);
            payload = _scratch.AsSpan(0, _length);
            Release();
        }

        return opcode == Opcode.Text && !Utf8.IsValid(payload) ? ReadResult.InvalidText : ReadResult.Message;
    }

    private void Append(ReadOnlySpan<byte> part)
    {
        if (_message is null || _message.Length < _length + part.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(1024, (_length + part.Length) * 2));
            _message.AsSpan(0, _length).CopyTo(larger);
            if (_message is not null)
            {
                ArrayPool<byte>.Shared.Return(_message);
            }

            _message = larger;
        }

        part.CopyTo(_message.AsSpan(_length));
        _length += part.Length;
    }

    private const int MaxHead = 14;
    private const int MaxControlPayload = 125;
}

/// <summary>RFC 6455 section 5.2.</summary>
internal enum Opcode : byte
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>What was read.</summary>
internal enum ReadResult
{
    NeedsMore,
    Message,
    Fragment,
    Control,
    ProtocolError,
    TooBig,
    InvalidText,
}
