using System.Buffers.Text;
using System.Globalization;
using System.Text;
using SecureChat.Bench.Load;
using SecureChat.Bench.Wire;

namespace SecureChat.Bench.Rooms;

/// <summary>One peer of a socket.io room (bench/peers/socketio/rooms.mjs), in text frames.</summary>
/// <param name="toAll">As in <see cref="RoomConnection"/>.</param>
internal sealed class SocketIoRoomConnection(Traffic traffic, int pair, bool sends, bool toAll) : WebSocketConnection(traffic, pair)
{
    private readonly byte[] _head = Encoding.ASCII.GetBytes($"[\"signal\",\"{(toAll ? "" : $"b{Name(pair)}")}\",");
    private readonly byte[] _expected = Encoding.ASCII.GetBytes($"42[\"signal\",\"a{Name(pair)}\",");

    protected override string Path =>
        $"/socket.io/?EIO=4&transport=websocket&room={Name(Pair / RoomSeats.PairsPerRoom)}&name={(sends ? 'a' : 'b')}{Name(Pair)}";

    public override void Send(uint sequence, ReadOnlySpan<byte> content)
    {
        Span<byte> packet = stackalloc byte[content.Length + 96];
        "42"u8.CopyTo(packet);
        var at = 2 + Number(sequence, packet[2..]);
        at += Copy(_head, packet[at..]);
        at += Number(sequence, packet[at..]);
        at += Copy(",\""u8, packet[at..]);
        at += Copy(content, packet[at..]);
        at += Copy("\"]"u8, packet[at..]);
        SendMessage(Text, packet[..at]);
    }

    protected override void OnOpen()
    {
        // The server speaks first.
    }

    protected override void OnMessage(ReadOnlySpan<byte> message)
    {
        if (message[0] == '0')
        {
            SendMessage(Text, "40"u8);
        }
        else if (message[0] == '2')
        {
            SendMessage(Text, "3"u8);
        }
        else if (message.StartsWith("40"u8))
        {
            Traffic.Ready();
        }
        else if (message.StartsWith("43"u8))
        {
            Traffic.OnAccepted(Pair, Number(message[2..], out _));
        }
        else if (!sends && message.StartsWith(_expected))
        {
            var body = message[_expected.Length..];
            var sequence = Number(body, out var length);
            Traffic.OnDelivered(Pair, sequence, body[(length + 2)..^2]);
        }
        else if (!toAll || !message.StartsWith("42[\"signal\","u8))
        {
            throw new BenchException("socket.io said: " + Encoding.UTF8.GetString(message));
        }
    }

    private static string Name(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static int Copy(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from.CopyTo(to);
        return from.Length;
    }

    private static int Number(uint value, Span<byte> to) =>
        Utf8Formatter.TryFormat(value, to, out var written) ? written : throw new BenchException("No room for a number.");

    private static uint Number(ReadOnlySpan<byte> from, out int length) =>
        Utf8Parser.TryParse(from, out uint value, out length) ? value : throw new BenchException("A number was due.");
}
