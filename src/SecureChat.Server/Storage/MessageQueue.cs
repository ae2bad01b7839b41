using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>Undelivered envelopes, one queue per device: idempotent, ordered, capped, short-lived.</summary>
/// <remarks>
/// Implementations: SQLite (one writer, group commit), Redis (a message key plus an ordered set per device); one behaviour
/// suite for both. Deadlines are enforced on read, not only by the reaper.
/// </remarks>
internal interface IMessageQueue
{
    /// <summary>What the start-up message and the health check call it.</summary>
    string Name { get; }

    /// <summary>Throws when the store cannot be reached.</summary>
    Task PingAsync(CancellationToken ct);

    /// <summary>Announces what mails will end with, before the first of them is appended; it is stored once for all of them.</summary>
    /// <remarks>Gone with the last mail's acknowledgement, at the latest when they expire.</remarks>
    /// <param name="deadline">The latest of the mails'.</param>
    Task ShareAsync(SharedBody body, DateTimeOffset deadline, CancellationToken ct);

    /// <summary>Stores all of <paramref name="mail"/> (any devices of one account), or none of it.</summary>
    /// <remarks>
    /// Completes when the mail survives <c>kill -9</c>. Mail whose <see cref="Mail.Once"/> is already known within its life is
    /// not stored again and counts as stored. Positions grow along each device's queue, also across restarts.
    /// </remarks>
    /// <param name="mail">Any devices of one account; each with a <see cref="Mail.Once"/> of its own.</param>
    /// <param name="onPositioned">
    /// Called with the mail's index and position as soon as that is known, before it is durable, in order along each queue, for
    /// new mail only. It lets a connected device receive without waiting for the disk: if its acknowledgement arrives first, the
    /// mail never touches the disk at all. It must not block and must not call back. Stores elsewhere call it when they answered,
    /// which may be out of order.
    /// </param>
    /// <returns>One position per mail, in order (0 = known already); or null: a queue is full and nothing was stored.</returns>
    Task<long[]?> AppendAsync(IReadOnlyList<Mail> mail, Positioned? onPositioned, CancellationToken ct);

    /// <summary>The oldest unexpired mail behind <paramref name="after"/>, in order.</summary>
    Task<IReadOnlyList<StoredMail>> ReadAsync(DeviceAddress device, long after, int count, CancellationToken ct);

    /// <summary>Deletes acknowledged mail; unknown positions are ignored.</summary>
    /// <remarks>A <c>kill -9</c> before <see cref="WrittenAsync"/> may bring it back.</remarks>
    Task AckAsync(DeviceAddress device, IReadOnlyList<long> positions, CancellationToken ct);

    /// <summary>Completes when what was deleted before survives <c>kill -9</c>.</summary>
    Task WrittenAsync(CancellationToken ct);

    /// <summary>Deletes a device's whole queue.</summary>
    Task ClearAsync(DeviceAddress device, CancellationToken ct);

    /// <summary>Deletes expired mail; returns how many envelopes went undelivered.</summary>
    Task<int> ExpireAsync(CancellationToken ct);

    /// <summary>Envelopes waiting now, over all queues.</summary>
    Task<long> CountAsync(CancellationToken ct);
}

/// <summary>Tells that the mail at <paramref name="index"/> has its place in the queue.</summary>
/// <param name="previous">
/// A position that no waiting mail lies behind but before this one; whoever has seen everything up to it misses nothing.
/// </param>
/// <returns>Whether a connected device was given the mail, so that its acknowledgement may soon follow.</returns>
internal delegate bool Positioned(int index, long position, long previous);

/// <summary>One envelope on its way into a device's queue.</summary>
/// <param name="To">The recipient device.</param>
/// <param name="Once">Idempotency key: a hash of sender, message id and recipient device, so that no sender can pre-empt another's id.</param>
/// <param name="Deadline">When it must be gone.</param>
/// <param name="Envelope">A serialised <see cref="Protocol.Proto.Envelope"/>, or its beginning if there is a shared end.</param>
/// <param name="Urgent">Worth waking a sleeping device for.</param>
/// <param name="Shared">The envelope's end, see <see cref="IMessageQueue.ShareAsync"/>.</param>
internal readonly record struct Mail(
    DeviceAddress To,
    UInt128 Once,
    DateTimeOffset Deadline,
    ReadOnlyMemory<byte> Envelope,
    bool Urgent = false,
    SharedBody? Shared = null)
{
    /// <summary>Of the whole envelope, which is what a queue's cap counts: sharing gives nobody more room.</summary>
    public int Size => Envelope.Length + (Shared?.Bytes.Length ?? 0);

    public ReadOnlyMemory<byte> Whole => Shared is null ? Envelope : SharedBody.Join(Envelope.Span, Shared.Bytes);
}

/// <summary>One envelope as it is read back.</summary>
internal readonly record struct StoredMail(long Position, DateTimeOffset Deadline, ReadOnlyMemory<byte> Envelope);
