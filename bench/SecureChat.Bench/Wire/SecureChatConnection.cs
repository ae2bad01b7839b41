using System.Buffers.Binary;
using System.Text;
using SecureChat.Bench.Load;

namespace SecureChat.Bench.Wire;

/// <summary>One device on secureChat's WebSocket: subprotocol <c>securechat.v1.proto</c>, frames of Proto/socket.proto.</summary>
internal sealed class SecureChatConnection(Traffic traffic, int pair, Device self, Device peer)
    : WebSocketConnection(traffic, pair)
{
    private const int Accepted = 4;
    private const int Delivered = 2;
    private const int Problem = 5;
    private const int QueueEmpty = 3;
    private const int Whisper = 2;
    private const int PrimaryDevice = 1;

    private readonly List<ulong> _unacknowledged = [];
    private bool _ready;

    protected override string Path => "/ws";

    protected override string Headers =>
        $"Authorization: Bearer {self.AccessToken}\r\nSec-WebSocket-Protocol: securechat.v1.proto\r\n";

    public override void Send(uint sequence, ReadOnlySpan<byte> content)
    {
        // Pair and sequence, and between them what makes this run's ids its own.
        Span<byte> id = stackalloc byte[16];
        Traffic.RunId.CopyTo(id);
        BinaryPrimitives.WriteInt32BigEndian(id, Pair);
        BinaryPrimitives.WriteUInt32BigEndian(id[12..], sequence);

        var frame = new FrameWriter(stackalloc byte[content.Length + 128]);
        frame.Number(3, (ulong)TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        var recipient = frame.Length;
        frame.Bytes(4, content);
        frame.Number(3, Whisper);
        frame.Number(2, (uint)peer.RegistrationId);
        frame.Number(1, PrimaryDevice);
        frame.Nest(2, recipient);
        frame.Bytes(1, peer.Account);
        frame.Nest(2, recipient);
        frame.Bytes(1, id);
        frame.Nest(2, 0);
        frame.Number(1, sequence + 1UL);
        SendMessage(Binary, frame.Written);
    }

    protected override void OnFlush()
    {
        if (_unacknowledged.Count == 0)
        {
            return;
        }

        var frame = new FrameWriter(stackalloc byte[2048 + 64]);
        for (var i = _unacknowledged.Count - 1; i >= 0; i--)
        {
            frame.Varint(_unacknowledged[i]);
        }

        frame.Nest(1, 0);
        frame.Nest(3, 0);
        SendMessage(Binary, frame.Written);
        _unacknowledged.Clear();
    }

    protected override void OnOpen()
    {
        // Ready once the server has said that no backlog waits.
    }

    protected override void OnMessage(ReadOnlySpan<byte> message)
    {
        ulong request = 0;
        var frame = new FrameReader(message);
        while (frame.Next())
        {
            switch (frame.Field)
            {
                case 1:
                    request = frame.Number;
                    break;
                case Accepted:
                    Traffic.OnAccepted(Pair, (uint)(request - 1));
                    break;
                case Delivered:
                    OnDeliver(frame.Bytes);
                    break;
                case QueueEmpty when !_ready:
                    _ready = true;
                    Traffic.Ready();
                    break;
                case Problem:
                    throw new BenchException("The server refused a message: " + Encoding.UTF8.GetString(frame.Bytes));
                default:
                    break;
            }
        }
    }

    private void OnDeliver(ReadOnlySpan<byte> deliver)
    {
        ulong position = 0;
        ReadOnlySpan<byte> id = default;
        ReadOnlySpan<byte> content = default;
        for (var frame = new FrameReader(deliver); frame.Next();)
        {
            if (frame.Field == 1)
            {
                position = frame.Number;
            }
            else if (frame.Field == 2)
            {
                for (var envelope = new FrameReader(frame.Bytes); envelope.Next();)
                {
                    id = envelope.Field == 1 ? envelope.Bytes : id;
                    content = envelope.Field == 9 ? envelope.Bytes : content;
                }
            }
        }

        _unacknowledged.Add(position);
        Touch();
        if (_unacknowledged.Count == 128)
        {
            OnFlush();
        }

        if (id[4..12].SequenceEqual(Traffic.RunId.AsSpan(4, 8)))
        {
            Traffic.OnDelivered(Pair, BinaryPrimitives.ReadUInt32BigEndian(id[12..]), content);
        }
        else
        {
            Traffic.OnLeftover();
        }
    }
}

/// <summary>An account's primary device.</summary>
/// <param name="Account">16 bytes, network order.</param>
/// <param name="RegistrationId">1..16383.</param>
/// <param name="AccessToken">For the <c>Authorization</c> header.</param>
internal sealed record Device(byte[] Account, int RegistrationId, string AccessToken);
