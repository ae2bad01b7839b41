using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Calls;

/// <summary>One frame for any number of sockets: encoded once for each subprotocol.</summary>
internal sealed class RoomFrame(RoomServerFrame frame)
{
    private byte[]? _binary;
    private byte[]? _json;

    public byte[] Encoded(bool isJson) => isJson ? _json ??= FrameJson.Format(frame) : _binary ??= frame.ToByteArray();

    public static RoomFrame PeerJoined(uint peer) => new(new RoomServerFrame { PeerJoined = new PeerJoined { Peer = peer } });

    public static RoomFrame PeerLeft(uint peer, ulong request = 0) =>
        new(new RoomServerFrame { Request = request, PeerLeft = new PeerLeft { Peer = peer } });

    public static RoomFrame Signal(uint from, ByteString content) =>
        new(new RoomServerFrame { Signal = new RoomSignal { Peer = from, Content = content } });

    public static RoomFrame Refusal(ulong request, ProtocolError error, TimeSpan retryAfter = default) =>
        new(new RoomServerFrame { Request = request, Problem = ServerFrames.Problem(error, retryAfter) });

    /// <summary>Null when it is no frame of a client.</summary>
    public static RoomClientFrame? Read(ReadOnlySpan<byte> message, bool isJson)
    {
        try
        {
            return isJson ? FrameJson.Parse<RoomClientFrame>(message) : RoomClientFrame.Parser.ParseFrom(message);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
