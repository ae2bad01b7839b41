using SecureChat.Protocol;

namespace SecureChat.Server.Storage;

/// <summary>Reaches devices that have no connection. Telling of mail never fails: mail that is stored is accepted, woken or not.</summary>
internal interface IWakeUp
{
    /// <summary>Urgent mail was stored for a device that is connected nowhere. Completes when the wake-up survives <c>kill -9</c>.</summary>
    Task MailWaitsAsync(DeviceAddress device, CancellationToken ct);

    /// <summary>The device's last connection has ended.</summary>
    Task DisconnectedAsync(DeviceAddress device, CancellationToken ct);

    /// <summary>The device is gone for good, and what was planned for it.</summary>
    Task ForgetAsync(DeviceAddress device, CancellationToken ct);
}
