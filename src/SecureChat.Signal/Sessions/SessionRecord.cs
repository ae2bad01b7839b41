using System.Collections.Immutable;
using System.Security.Cryptography;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Sessions;

/// <summary>
/// All sessions with one device: the current one, and those before it, for messages that are still on their way.
/// docs/protocol/sessions.md#records. Disposing it erases the secrets in it.
/// </summary>
/// <remarks>
/// Immutable: a change gives a new record, which shares with the old one what did not change; so the old one is disposed
/// only when the new one is stored.
/// </remarks>
public sealed class SessionRecord : IDisposable
{
    /// <summary>Sessions kept beside the current one; the oldest go first.</summary>
    public const int MaxArchived = 40;

    /// <summary>How long a session is used for sending while the other side has not answered in it.</summary>
    public static readonly TimeSpan MaxUnacknowledged = TimeSpan.FromDays(30);

    private const byte StoredVersion = 1;

    /// <summary>The newest first; stored as they are until they are needed.</summary>
    private readonly ImmutableArray<byte[]> _archived;

    private SessionRecord(SessionState? current, ImmutableArray<byte[]> archived) => (Current, _archived) = (current, archived);

    /// <summary>A record without a session.</summary>
    public static SessionRecord Empty { get; } = new(null, []);

    /// <summary>The other side's registration id, as far as a session says.</summary>
    public uint? RemoteRegistrationId => Current?.RemoteRegistrationId;

    /// <summary>The other side's identity in the current session.</summary>
    public PublicKey? RemoteIdentity => Current?.RemoteIdentity;

    /// <summary>Sessions kept beside the current one.</summary>
    public int ArchivedCount => _archived.Length;

    internal SessionState? Current { get; }

    /// <summary>Reads a stored record.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidRecord"/>: treat it as missing.</exception>
    public static SessionRecord Parse(ReadOnlySpan<byte> stored)
    {
        if (!StoredFrame.TryOpen(StoredVersion, stored, out var fields))
        {
            throw Damaged();
        }

        var reader = new ProtoReader(fields);
        SessionState? current = null;
        var archived = ImmutableArray.CreateBuilder<byte[]>();
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    current = SessionStateCodec.Parse(reader.Bytes());
                    break;
                case 2:
                    archived.Add(reader.Bytes().ToArray());
                    break;
            }
        }

        return reader.IsValid && archived.Count <= MaxArchived
            ? new SessionRecord(current, archived.ToImmutable())
            : throw Damaged();
    }

    /// <summary>The record as bytes, to be stored where only its owner can read it.</summary>
    public byte[] Serialize()
    {
        var writer = new ProtoWriter();
        if (Current is not null)
        {
            var current = SessionStateCodec.Serialize(Current);
            writer.Bytes(1, current);
            CryptographicOperations.ZeroMemory(current);
        }

        foreach (var session in _archived)
        {
            writer.Bytes(2, session);
        }

        return StoredFrame.Seal(StoredVersion, writer);
    }

    /// <summary>Whether there is a session to send in.</summary>
    public bool CanSend(DateTimeOffset now) =>
        Current is { Sending.Index: < uint.MaxValue } && (Current.Pending is not { } pending || pending.CreatedAt + MaxUnacknowledged >= now);

    /// <summary>Whether this is the key under which we send now: a report of a failed message names it.</summary>
    public bool IsCurrentRatchetKey(PublicKey key) => Current?.Sending.RatchetKey.Equals(key) == true;

    /// <summary>The record with no current session: the next message to send needs a new one. Late messages still arrive.</summary>
    public SessionRecord ArchiveCurrent() => Current is null ? this : new SessionRecord(null, WithArchived(_archived));

    /// <summary>Never the keys.</summary>
    public override string ToString() => nameof(SessionRecord);

    /// <inheritdoc/>
    public void Dispose()
    {
        Current?.Dispose();
        foreach (var session in _archived)
        {
            CryptographicOperations.ZeroMemory(session);
        }
    }

    /// <summary>The record after a step of the current session.</summary>
    internal SessionRecord WithCurrent(SessionState current) => new(current, _archived);

    /// <summary>The record with a new session as the current one.</summary>
    internal SessionRecord Start(SessionState session) => new(session, WithArchived(_archived));

    /// <summary>The record with a session from the archive, after a step, as the current one.</summary>
    internal SessionRecord Promote(int index, SessionState session) => new(session, WithArchived(_archived.RemoveAt(index)));

    /// <summary>A session from the archive, which the caller disposes; it may be damaged.</summary>
    internal SessionState Archived(int index) => SessionStateCodec.Parse(_archived[index]);

    /// <summary>Where in the archive the session with this base key is.</summary>
    internal bool TryFindArchived(PublicKey baseKey, out int index)
    {
        for (index = 0; index < _archived.Length; index++)
        {
            if (SessionStateCodec.IsNamed(_archived[index], baseKey))
            {
                return true;
            }
        }

        return false;
    }

    private ImmutableArray<byte[]> WithArchived(ImmutableArray<byte[]> archived)
    {
        if (Current is null)
        {
            return archived;
        }

        var all = archived.Insert(0, SessionStateCodec.Serialize(Current));
        return all.Length > MaxArchived ? all.RemoveRange(MaxArchived, all.Length - MaxArchived) : all;
    }

    private static SignalException Damaged() => new(SignalError.InvalidRecord, "The stored sessions are damaged.");
}
