namespace SecureChat.Protocol.Messages;

/// <summary>One message to all devices of each recipient. Spec: docs/protocol/messages.md#sending.</summary>
/// <param name="Id">Random UUID made by the client: sending it again within its life stores nothing twice.</param>
/// <param name="Recipients">1..64 accounts, each once.</param>
/// <param name="Timestamp">The sender's clock, milliseconds since 1970; delivered as it is.</param>
/// <param name="ExpiresIn">Seconds; 1 up to the server's life. Absent: the server's life.</param>
/// <param name="Urgent">Worth waking a sleeping device for.</param>
/// <param name="Ephemeral">Handed to connected devices or dropped; never stored.</param>
public sealed record SendMessage(
    Guid Id, IReadOnlyList<MessageRecipient> Recipients, long Timestamp, int? ExpiresIn = null, bool Urgent = false, bool Ephemeral = false);

/// <summary>One sealed message to all devices of one account, from nobody. Spec: docs/protocol/sealed-sender.md#sending.</summary>
/// <param name="Id">Random UUID made by the client.</param>
/// <param name="Right">The recipient's access key or a delivery token, 16 bytes; absent where anyone may send.</param>
/// <param name="Devices">Exactly the account's devices, each once, with contents of type 6.</param>
/// <param name="Timestamp">The sender's clock, milliseconds since 1970; delivered as it is.</param>
/// <param name="ExpiresIn">Seconds; 1 up to the server's life. Absent: the server's life.</param>
/// <param name="Urgent">Worth waking a sleeping device for.</param>
/// <param name="Ephemeral">Handed to connected devices or dropped; never stored.</param>
public sealed record SealedMessage(
    Guid Id, Guid Account, IReadOnlyList<DeviceMessage> Devices, long Timestamp, byte[]? Right = null,
    int? ExpiresIn = null, bool Urgent = false, bool Ephemeral = false);

/// <summary>The ciphertexts for one account.</summary>
/// <param name="Account">For the sender's own account: all its other devices.</param>
/// <param name="Devices">Exactly the account's devices, each once.</param>
public sealed record MessageRecipient(Guid Account, IReadOnlyList<DeviceMessage> Devices);

/// <summary>The ciphertext for one device.</summary>
/// <param name="Device">1..127.</param>
/// <param name="RegistrationId">Of the session that encrypted it.</param>
/// <param name="Type">As in <c>ContentType</c> of socket.proto: 2, 3, 6, 7 or 8.</param>
/// <param name="Content">At most 96 KiB.</param>
public sealed record DeviceMessage(int Device, int RegistrationId, int Type, byte[] Content);

/// <summary>What <c>mismatched_devices</c> and <c>stale_devices</c> say about one recipient.</summary>
/// <param name="Missing">Devices that the account has and the message did not name.</param>
/// <param name="Extra">Devices that the message named and the account does not have.</param>
/// <param name="Stale">Devices whose registration id was another one.</param>
public sealed record RecipientMismatch(
    Guid Account, IReadOnlyList<int> Missing, IReadOnlyList<int> Extra, IReadOnlyList<int> Stale);
