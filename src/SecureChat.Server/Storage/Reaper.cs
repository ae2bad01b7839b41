using System.Diagnostics.Metrics;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Storage;

/// <summary>Removes what has ended by itself: each sweep on its own interval, each visible as metrics with its last run.</summary>
/// <remarks>Nothing depends on it for correctness: deadlines are checked on read. It frees space and keeps promises about disks.</remarks>
internal sealed class Reaper : BackgroundService
{
    /// <summary>Name of the meter that carries its metrics.</summary>
    public const string MeterName = "SecureChat.Storage";

    private readonly Sweep[] _sweeps;
    private readonly TimeProvider _time;
    private readonly ILogger<Reaper> _log;
    private readonly Counter<long> _removed;
    private readonly Counter<long> _failures;
    private readonly long[] _lastRun;

    public Reaper(IEnumerable<Sweep> sweeps, IMeterFactory meters, TimeProvider time, ILogger<Reaper> log)
    {
        _sweeps = [.. sweeps];
        _time = time;
        _log = log;
        _lastRun = new long[_sweeps.Length];

        var meter = meters.Create(MeterName);
        _removed = meter.CreateCounter<long>("securechat.reaper.removed", description: "What each sweep removed");
        _failures = meter.CreateCounter<long>("securechat.reaper.failures", description: "Runs of each sweep that failed");
        meter.CreateObservableGauge(
            "securechat.reaper.last_run", LastRuns, "s", "Unix time at which each sweep last succeeded; 0: never");
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, _sweeps.Length).Select(index => RepeatAsync(index, stoppingToken)));

    private async Task RepeatAsync(int index, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(_sweeps[index].Every, _time);
        do
        {
            await SweepAsync(index, ct);
        }
        while (await timer.WaitForNextTickAsync(ct));
    }

    private async Task SweepAsync(int index, CancellationToken ct)
    {
        var sweep = _sweeps[index];
        var tag = new KeyValuePair<string, object?>(MetricLabels.Sweep, sweep.Name);
        try
        {
            var removed = await sweep.RemoveAsync(ct);
            _removed.Add(removed, tag);
            Volatile.Write(ref _lastRun[index], _time.GetUtcNow().ToUnixTimeSeconds());
            _log.Swept(sweep.Name, removed);
        }
        catch (Exception failure) when (!ct.IsCancellationRequested)
        {
            // A store that is away now may be back at the next run; the last-run metric tells how long it has been.
            _failures.Add(1, tag);
            _log.SweepFailed(sweep.Name, failure.GetType().Name);
        }
    }

    private IEnumerable<Measurement<long>> LastRuns() =>
        _sweeps.Select((sweep, index) => new Measurement<long>(
            Volatile.Read(ref _lastRun[index]), new KeyValuePair<string, object?>(MetricLabels.Sweep, sweep.Name)));
}

/// <summary>One kind of thing that ends by itself.</summary>
/// <param name="Name">Its name in metrics and logs.</param>
/// <param name="Every">Time between the starts of two runs.</param>
/// <param name="RemoveAsync">Removes what has ended and returns how much that was.</param>
internal sealed record Sweep(string Name, TimeSpan Every, Func<CancellationToken, Task<int>> RemoveAsync);
