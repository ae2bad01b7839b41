using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;

namespace SecureChat.Client.Messages;

/// <summary>Does what is due, when it is due: erases, confirms, sends again, renews keys.</summary>
internal sealed class Housekeeping(
    Device device,
    Conversations conversations,
    Contents contents,
    Receipts receipts,
    RetryRequests retries,
    Outbox outbox,
    Beacons beacons,
    GroupStates groups,
    GroupOutbox groupOutbox,
    KeyUpkeep keys)
    : IDisposable
{
    /// <summary>Contents that came once are remembered for so long beyond the sender's patience.</summary>
    private static readonly TimeSpan RememberSeen = TimeSpan.FromDays(7);

    private static readonly TimeSpan ForgetEvery = TimeSpan.FromDays(1);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>How far off the time may be at which this device was last connected.</summary>
    private static readonly TimeSpan NoteEvery = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _network = new(1, 1);
    private volatile bool _isOnline;
    private DateTimeOffset _forgetAt;
    private DateTimeOffset _noteAt;

    private IEnumerable<Func<CancellationToken, Task<DateTimeOffset?>>> OnlineWork =>
    [
        retries.RunAsync, receipts.RunAsync, outbox.RunAsync, beacons.RunAsync, StillThereAsync, groups.RunAsync, groupOutbox.RunAsync, keys.RunAsync,
    ];

    /// <summary>From now on the network may be used.</summary>
    public void GoOnline() => _isOnline = true;

    /// <summary>The network is not used any more when this ends.</summary>
    public async Task GoOfflineAsync(CancellationToken ct)
    {
        var wasOnline = _isOnline;
        _isOnline = false;
        await _network.WaitAsync(ct);
        _network.Release();
        if (wasOnline)
        {
            await device.Turns.RunAsync(rows => beacons.SeenAsync(rows, ct), ct);
        }
    }

    public void Wake()
    {
        if (_wake.CurrentCount == 0)
        {
            _wake.Release();
        }
    }

    /// <summary>Sends what is due; nothing while the network is not used.</summary>
    public async Task SendAsync(CancellationToken ct)
    {
        if (_isOnline)
        {
            await outbox.RunAsync(ct);
            await groupOutbox.RunAsync(ct);
        }
    }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var next = await RunDueAsync(ct);
                await WaitAsync(next, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The client ends.
        }
    }

    /// <summary>Does everything that is due now.</summary>
    /// <returns>When something is due next.</returns>
    public async Task<DateTimeOffset> RunDueAsync(CancellationToken ct)
    {
        var next = device.Now + Longest;
        void Consider(DateTimeOffset? due) => next = due < next ? due.Value : next;
        Consider(await device.Turns.RunAsync(rows => conversations.SweepAsync(rows, ct), ct));
        Consider(await device.Turns.RunAsync(rows => contents.RunAsync(rows, ct), ct));
        await ForgetAsync(ct);
        await _network.WaitAsync(ct);
        try
        {
            foreach (var piece in OnlineWork)
            {
                Consider(_isOnline ? await TryAsync(piece, ct) : null);
            }
        }
        finally
        {
            _network.Release();
        }

        return next;
    }

    public void Dispose()
    {
        _wake.Dispose();
        _network.Dispose();
    }

    /// <summary>Does one piece of work; what the server refuses in it keeps no other from being done.</summary>
    private async Task<DateTimeOffset?> TryAsync(Func<CancellationToken, Task<DateTimeOffset?>> piece, CancellationToken ct)
    {
        try
        {
            return await piece(ct);
        }
        catch (Exception e) when (e is ServerException or HttpRequestException)
        {
            return device.Now + Jitter.Of(PauseAfterFailure);
        }
        catch (SignedOutException)
        {
            _isOnline = false;
            return null;
        }
    }

    private async Task<DateTimeOffset?> StillThereAsync(CancellationToken ct)
    {
        if (device.Now >= _noteAt)
        {
            _noteAt = device.Now + NoteEvery;
            await device.Turns.RunAsync(rows => beacons.SeenAsync(rows, ct), ct);
        }

        return _noteAt;
    }

    private async Task WaitAsync(DateTimeOffset next, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var wait = next - device.Now;
        var timer = Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, device.Options.Time, either.Token);
        var woken = _wake.WaitAsync(either.Token);
        await Task.WhenAny(timer, woken);
        await either.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private async Task ForgetAsync(CancellationToken ct)
    {
        if (device.Now < _forgetAt)
        {
            return;
        }

        _forgetAt = device.Now + ForgetEvery;
        var oldest = (device.Now - device.Options.GiveUpAfter - RememberSeen).Milliseconds();
        await device.Turns.RunAsync(
            async rows =>
            {
                foreach (var table in new[] { Tables.Seen, Tables.Erased, Tables.Confirmed, Tables.Asked, Tables.EarlyReads })
                {
                    foreach (var (name, _) in (await rows.ListAsync(table, ct)).Where(row => row.Record.At < oldest))
                    {
                        rows.Remove(table, name);
                    }
                }

                await conversations.ForgetAsync(rows, ct);
            },
            ct);
    }
}
