using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>What the server adds to an envelope of its own: the time, and proof for a report.</summary>
internal sealed class Postmark(ReportTokens tokens, TimeProvider time)
{
    public ReportTokens Tokens => tokens;

    public DateTimeOffset Now => time.GetUtcNow();
}

/// <summary>What every envelope of one message has in common.</summary>
/// <param name="Sender">Null: nobody says who sent it.</param>
internal readonly record struct Stamp(Caller? Sender, Postmark Mark, DateTimeOffset Now, ulong Timestamp, bool Urgent, bool Ephemeral)
{
    /// <summary>Writes the envelope. A sealed message carries no sender.</summary>
    /// <param name="shared">How many bytes of content follow that many recipients share; the envelope ends before them.</param>
    public byte[] Seal(ReadOnlySpan<byte> id, Guid recipient, int type, ReadOnlySpan<byte> content, int shared)
    {
        var sender = type == (int)ContentType.Sealed ? null : Sender;
        var serverTime = Mailbox.CoarseSeconds(Now);
        var size = 2 + id.Length + (sender is null ? 0 : 2 + 16 + 2) + 2
            + (Timestamp == 0 ? 0 : 1 + ProtoWriter.SizeOf(Timestamp)) + (serverTime == 0 ? 0 : 1 + ProtoWriter.SizeOf(serverTime))
            + (Urgent ? 2 : 0) + (Ephemeral ? 2 : 0) + 2 + ReportTokens.Size
            + 1 + ProtoWriter.SizeOf((ulong)(content.Length + shared)) + content.Length;
        var envelope = GC.AllocateUninitializedArray<byte>(size);
        var writer = new ProtoWriter(envelope);
        writer.Bytes(Envelope.IdFieldNumber, id);
        Span<byte> account = stackalloc byte[16];
        if (sender is not null)
        {
            sender.Account.TryWriteBytes(account, bigEndian: true, out _);
            writer.Bytes(Envelope.SenderAccountFieldNumber, account);
            writer.Number(Envelope.SenderDeviceFieldNumber, (ulong)sender.Device);
        }

        writer.Number(Envelope.TypeFieldNumber, (ulong)type);
        writer.Number(Envelope.TimestampFieldNumber, Timestamp);
        writer.Number(Envelope.ServerTimeFieldNumber, serverTime);
        writer.Number(Envelope.UrgentFieldNumber, Urgent ? 1UL : 0);
        writer.Number(Envelope.EphemeralFieldNumber, Ephemeral ? 1UL : 0);
        Span<byte> token = stackalloc byte[ReportTokens.Size];

        // Also of a sealed message that was sent by name: else nobody could prove from whom it came.
        Mark.Tokens.Write(id, recipient, Sender?.Account, token);
        writer.Bytes(Envelope.ReportTokenFieldNumber, token);

        // Last, so that what many recipients share is the end of each of their envelopes.
        writer.BytesOf(Envelope.ContentFieldNumber, content, shared);
        return writer.Length == size ? envelope : throw new InvalidOperationException("The envelope's size was miscounted.");
    }
}
