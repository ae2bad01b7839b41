using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>Decides who is to be woken and when. Spec: docs/protocol/push.md#when.</summary>
internal sealed class WakeUps(
    PushSubscriptions subscriptions, IPushOutbox outbox, IMessageQueue queue, TimeProvider time, ILogger<WakeUps> log) : IWakeUp, IDisposable
{
    /// <summary>How long a device whose connection died with mail waiting is given to come back by itself.</summary>
    public static readonly TimeSpan ReconnectTime = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _due = new(0, 1);

    // Not the caller's token: the mail is stored, whether its sender waits for the answer or not.
    public Task MailWaitsAsync(DeviceAddress device, CancellationToken ct) => ScheduleAsync(device, TimeSpan.Zero);

    public Task DisconnectedAsync(DeviceAddress device, CancellationToken ct) => ScheduleAsync(device, ReconnectTime);

    public Task ForgetAsync(DeviceAddress device, CancellationToken ct) => outbox.RemoveAsync(device, ct);

    /// <summary>Waits until something may be due, at most so long.</summary>
    public Task WaitAsync(TimeSpan patience, CancellationToken ct) => _due.WaitAsync(patience, ct);

    /// <summary>Whether the device has urgent mail that it did not acknowledge.</summary>
    public async Task<bool> HasUrgentMailAsync(DeviceAddress device, CancellationToken ct)
    {
        var page = await queue.ReadAsync(device, 0, PageSize, ct);

        // Behind a full page of what is not urgent there may be something that is; waking once too often is the better mistake.
        return page.Count == PageSize || page.Any(mail => Envelope.Parser.ParseFrom(mail.Envelope.Span).Urgent);
    }

    public void Dispose() => _due.Dispose();

    private async Task ScheduleAsync(DeviceAddress device, TimeSpan wait)
    {
        try
        {
            if (!await subscriptions.HasAsync(device, CancellationToken.None)
                || (wait > TimeSpan.Zero && !await HasUrgentMailAsync(device, CancellationToken.None)))
            {
                return;
            }

            await outbox.ScheduleAsync(device, time.GetUtcNow() + wait, CancellationToken.None);
            if (wait == TimeSpan.Zero && _due.CurrentCount == 0)
            {
                _due.Release();
            }
        }
        catch (SemaphoreFullException)
        {
            // Two at once: the sender is awake.
        }
        catch (Exception e)
        {
            // The mail is stored; the device gets it when it comes by itself.
            log.WakeUpLost(e.GetType().Name);
        }
    }

    private const int PageSize = 64;
}
