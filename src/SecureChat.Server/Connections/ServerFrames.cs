using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Server.Connections;

/// <summary>The server frames of the hot path, written by hand around bytes that are there already.</summary>
internal static class ServerFrames
{
    /// <summary>Most bytes that <see cref="DeliverHead"/> writes.</summary>
    public const int MaxDeliverHead = 32;

    /// <summary>Everything of a <see cref="Deliver"/> frame that stands before the stored envelope.</summary>
    public static int DeliverHead(Span<byte> head, long position, int envelopeLength)
    {
        var inner = (position == 0 ? 0 : 1 + ProtoWriter.SizeOf((ulong)position))
            + 1 + ProtoWriter.SizeOf((ulong)envelopeLength) + envelopeLength;
        var writer = new ProtoWriter(head);
        writer.Head(ServerFrame.DeliverFieldNumber, inner);
        writer.Number(Deliver.PositionFieldNumber, (ulong)position);
        writer.Head(Deliver.EnvelopeFieldNumber, envelopeLength);
        return writer.Length;
    }

    /// <summary>Answers a request with <see cref="Protocol.Proto.Accepted"/>.</summary>
    public static void Accepted(ClientSession session, ulong request)
    {
        var writer = new ProtoWriter(stackalloc byte[16]);
        writer.Number(ServerFrame.RequestFieldNumber, request);
        writer.Head(ServerFrame.AcceptedFieldNumber, 0);
        session.Write(writer.Written, default);
    }

    public static Protocol.Proto.Problem Problem(ProtocolError error, TimeSpan retryAfter) => new()
    {
        Code = error.Code,
        Status = (uint)error.Status,
        Title = error.Title,
        RetryAfter = (uint)Math.Ceiling(retryAfter.TotalSeconds),
    };
}

/// <summary>The subprotocols that end in <c>.json</c>: the same frames in protobuf's canonical JSON.</summary>
internal static class FrameJson
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true).WithRecursionLimit(16));
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default);

    /// <summary>Null when it is no frame in JSON.</summary>
    public static byte[]? ToBinary(ReadOnlySpan<byte> json) => Parse<ClientFrame>(json)?.ToByteArray();

    /// <summary>Null when it is no such frame in JSON.</summary>
    public static T? Parse<T>(ReadOnlySpan<byte> json)
        where T : class, IMessage, new()
    {
        try
        {
            return Parser.Parse<T>(System.Text.Encoding.UTF8.GetString(json));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException or FormatException or OverflowException)
        {
            return null;
        }
    }

    public static byte[] FromBinary(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail) =>
        Format(ServerFrame.Parser.ParseFrom((byte[])[.. head, .. tail]));

    public static byte[] Format(IMessage frame) => System.Text.Encoding.UTF8.GetBytes(Formatter.Format(frame));
}
