using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Bench.Load;

namespace SecureChat.Bench.Wire;

/// <summary>The client's side of RFC 6455, as much as a relay's clients need: whole messages, pings, close.</summary>
internal abstract class WebSocketConnection(Traffic traffic, int pair) : ChatConnection(traffic, pair)
{
    protected const int Text = 1;
    protected const int Binary = 2;
    private const int Close = 8;
    private const int Ping = 9;

    // Servers may skip unmasking when the key is zero: real clients' keys are not, so neither are these.
    private static readonly byte[] MaskKeys = RandomNumberGenerator.GetBytes(4096 * sizeof(uint));
    private static int _nextMask;

    private bool _open;

    /// <summary>Path and query of the upgrade request.</summary>
    protected abstract string Path { get; }

    /// <summary>Further header lines of the upgrade request, each ended by CR LF.</summary>
    protected virtual string Headers => "";

    public override void Begin() =>
        Write(Encoding.ASCII.GetBytes(
            $"GET {Path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{Headers}\r\n"));

    protected abstract void OnOpen();

    protected abstract void OnMessage(ReadOnlySpan<byte> message);

    /// <summary>Sends one message as one masked frame.</summary>
    protected void SendMessage(int opcode, ReadOnlySpan<byte> message)
    {
        var header = message.Length < 126 ? 6 : message.Length <= ushort.MaxValue ? 8 : 14;
        var frame = Reserve(header + message.Length);
        frame[0] = (byte)(0x80 | opcode);
        if (header == 6)
        {
            frame[1] = (byte)(0x80 | message.Length);
        }
        else if (header == 8)
        {
            frame[1] = 0x80 | 126;
            BinaryPrimitives.WriteUInt16BigEndian(frame[2..], (ushort)message.Length);
        }
        else
        {
            frame[1] = 0x80 | 127;
            BinaryPrimitives.WriteUInt64BigEndian(frame[2..], (ulong)message.Length);
        }

        _nextMask = (_nextMask + sizeof(uint)) % MaskKeys.Length;
        var mask = MemoryMarshal.Read<uint>(MaskKeys.AsSpan(_nextMask)) | 0x01010101;
        MemoryMarshal.Write(frame[(header - 4)..], mask);
        Mask(message, frame[header..], mask);
        Commit(header + message.Length);
    }

    protected override int Consume(ReadOnlySpan<byte> input)
    {
        var at = _open ? 0 : ConsumeUpgrade(input);
        while (_open && TryReadFrame(input[at..], out var opcode, out var message, out var length))
        {
            at += length;
            Handle(opcode, message);
        }

        return at;
    }

    private static bool TryReadFrame(ReadOnlySpan<byte> input, out int opcode, out ReadOnlySpan<byte> message, out int length)
    {
        opcode = length = 0;
        message = default;
        if (input.Length < 2)
        {
            return false;
        }

        var header = input[1] switch { 126 => 4, 127 => 10, _ => 2 };
        if (input.Length < header)
        {
            return false;
        }

        var size = header switch
        {
            2 => input[1],
            4 => BinaryPrimitives.ReadUInt16BigEndian(input[2..]),
            _ => checked((int)BinaryPrimitives.ReadUInt64BigEndian(input[2..])),
        };
        if (input.Length - header < size)
        {
            return false;
        }

        if ((input[0] & 0xF0) != 0x80)
        {
            throw new BenchException("The server sent a fragmented or compressed frame, which nobody asked for.");
        }

        opcode = input[0] & 0x0F;
        message = input.Slice(header, size);
        length = header + size;
        return true;
    }

    private static void Mask(ReadOnlySpan<byte> from, Span<byte> to, uint mask)
    {
        var wide = mask | ((ulong)mask << 32);
        var words = MemoryMarshal.Cast<byte, ulong>(from);
        var masked = MemoryMarshal.Cast<byte, ulong>(to);
        for (var i = 0; i < words.Length; i++)
        {
            masked[i] = words[i] ^ wide;
        }

        for (var i = words.Length * sizeof(ulong); i < from.Length; i++)
        {
            to[i] = (byte)(from[i] ^ (byte)(mask >> (8 * (i & 3))));
        }
    }

    private int ConsumeUpgrade(ReadOnlySpan<byte> input)
    {
        var end = input.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return 0;
        }

        if (!input.StartsWith("HTTP/1.1 101 "u8))
        {
            throw new BenchException("The upgrade was refused: " + Encoding.UTF8.GetString(input));
        }

        _open = true;
        OnOpen();
        return end + 4;
    }

    private void Handle(int opcode, ReadOnlySpan<byte> message)
    {
        if (opcode is Text or Binary)
        {
            OnMessage(message);
        }
        else if (opcode == Ping)
        {
            SendMessage(10, message);
        }
        else if (opcode == Close)
        {
            LastWords = message.Length < 2
                ? "Close frame without a code."
                : $"Close code {BinaryPrimitives.ReadUInt16BigEndian(message)} {Encoding.UTF8.GetString(message[2..])}";
        }
    }
}
