using System.Collections.Concurrent;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal;

/// <summary>
/// Identities, sessions and prekeys in memory, for tests and samples: gone when the process ends. Everything is kept as
/// bytes, so that what would not survive a database does not survive here either.
/// </summary>
public sealed class InMemoryStores : IIdentityStore, ISessionStore, IPreKeyStore
{
    private readonly ConcurrentDictionary<ProtocolAddress, PublicKey> _identities = [];
    private readonly ConcurrentDictionary<ProtocolAddress, byte[]> _sessions = [];
    private readonly ConcurrentDictionary<uint, byte[]> _oneTime = [];
    private readonly ConcurrentDictionary<uint, byte[]> _signed = [];
    private readonly ConcurrentDictionary<uint, (byte[] Record, bool LastResort)> _kyber = [];
    private readonly ConcurrentDictionary<HandshakeUse, bool> _used = [];

    /// <summary>Takes in a one-time prekey that is about to be published.</summary>
    public void Add(PreKeyRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        _oneTime[record.Id] = record.Serialize();
    }

    /// <summary>Takes in a signed prekey that is about to be published.</summary>
    public void Add(SignedPreKeyRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        _signed[record.Id] = record.Serialize();
    }

    /// <summary>Takes in a Kyber prekey that is about to be published.</summary>
    public void Add(KyberPreKeyRecord record, bool lastResort)
    {
        ArgumentNullException.ThrowIfNull(record);
        _kyber[record.Id] = (record.Serialize(), lastResort);
    }

    /// <inheritdoc/>
    ValueTask<PublicKey?> IIdentityStore.LoadAsync(ProtocolAddress remote, CancellationToken ct) =>
        new(_identities.GetValueOrDefault(remote));

    /// <summary>Trust on first use: another identity than the saved one is refused until it is saved.</summary>
    public ValueTask<bool> IsTrustedAsync(
        ProtocolAddress remote, PublicKey identity, TrustDirection direction, CancellationToken ct) =>
        new(!_identities.TryGetValue(remote, out var known) || known.Equals(identity));

    /// <inheritdoc/>
    public ValueTask SaveAsync(ProtocolAddress remote, PublicKey identity, CancellationToken ct)
    {
        _identities[remote] = identity;
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    ValueTask<SessionRecord?> ISessionStore.LoadAsync(ProtocolAddress remote, CancellationToken ct) =>
        new(_sessions.TryGetValue(remote, out var stored) ? SessionRecord.Parse(stored) : null);

    /// <inheritdoc/>
    public ValueTask StoreAsync(ProtocolAddress remote, SessionRecord record, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(record);
        _sessions[remote] = record.Serialize();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<PreKeyRecord?> LoadOneTimeAsync(uint id, CancellationToken ct) =>
        new(_oneTime.TryGetValue(id, out var stored) ? PreKeyRecord.Parse(stored) : null);

    /// <inheritdoc/>
    public ValueTask RemoveOneTimeAsync(uint id, CancellationToken ct)
    {
        _oneTime.TryRemove(id, out _);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<SignedPreKeyRecord?> LoadSignedAsync(uint id, CancellationToken ct) =>
        new(_signed.TryGetValue(id, out var stored) ? SignedPreKeyRecord.Parse(stored) : null);

    /// <inheritdoc/>
    public ValueTask<KyberPreKeyRecord?> LoadKyberAsync(uint id, CancellationToken ct) =>
        new(_kyber.TryGetValue(id, out var stored) ? KyberPreKeyRecord.Parse(stored.Record) : null);

    /// <inheritdoc/>
    public ValueTask<bool> WasUsedAsync(HandshakeUse use, CancellationToken ct) => new(_used.ContainsKey(use));

    /// <inheritdoc/>
    public ValueTask MarkUsedAsync(HandshakeUse use, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(use);
        _used[use] = true;
        if (_kyber.TryGetValue(use.KyberPreKeyId, out var stored) && !stored.LastResort)
        {
            _kyber.TryRemove(use.KyberPreKeyId, out _);
        }

        return ValueTask.CompletedTask;
    }
}
