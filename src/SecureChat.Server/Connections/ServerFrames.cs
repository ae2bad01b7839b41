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
