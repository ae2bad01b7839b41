using SecureChat.Protocol.Accounts;

namespace SecureChat.Protocol.Keys;

/// <summary>Replaces those of the calling device's keys that are given; all signatures are checked. Spec: docs/protocol/keys.md#publishing.</summary>
/// <param name="SignedPreKey">X25519, signed by the account's identity key.</param>
/// <param name="LastResortKey">Kyber1024, signed by the account's identity key.</param>
/// <param name="OneTimeKeys">At most 100 X25519 keys; replaces the whole stored set, also with an empty one.</param>
/// <param name="KyberOneTimeKeys">At most 100 signed Kyber1024 keys; replaces the whole stored set, also with an empty one.</param>
public sealed record PublishKeys(
    SignedKey? SignedPreKey = null,
    SignedKey? LastResortKey = null,
    IReadOnlyList<OneTimeKey>? OneTimeKeys = null,
    IReadOnlyList<SignedKey>? KyberOneTimeKeys = null);

/// <summary>A one-time X25519 prekey; it needs no signature.</summary>
/// <param name="KeyId">0..2^31-1, chosen by the client, unique in its set.</param>
/// <param name="Key">33 bytes.</param>
public sealed record OneTimeKey(int KeyId, byte[] Key);

/// <summary>What is left of the calling device's one-time keys.</summary>
/// <param name="OneTimeKeys">X25519 keys left.</param>
/// <param name="KyberOneTimeKeys">Kyber1024 keys left.</param>
/// <param name="SignedPreKeyAgeDays">Whole days since the signed prekey was published; replace it at 30.</param>
/// <param name="LastResortKeyAgeDays">Whole days since the last-resort key was published; replace it at 30.</param>
public sealed record KeyCounts(int OneTimeKeys, int KyberOneTimeKeys, int SignedPreKeyAgeDays, int LastResortKeyAgeDays);

/// <summary>Asks whether the server holds the keys that the client believes it holds. Spec: docs/protocol/keys.md#consistency.</summary>
/// <param name="Digest">
/// 32 bytes: SHA-256 over identity key, signed prekey's id (8 bytes, big-endian) and key, last-resort key's id and key.
/// </param>
public sealed record CheckKeys(byte[] Digest);

/// <summary>Asks for what a new session needs. Spec: docs/protocol/keys.md#fetching.</summary>
/// <param name="Account">Whose keys.</param>
/// <param name="Device">One device; without it all of them.</param>
public sealed record FetchKeys(Guid Account, int? Device = null);

/// <summary>An account's identity key and a prekey bundle for each device asked for.</summary>
/// <param name="DeviceList">What the account says of its devices, signed; absent if it says nothing. Spec: docs/protocol/device-lists.md.</param>
/// <param name="Padding">Makes the answer as long without one-time keys as with them, so that its length tells nothing.</param>
public sealed record KeyBundles(
    byte[] IdentityKey, IReadOnlyList<DeviceKeys> Devices, byte[]? DeviceList = null, string Padding = "");

/// <summary>One device's prekeys, for one new session.</summary>
/// <param name="OneTimeKey">Absent when none is left or the owner's budget is used up: PQXDH works without.</param>
/// <param name="KyberKey">Always there: a one-time key, else the last-resort key.</param>
public sealed record DeviceKeys(
    int Device, int RegistrationId, SignedKey SignedPreKey, SignedKey KyberKey, OneTimeKey? OneTimeKey = null);
