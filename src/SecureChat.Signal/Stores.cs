using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal;

/// <summary>Which way the message goes that a decision about trust is for.</summary>
public enum TrustDirection
{
    /// <summary>To the other side: nothing is sent to an identity that is not trusted.</summary>
    Sending,

    /// <summary>From the other side.</summary>
    Receiving,
}

/// <summary>The identities of others, and what the user thinks of them.</summary>
public interface IIdentityStore
{
    /// <summary>The identity last saved for an address, or null.</summary>
    ValueTask<PublicKey?> LoadAsync(ProtocolAddress remote, CancellationToken ct);

    /// <summary>
    /// Whether to go on with this identity. Usual: yes if none is saved, or the same one; else no, until the user agreed.
    /// </summary>
    ValueTask<bool> IsTrustedAsync(
        ProtocolAddress remote, PublicKey identity, TrustDirection direction, CancellationToken ct);

    /// <summary>Remembers an identity that was used; a host shows a safety number change when it replaces another.</summary>
    ValueTask SaveAsync(ProtocolAddress remote, PublicKey identity, CancellationToken ct);
}

/// <summary>Keeps the sessions with each device.</summary>
/// <remarks>
/// A host that works on several messages at once serialises the use of one record: what is loaded, changed and stored by two
/// at the same time would use a key twice.
/// </remarks>
public interface ISessionStore
{
    /// <summary>The record, or null. It becomes the caller's, who disposes it.</summary>
    ValueTask<SessionRecord?> LoadAsync(ProtocolAddress remote, CancellationToken ct);

    /// <summary>
    /// Stores a record, for good when the task ends. It stays the caller's, who may dispose it then: store what
    /// <see cref="SessionRecord.Serialize"/> gives.
    /// </summary>
    ValueTask StoreAsync(ProtocolAddress remote, SessionRecord record, CancellationToken ct);
}

/// <summary>The private halves of the prekeys that were published. What is loaded becomes the caller's, who disposes it.</summary>
/// <remarks>After an interruption a prekey is removed, and a handshake marked, a second time.</remarks>
public interface IPreKeyStore
{
    /// <summary>A one-time prekey, or null.</summary>
    ValueTask<PreKeyRecord?> LoadOneTimeAsync(uint id, CancellationToken ct);

    /// <summary>Forgets a one-time prekey that a message has used.</summary>
    ValueTask RemoveOneTimeAsync(uint id, CancellationToken ct);

    /// <summary>A signed prekey, or null.</summary>
    ValueTask<SignedPreKeyRecord?> LoadSignedAsync(uint id, CancellationToken ct);

    /// <summary>A Kyber prekey, or null.</summary>
    ValueTask<KyberPreKeyRecord?> LoadKyberAsync(uint id, CancellationToken ct);

    /// <summary>
    /// Whether a handshake with these keys was marked before. For a Kyber prekey of last resort that is the only thing by
    /// which a replay shows once its session has been forgotten.
    /// </summary>
    ValueTask<bool> WasUsedAsync(HandshakeUse use, CancellationToken ct);

    /// <summary>
    /// Marks a handshake as done: forgets a one-time Kyber prekey, and remembers the base key beside one of last resort for
    /// as long as that prekey is kept.
    /// </summary>
    ValueTask MarkUsedAsync(HandshakeUse use, CancellationToken ct);
}

/// <summary>Which prekeys a handshake has used.</summary>
/// <param name="KyberPreKeyId">The Kyber prekey.</param>
/// <param name="SignedPreKeyId">The signed prekey.</param>
/// <param name="BaseKey">The initiator's one-time key: no two honest handshakes have the same.</param>
public sealed record HandshakeUse(uint KyberPreKeyId, uint SignedPreKeyId, PublicKey BaseKey);
