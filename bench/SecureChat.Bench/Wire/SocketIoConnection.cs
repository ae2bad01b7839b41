using System.Buffers.Text;
using System.Globalization;
using SecureChat.Bench.Load;

namespace SecureChat.Bench.Wire;

/// <summary>A socket.io client: Engine.IO 4 and Socket.IO 5 in text frames, WebSocket transport only, acknowledgements end to end.</summary>
internal sealed class SocketIoConnection(Traffic traffic, int pair, bool sends) : WebSocketConnection(traffic, pair)
{
    private readonly byte[] _head =
        System.Text.Encoding.ASCII.GetBytes($"[\"send\",\"b{pair.ToString(CultureInfo.InvariantCulture)}\",");

    protected override string Path =>
        $"/socket.io/?EIO=4&transport=websocket&name={(sends ? 'a' : 'b')}{Pair.ToString(CultureInfo.InvariantCulture)}";

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
            OnAcknowledged(message[2..]);
        }
        else if (message.StartsWith("42"u8))
        {
            OnDelivered(message[2..]);
        }
        else
        {
            throw new BenchException("socket.io said: " + System.Text.Encoding.UTF8.GetString(message));
        }
    }

    private static int Copy(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from.CopyTo(to);
        return from.Length;
    }

    private static int Number(uint value, Span<byte> to) =>
        Utf8Formatter.TryFormat(value, to, out var written) ? written : throw new BenchException("No room for a number.");

    private static uint Number(ReadOnlySpan<byte> from, out int length) =>
        Utf8Parser.TryParse(from, out uint value, out length) ? value : throw new BenchException("A number was due.");

    private void OnAcknowledged(ReadOnlySpan<byte> packet)
    {
        var sequence = Number(packet, out var length);
        if (!packet[length..].SequenceEqual("[]"u8))
        {
            throw new BenchException("A message was refused: " + System.Text.Encoding.UTF8.GetString(packet));
        }

        Traffic.OnAccepted(Pair, sequence);
    }

    private void OnDelivered(ReadOnlySpan<byte> packet)
    {
        // <ack id>["deliver",<sequence>,"<content>"]
        Number(packet, out var idLength);
        var body = packet[(idLength + "[\"deliver\",".Length)..];
        var sequence = Number(body, out var length);
        var content = body[(length + 2)..^2];

        Span<byte> acknowledgement = stackalloc byte[32];
        "43"u8.CopyTo(acknowledgement);
        packet[..idLength].CopyTo(acknowledgement[2..]);
        "[]"u8.CopyTo(acknowledgement[(2 + idLength)..]);
        SendMessage(Text, acknowledgement[..(4 + idLength)]);
        Traffic.OnDelivered(Pair, sequence, content);
    }
}
