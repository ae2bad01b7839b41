namespace SecureChat.Protocol.Accounts;

/// <summary>Asks for the first of these usernames that is free. Spec: docs/protocol/accounts.md#usernames.</summary>
/// <param name="Hashes">1..20 hashes of 32 bytes, best first.</param>
public sealed record ReserveUsername(IReadOnlyList<byte[]> Hashes);

/// <summary>A username hash, 32 bytes: one that was reserved, or one to look up.</summary>
public sealed record UsernameHash(byte[] Hash);

/// <summary>Takes a reserved username.</summary>
/// <param name="Hash">32 bytes, from the reservation.</param>
/// <param name="Encrypted">The username for its link, 1..128 bytes, encrypted under a key that only the link carries.</param>
public sealed record ConfirmUsername(byte[] Hash, byte[] Encrypted);

/// <summary>Replaces what a username's link leads to.</summary>
/// <param name="Encrypted">1..128 bytes.</param>
/// <param name="KeepLink">Keeps the link's id, so that a printed link stays good.</param>
public sealed record PutUsernameLink(byte[] Encrypted, bool KeepLink = false);

/// <summary>The id in a username link.</summary>
public sealed record UsernameLink(Guid Link);

/// <summary>What a username link leads to.</summary>
public sealed record EncryptedUsername(byte[] Encrypted);
