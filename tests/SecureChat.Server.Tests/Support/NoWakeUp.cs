using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Support;

/// <summary>Wakes nobody.</summary>
internal sealed class NoWakeUp : IWakeUp
{
    public Task MailWaitsAsync(DeviceAddress device, CancellationToken ct) => Task.CompletedTask;

    public Task DisconnectedAsync(DeviceAddress device, CancellationToken ct) => Task.CompletedTask;

    public Task ForgetAsync(DeviceAddress device, CancellationToken ct) => Task.CompletedTask;
}
