using System.Buffers;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Connections;
using SecureChat.Signal;

namespace SecureChat.Fuzz.Targets;

/// <summary>What a client sends to the server's sockets: the WebSocket's own frames, and ours in protobuf and in JSON.</summary>
/// <remarks>The readers are the server's files, compiled into SecureChat.Fuzz.Sockets.</remarks>
internal static class FrameTarget
{
    public static void Run(ReadOnlySpan<byte> input) =>
        FuzzTargets.Choose(input, Wire, ClientBinary, ClientJson, RoomBinary, RoomJson);

    /// <summary>Takes frames off the wire as long as there are any, and reads what they carry.</summary>
    private static void Wire(ReadOnlySpan<byte> input)
    {
        var rest = new ReadOnlySequence<byte>(input.ToArray());
        var (reader, messages) = (default(FrameReader), 0);
        try
        {
            while (reader.Read(ref rest, out _, out var payload) is var result and not ReadResult.NeedsMore)
            {
                Refuse(result is ReadResult.ProtocolError or ReadResult.TooBig or ReadResult.InvalidText);
                Oracle.Require(payload.Length <= input.Length, "A frame holds more than came.");
                if (result == ReadResult.Message)
                {
                    messages++;
                    Fields(payload);
                }
            }
        }
        finally
        {
            reader.Release();
        }

        Refuse(messages == 0);
    }

    private static void ClientBinary(ReadOnlySpan<byte> input)
    {
        Fields(input);
        RoundTrip(Binary(ClientFrame.Parser, input), ClientFrame.Parser);
    }

    private static void RoomBinary(ReadOnlySpan<byte> input) => RoundTrip(Binary(RoomClientFrame.Parser, input), RoomClientFrame.Parser);

    private static void ClientJson(ReadOnlySpan<byte> input)
    {
        var binary = FrameJson.ToBinary(input);
        Refuse(binary is null);
        RoundTrip(ClientFrame.Parser.ParseFrom(binary), ClientFrame.Parser);
    }

    private static void RoomJson(ReadOnlySpan<byte> input)
    {
        var frame = FrameJson.Parse<RoomClientFrame>(input);
        Refuse(frame is null);
        RoundTrip(frame!, RoomClientFrame.Parser);
    }

    /// <summary>As the server's socket goes through a frame.</summary>
    private static void Fields(ReadOnlySpan<byte> frame)
    {
        var reader = new ProtoReader(frame);
        var size = 0;
        while (reader.Next())
        {
            size += reader.Bytes.Length;
        }

        Oracle.Require(size <= frame.Length, "The fields of a frame are longer than it.");
        Refuse(reader.IsMalformed);
    }

    private static T Binary<T>(MessageParser<T> parser, ReadOnlySpan<byte> input)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            throw Refusal();
        }
    }

    private static void RoundTrip<T>(T frame, MessageParser<T> parser)
        where T : class, IMessage<T>, new()
    {
        Oracle.Require(frame.Equals(parser.ParseFrom(frame.ToByteArray())), "A frame reads as another.");
        var withoutUnknown = parser.WithDiscardUnknownFields(true).ParseFrom(frame.ToByteArray());
        Oracle.Require(withoutUnknown.Equals(FrameJson.Parse<T>(FrameJson.Format(frame))), "In JSON a frame reads as another.");
    }

    private static void Refuse(bool condition)
    {
        if (condition)
        {
            throw Refusal();
        }
    }

    private static SignalException Refusal() => new(SignalError.InvalidMessage, "The server closes the socket.");
}
