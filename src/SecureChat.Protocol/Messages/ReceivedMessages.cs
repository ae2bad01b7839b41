namespace SecureChat.Protocol.Messages;

/// <summary>The oldest messages waiting for the calling device. Spec: docs/protocol/messages.md#receiving-over-http.</summary>
/// <param name="Messages">In order; empty when the time to wait ran out.</param>
public sealed record ReceivedMessages(IReadOnlyList<ReceivedMessage> Messages);

/// <summary>One envelope and its place in the queue.</summary>
/// <param name="Position">Names it in an acknowledgement.</param>
/// <param name="Type">As in <c>ContentType</c> of socket.proto.</param>
/// <param name="Timestamp">The sender's clock, milliseconds since 1970.</param>
/// <param name="ServerTime">Seconds since 1970, rounded down to a minute.</param>
/// <param name="SenderAccount">Absent when the sender is sealed or the server itself.</param>
/// <param name="SenderDevice">Absent with it.</param>
/// <param name="ReportToken">16 bytes for a report; absent on the server's own events.</param>
public sealed record ReceivedMessage(
    long Position, Guid Id, int Type, long Timestamp, long ServerTime, bool Urgent, byte[] Content, Guid? SenderAccount = null,
    int? SenderDevice = null, byte[]? ReportToken = null);

/// <summary>Deletes messages that the device has kept.</summary>
/// <param name="Positions">1..256 of them; unknown ones are ignored.</param>
public sealed record AckMessages(IReadOnlyList<long> Positions);
