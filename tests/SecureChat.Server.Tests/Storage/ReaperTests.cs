using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>Everything that ends by itself is swept up, and the operator sees when.</summary>
public sealed class ReaperTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch + TimeSpan.FromDays(20_000));
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, long> _metrics = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sweep_that_fails_is_tried_again_and_holds_up_no_other()
    {
        var (good, bad) = (0, 0);
        using var reaper = NewReaper(
            new Sweep("good", TimeSpan.FromMinutes(1), _ => Task.FromResult(++good)),
            new Sweep("bad", TimeSpan.FromMinutes(1), _ => ++bad < 3 ? throw new TimeoutException() : Task.FromResult(0)));

        await reaper.StartAsync(Ct);
        for (var run = 1; run <= 3; run++)
        {
            Assert.Equal((run, run), await Eventually.IsAsync((run, run), () => Task.FromResult((good, bad))));
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        await reaper.StopAsync(Ct);
        var metrics = Read();
        Assert.Equal(2, metrics["securechat.reaper.failures bad"]);
        Assert.False(metrics.ContainsKey("securechat.reaper.failures good"));
        Assert.True(metrics["securechat.reaper.removed good"] >= 6);
    }

    [Fact]
    public async Task The_last_run_of_a_sweep_is_the_last_that_succeeded()
    {
        var runs = 0;
        using var reaper = NewReaper(
            new Sweep("once", TimeSpan.FromMinutes(1), _ => ++runs > 1 ? throw new TimeoutException() : Task.FromResult(1)));
        var first = _time.GetUtcNow().ToUnixTimeSeconds();

        Assert.Equal(0, Read()["securechat.reaper.last_run once"]);
        await reaper.StartAsync(Ct);
        await Eventually.IsAsync(1, () => Task.FromResult(runs));
        _time.Advance(TimeSpan.FromMinutes(1));
        await Eventually.IsAsync(2, () => Task.FromResult(runs));

        Assert.Equal(first, Read()["securechat.reaper.last_run once"]);
        await reaper.StopAsync(Ct);
    }

    [Fact]
    public async Task Every_kind_of_thing_that_ends_has_a_sweep()
    {
        await using var node = await Node.StartAsync();

        var names = node.Get<IEnumerable<Sweep>>().Select(sweep => sweep.Name).ToHashSet();

        Assert.Superset(new HashSet<string> { "envelopes", "short_lived_state", "invites", "refresh_tokens", "idle_devices" }, names);
        Assert.All(names, name => Assert.Matches("^[a-z_]+$", name));
    }

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    private Reaper NewReaper(params Sweep[] sweeps)
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        var reaper = new Reaper(sweeps, meters, _time, NullLogger<Reaper>.Instance);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == Reaper.MeterName && instrument.Meter.Scope == meters)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            lock (_metrics)
            {
                var name = $"{instrument.Name} {tags[0].Value}";
                _metrics[name] = instrument.IsObservable ? value : _metrics.GetValueOrDefault(name) + value;
            }
        });
        _listener.Start();
        return reaper;
    }

    private Dictionary<string, long> Read()
    {
        _listener.RecordObservableInstruments();
        lock (_metrics)
        {
            return new(_metrics);
        }
    }
}
