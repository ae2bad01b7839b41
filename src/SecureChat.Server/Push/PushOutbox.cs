using SecureChat.Protocol;

namespace SecureChat.Server.Push;

/// <summary>Wake-ups that are due, or will be: at most one per device. Survives <c>kill -9</c>; each is claimed by one node.</summary>
/// <remarks>
/// Implementations: a SQLite file, Redis; one behaviour suite for both. After a push the device's entry is quiet for a while: what is
/// scheduled meanwhile becomes one wake-up at the end of that pause. A claim whose node died becomes due again when its lease has ended.
/// </remarks>
internal interface IPushOutbox
{
    /// <summary>Has the device woken at <paramref name="due"/>, or earlier if that is planned already, or at the end of its pause.</summary>
    Task ScheduleAsync(DeviceAddress device, DateTimeOffset due, CancellationToken ct);

    /// <summary>Takes what is due, oldest first; nobody else gets it before the lease ends.</summary>
    /// <param name="pause">From now on the device is quiet for so long.</param>
    Task<IReadOnlyList<WakeUp>> ClaimAsync(int count, TimeSpan pause, CancellationToken ct);

    /// <summary>The device was woken.</summary>
    Task CompleteAsync(WakeUp wakeUp, CancellationToken ct);

    /// <summary>Nothing was sent, nor will be: the pause is lifted.</summary>
    Task DropAsync(WakeUp wakeUp, CancellationToken ct);

    /// <summary>The device is gone: nothing names it any more.</summary>
    Task RemoveAsync(DeviceAddress device, CancellationToken ct);

    /// <summary>Throws when the store cannot be reached.</summary>
    Task PingAsync(CancellationToken ct);

    /// <summary>Not before <paramref name="wait"/> has passed, whatever is scheduled meanwhile.</summary>
    Task RetryAsync(WakeUp wakeUp, TimeSpan wait, CancellationToken ct);
}

/// <summary>A claimed wake-up.</summary>
/// <param name="Tries">How often it was claimed, this time included.</param>
/// <param name="Lease">Until when it is ours, in Unix milliseconds.</param>
internal readonly record struct WakeUp(DeviceAddress Device, int Tries, long Lease)
{
    /// <summary>More than the longest a send can take.</summary>
    public static readonly TimeSpan LeaseLife = TimeSpan.FromSeconds(60);

    /// <summary>A device as the outboxes write it: account (16 bytes, network order), device (1).</summary>
    public static byte[] NameOf(DeviceAddress device) => [.. device.Account.ToByteArray(bigEndian: true), (byte)device.Device];

    public static DeviceAddress DeviceOf(ReadOnlySpan<byte> name) => new(new Guid(name[..16], bigEndian: true), name[16]);
}
