namespace SecureChat.Protocol.Messages;

/// <summary>Opens one socket: <c>/ws?ticket=…</c>. Spec: docs/protocol/transport.md#tickets.</summary>
/// <param name="Ticket">32 random bytes in base64url.</param>
/// <param name="ExpiresIn">Seconds.</param>
public sealed record SocketTicket(string Ticket, int ExpiresIn);
