namespace SecureChat.Protocol.Senders;

/// <summary><c>GET /v1/senders/certificate</c>: who the calling device is, signed for sealed messages.</summary>
/// <param name="Certificate">A sender certificate in libsignal's format: account id, device, identity key, expiry; nothing else.</param>
/// <param name="Expires">Unix seconds.</param>
public sealed record DeliveryCertificate(byte[] Certificate, long Expires);

/// <summary><c>GET /v1/senders/root</c>: what vouches for the server's sender certificates.</summary>
/// <param name="PublicKey">33 bytes: 5, then an X25519 public key.</param>
public sealed record SenderRoot(byte[] PublicKey);

/// <summary><c>PUT /v1/senders/policy</c>: who may send sealed messages to the caller's account.</summary>
/// <param name="AccessKey">16 bytes that whoever knows them may send with; null: none.</param>
/// <param name="Anyone">Whether strangers may, without any right.</param>
public sealed record SendPolicy(byte[]? AccessKey = null, bool Anyone = false);

/// <summary><c>POST /v1/senders/tokens</c>: gives out or revokes delivery tokens, one per contact.</summary>
/// <param name="Add">Random tokens of 16 bytes, made by the client.</param>
/// <param name="Remove">Tokens that are good no more.</param>
public sealed record DeliveryTokens(IReadOnlyList<byte[]>? Add = null, IReadOnlyList<byte[]>? Remove = null);

/// <summary><c>PUT /v1/senders/blocks</c>: refuses or admits the messages of an account that names itself.</summary>
public sealed record BlockSender(Guid Account, bool Blocked);

/// <summary><c>POST /v1/senders/reports</c>: tells the operator about a message that the caller received.</summary>
/// <param name="Id">The message's id.</param>
/// <param name="Token">The envelope's report token: proof that the message came through this server.</param>
/// <param name="Sender">As the envelope had it; null for a sealed one.</param>
/// <param name="Evidence">What the reporter chooses to reveal, at most 64 KiB; null: nothing.</param>
public sealed record ReportMessage(Guid Id, byte[] Token, Guid? Sender = null, byte[]? Evidence = null);
