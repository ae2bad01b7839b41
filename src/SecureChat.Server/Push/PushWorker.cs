using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Push;

/// <summary>Sends what is due in the outbox. Any number of nodes may run it: each wake-up is claimed by one.</summary>
/// <remarks>
/// A device that connected, or whose urgent mail is gone, is not woken. A claim ends as sent, dropped, or due again later; when the
/// node dies in between, another one sends it after the lease: rather twice than not at all.
/// </remarks>
internal sealed class PushWorker(
    IPushOutbox outbox,
    WakeUps wakeUps,
    PushSubscriptions subscriptions,
    IEnumerable<IPushSender> senders,
    Mailbox mailbox,
    PushMetrics metrics,
    IOptions<PushOptions> options,
    ILogger<PushWorker> log) : BackgroundService
{
    private readonly List<Task> _running = [];

    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        // After the host's start: a store that cannot be reached yet must not hold it up.
        await Task.Yield();
        try
        {
            while (true)
            {
                await SendDueAsync(ct);
                await wakeUps.WaitAsync(PollInterval, ct);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
        finally
        {
            await Task.WhenAll(_running);
        }
    }

    private async Task SendDueAsync(CancellationToken ct)
    {
        try
        {
            while (true)
            {
                _running.RemoveAll(sending => sending.IsCompleted);
                if (_running.Count == MaxParallel)
                {
                    await Task.WhenAny(_running).WaitAsync(ct);
                    continue;
                }

                var claimed = await outbox.ClaimAsync(MaxParallel - _running.Count, options.Value.Pause, ct);
                if (claimed.Count is 0)
                {
                    return;
                }

                _running.AddRange(claimed.Select(SendAsync));
            }
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            log.ClaimFailed(e.GetType().Name);
        }
    }

    // Not cancelled when the host stops: it ends by its own time-outs, and its result is written down.
    private async Task SendAsync(WakeUp wakeUp)
    {
        try
        {
            if (await mailbox.IsConnectedAsync(wakeUp.Device, CancellationToken.None)
                || !await wakeUps.HasUrgentMailAsync(wakeUp.Device, CancellationToken.None)
                || await subscriptions.FindAsync(wakeUp.Device, CancellationToken.None) is not var (target, row)
                || senders.FirstOrDefault(sender => sender.Serves(target.Kind)) is not { } sender)
            {
                await outbox.DropAsync(wakeUp, CancellationToken.None);
                return;
            }

            var outcome = await TryAsync(sender, target, wakeUp.Tries);
            metrics.Attempted(target.Kind, outcome.Result);
            await FinishAsync(wakeUp, target, row, outcome);
        }
        catch (Exception e)
        {
            // The lease brings it back.
            log.ResultLost(e.GetType().Name);
        }
    }

    private async Task<PushOutcome> TryAsync(IPushSender sender, PushTarget target, int attempt)
    {
        try
        {
            return await sender.SendAsync(target, CancellationToken.None);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or System.Text.Json.JsonException)
        {
            log.SendFailed(target.Kind, e.GetType().Name, attempt);
            return new PushOutcome(PushResult.Later);
        }
    }

    private async Task FinishAsync(WakeUp wakeUp, PushTarget target, byte[] row, PushOutcome outcome)
    {
        switch (outcome.Result)
        {
            case PushResult.Sent:
                await outbox.CompleteAsync(wakeUp, CancellationToken.None);
                break;
            case PushResult.Later when wakeUp.Tries < MaxTries:
                await outbox.RetryAsync(wakeUp, Wait(wakeUp.Tries, outcome.Wait), CancellationToken.None);
                break;
            case PushResult.Gone:
                await subscriptions.RemoveDeadAsync(wakeUp.Device, row, CancellationToken.None);
                await outbox.DropAsync(wakeUp, CancellationToken.None);
                break;
            default:
                if (outcome.Status > 0)
                {
                    log.Refused(target.Kind, outcome.Status);
                }

                // Completed, not dropped: the pause keeps a stream of mail from becoming a stream of refusals.
                await outbox.CompleteAsync(wakeUp, CancellationToken.None);
                break;
        }
    }

    /// <summary>5 s, doubled with each try up to 10 minutes, a fifth more or less; never less than the service asks for, up to an hour.</summary>
    internal static TimeSpan Wait(int tries, TimeSpan? asked)
    {
        var backOff = Math.Min(5 * Math.Pow(2, tries - 1), 600) * RandomNumberGenerator.GetInt32(80, 121) / 100;
        var wanted = Math.Min(asked?.TotalSeconds ?? 0, 3600);
        return TimeSpan.FromSeconds(Math.Max(backOff, wanted));
    }

    private const int MaxParallel = 256;
    private const int MaxTries = 10;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
}
