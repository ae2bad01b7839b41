using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Bench.Load;
using SecureChat.Bench.Wire;

namespace SecureChat.Bench.Rooms;

/// <summary>One peer of a room of this server: subprotocol <c>securechat.rooms.v1.proto</c>, frames of Proto/rooms.proto.</summary>
/// <param name="toAll">Signals go to everybody in the room; the pair's other peer is the one that counts.</param>
internal sealed class RoomConnection(Traffic traffic, int pair, RoomSeats seats, bool sends, bool toAll) : WebSocketConnection(traffic, pair)
{
    private const int Joined = 2;
    private const int Signal = 5;
    private const int Problem = 6;
    private const int Sent = 8;

    protected override string Path => "/ws/rooms";

    protected override string Headers => "Sec-WebSocket-Protocol: securechat.rooms.v1.proto\r\n";

    public override void Send(uint sequence, ReadOnlySpan<byte> content)
    {
        var frame = new FrameWriter(stackalloc byte[content.Length + 64]);
        Span<byte> numbered = stackalloc byte[sizeof(uint) + content.Length];
        BinaryPrimitives.WriteUInt32BigEndian(numbered, sequence);
        content.CopyTo(numbered[sizeof(uint)..]);
        frame.Bytes(2, numbered);
        if (!toAll)
        {
            frame.Number(1, seats.Of(Pair, sends: false));
        }

        frame.Nest(4, 0);
        frame.Number(1, sequence + 1UL);
        SendMessage(Binary, frame.Written);
    }

    protected override void OnOpen()
    {
        var frame = new FrameWriter(stackalloc byte[64]);
        frame.Bytes(1, seats.CapabilityOf(Pair));
        frame.Nest(2, 0);
        SendMessage(Binary, frame.Written);
    }

    protected override void OnMessage(ReadOnlySpan<byte> message)
    {
        ulong request = 0;
        for (var frame = new FrameReader(message); frame.Next();)
        {
            switch (frame.Field)
            {
                case 1:
                    request = frame.Number;
                    break;
                case Sent:
                    Traffic.OnAccepted(Pair, (uint)(request - 1));
                    break;
                case Signal when !sends:
                    OnSignal(frame.Bytes);
                    break;
                case Joined:
                    OnJoined(frame.Bytes);
                    break;
                case Problem:
                    throw new BenchException("The server refused a signal: " + Encoding.UTF8.GetString(frame.Bytes));
                default:
                    break;
            }
        }
    }

    private void OnJoined(ReadOnlySpan<byte> joined)
    {
        var frame = new FrameReader(joined);
        while (frame.Next() && frame.Field != 1)
        {
        }

        seats.Take(Pair, sends, frame.Number);
        Traffic.Ready();
    }

    private void OnSignal(ReadOnlySpan<byte> signal)
    {
        ulong from = 0;
        ReadOnlySpan<byte> content = default;
        for (var frame = new FrameReader(signal); frame.Next();)
        {
            from = frame.Field == 1 ? frame.Number : from;
            content = frame.Field == 2 ? frame.Bytes : content;
        }

        if (from == seats.Of(Pair, sends: true))
        {
            Traffic.OnDelivered(Pair, BinaryPrimitives.ReadUInt32BigEndian(content), content[sizeof(uint)..]);
        }
        else if (!toAll)
        {
            throw new BenchException("A signal reached somebody whom it was not for.");
        }
    }
}

/// <summary>Which number every peer has in its room.</summary>
/// <param name="pairs">Senders, each with one recipient.</param>
internal sealed class RoomSeats(int pairs)
{
    /// <summary>Pairs of one room, which is full with them.</summary>
    public const int PairsPerRoom = 4;

    private readonly ulong[] _numbers = new ulong[pairs * 2];
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);

    public byte[] CapabilityOf(int pair) => HMACSHA256.HashData(_secret, BitConverter.GetBytes(pair / PairsPerRoom));

    public void Take(int pair, bool sends, ulong number) => _numbers[(pair * 2) + (sends ? 0 : 1)] = number;

    public ulong Of(int pair, bool sends) => _numbers[(pair * 2) + (sends ? 0 : 1)];
}
