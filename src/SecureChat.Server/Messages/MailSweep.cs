using SecureChat.Server.Storage;

namespace SecureChat.Server.Messages;

/// <summary>What holds nodes together: carries their notices, renews presence, and finds mail whose notice was lost.</summary>
internal sealed class MailSweep(Mailbox mailbox, NodeNotices notices, IHotStore hot, TimeProvider time, ILogger<MailSweep> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        try
        {
            // On one machine no notice travels, so none is lost.
            await (hot.IsShared ? Task.WhenAll(notices.PublishAsync(ct), SweepAsync(ct)) : Task.CompletedTask);
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    private async Task SweepAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(Interval, time);
        IAsyncDisposable? subscription = null;
        try
        {
            do
            {
                try
                {
                    subscription ??= await notices.SubscribeAsync(mailbox.OnNotice, ct);
                    await VisitAsync(ct);
                }
                catch (Exception e) when (!ct.IsCancellationRequested)
                {
                    log.SweepFailed(e.GetType().Name);
                }
            }
            while (await timer.WaitForNextTickAsync(ct));
        }
        finally
        {
            if (subscription is not null)
            {
                await subscription.DisposeAsync();
            }
        }
    }

    private async Task VisitAsync(CancellationToken ct)
    {
        foreach (var attachment in mailbox.Attached)
        {
            await mailbox.RenewAsync(attachment, ct);
            attachment.Listener.OnWaiting();
        }
    }

    // Presence lives for three of these.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);
}
