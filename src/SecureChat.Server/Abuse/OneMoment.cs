namespace SecureChat.Server.Abuse;

/// <summary>Makes answers that must not be told apart come at a moment that the work behind them has no part in.</summary>
/// <remarks>
/// To wait for what is left of a fixed time would not do: timers count whole milliseconds, or the kernel's ticks, so what the work took
/// would show in where the waiting begins. Here everybody waits for the first beat after a moment that is reckoned from the
/// beginning alone, and the beats come whether anybody waits or not. Work that takes longer than a step is answered after a later one.
/// </remarks>
/// <param name="time">Not the clock: what the beats are counted by.</param>
internal sealed class OneMoment(TimeProvider time) : IDisposable
{
    /// <summary>More than the look-ups for one recipient take, unless the machine is overloaded.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMilliseconds(15);

    /// <summary>What each further recipient adds to a step.</summary>
    public static readonly TimeSpan PerRecipient = TimeSpan.FromMilliseconds(0.5);

    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(5);

    // A minute: who asks again and again, to compare, meets beats that began with somebody else's question.
    private const int BeatsAfterTheLast = 12_000;

    private readonly Lock _gate = new();
    private readonly List<(long Moment, TaskCompletionSource Waiter)> _waiting = [];
    private ITimer? _timer;
    private int _unused;

    /// <summary>Answers that wait now.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>To be taken before the first look at what must not be told.</summary>
    public long Begin() => time.GetTimestamp();

    /// <summary>Waits for the first beat after the step that has begun.</summary>
    /// <param name="began">From <see cref="Begin"/>.</param>
    public Task ComesAsync(long began, int recipients, CancellationToken ct)
    {
        var step = Step + ((recipients - 1) * PerRecipient);
        var steps = 1 + (long)(time.GetElapsedTime(began) / step);
        var moment = began + (long)(steps * step.TotalSeconds * time.TimestampFrequency);
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _unused = 0;
            _waiting.Add((moment, waiter));
            _timer ??= time.CreateTimer(_ => OnBeat(), null, Beat, Beat);
        }

        return waiter.Task.WaitAsync(ct);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _timer?.Dispose();
            _waiting.ForEach(waiting => waiting.Waiter.TrySetCanceled());
        }
    }

    private void OnBeat()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            _waiting.RemoveAll(waiting => waiting.Moment <= now && waiting.Waiter.TrySetResult());
            if (_waiting.Count == 0 && ++_unused > BeatsAfterTheLast)
            {
                _timer?.Dispose();
                _timer = null;
            }
        }
    }
}
