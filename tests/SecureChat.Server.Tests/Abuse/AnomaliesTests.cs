using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>Counting and judging, without any door.</summary>
public sealed class AnomaliesTests
{
    private static readonly byte[] Actor = [192, 0, 2];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryHotStore]
    internal async Task Two_nodes_count_the_same_actor_together(IHotStore hot, TestClock clock)
    {
        using var one = New(hot, clock.Time);
        using var other = New(hot, clock.Time);
        var key = Ids.New().ToByteArray();

        await ObserveAsync(one, Detectors.UnusedCodes, key, 10);
        await ObserveAsync(other, Detectors.UnusedCodes, key, 10);

        Assert.Equal(Grade.None, one.Judge(Detectors.UnusedCodes, key).Grade);
        Assert.Equal(Grade.Slow, other.Judge(Detectors.UnusedCodes, key).Grade);
        Assert.Equal(Grade.None, other.Judge(Detectors.UnusedCodes, Ids.New().ToByteArray()).Grade);
        Assert.Equal(Grade.None, other.Judge(Detectors.SignUps, key).Grade);
    }

    [Theory, EveryHotStore]
    internal async Task A_node_that_saw_nothing_is_told_where_nodes_share_a_store(IHotStore hot, TestClock clock)
    {
        using var one = New(hot, clock.Time);
        using var other = New(hot, clock.Time);
        var key = Ids.New().ToByteArray();
        await other.StartAsync(Ct);
        for (var i = 0; i < 30 && other.Judge(Detectors.UnusedCodes, key).Grade is Grade.None; i++)
        {
            await ObserveAsync(one, Detectors.UnusedCodes, key, 20);
            await clock.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        Assert.Equal(hot.IsShared, other.Judge(Detectors.UnusedCodes, key).Grade is not Grade.None);
        await other.StopAsync(Ct);
    }

    [Theory, EveryHotStore]
    internal async Task The_same_target_counts_once_and_many_targets_count_each(IHotStore hot, TestClock clock)
    {
        using var anomalies = New(hot, clock.Time);
        var (loyal, sweeper) = (Ids.New().ToByteArray(), Ids.New().ToByteArray());
        var friend = Ids.New();
        for (var i = 0; i < 600; i++)
        {
            anomalies.Observe(Detectors.KeySweep, loyal, friend);
            anomalies.Observe(Detectors.KeySweep, sweeper, Ids.New());
            if (i % 100 is 0)
            {
                await anomalies.FlushAsync(Ct);
            }
        }

        await anomalies.FlushAsync(Ct);

        Assert.Equal(Grade.None, anomalies.Judge(Detectors.KeySweep, loyal).Grade);
        Assert.Equal(Grade.Prove, anomalies.Judge(Detectors.KeySweep, sweeper).Grade);
    }

    [Fact]
    public async Task Every_grade_ends_by_itself_also_over_midnight()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 20, 0, 0, TimeSpan.Zero));
        using var anomalies = New(new MemoryHotStore(clock), clock);
        await ObserveAsync(anomalies, Detectors.UnusedCodes, Actor, 160);

        var grades = new List<Grade> { anomalies.Judge(Detectors.UnusedCodes, Actor).Grade };
        var lasting = anomalies.Judge(Detectors.UnusedCodes, Actor).Lasting;
        for (var hours = 0; hours < 24; hours += 3)
        {
            clock.Advance(TimeSpan.FromHours(3));
            grades.Add(anomalies.Judge(Detectors.UnusedCodes, Actor).Grade);
        }

        Assert.InRange(lasting, TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(36));
        Assert.Equal([Grade.Refuse, Grade.Prove, Grade.Slow, Grade.None], grades.Distinct());
        Assert.Equal(Grade.Prove, grades[4]);
    }

    [Fact]
    public void Whoever_does_too_much_within_a_moment_is_not_waited_for()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var anomalies = New(new MemoryHotStore(clock), clock);

        for (var i = 0; i < 400; i++)
        {
            anomalies.Observe(Detectors.FanOut, Actor, Ids.New());
        }

        Assert.Equal(Grade.Prove, anomalies.Judge(Detectors.FanOut, Actor).Grade);
    }

    [Fact]
    public async Task What_is_taken_back_counts_no_more()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var anomalies = New(new MemoryHotStore(clock), clock);
        for (var i = 0; i < 300; i++)
        {
            // Four of five codes are entered.
            await ObserveAsync(anomalies, Detectors.UnusedCodes, Actor, 1);
            await ObserveAsync(anomalies, Detectors.UnusedCodes, Actor, i % 5 is 0 ? 0 : -1.25);
        }

        Assert.Equal(Grade.None, anomalies.Judge(Detectors.UnusedCodes, Actor).Grade);
    }

    [Theory]
    [InlineData("Watch", 1, 1)]
    [InlineData("Off", 0, 1)]
    [InlineData("Act", 0, 0)]
    internal async Task Where_the_operator_only_watches_or_limits_are_off_nobody_is_held_up(string mode, int shown, double scale)
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var anomalies = New(
            new MemoryHotStore(clock), clock, new LimitsOptions { Anomalies = Enum.Parse<AnomalyMode>(mode), Scale = scale });

        await ObserveAsync(anomalies, Detectors.UnusedCodes, Actor, 1000);

        Assert.Equal(Grade.None, anomalies.Judge(Detectors.UnusedCodes, Actor).Grade);
        Assert.Equal(shown, anomalies.Suspects.All().Count());
    }

    [Fact]
    public void Every_detector_has_grades_in_order_and_a_name_of_its_own()
    {
        Assert.Distinct(Detectors.All.Select(detector => detector.Name));
        Assert.All(Detectors.All, detector =>
        {
            double[] thresholds = [.. new[] { detector.Slow, detector.Prove, detector.Refuse }.Where(double.IsFinite)];
            Assert.NotEmpty(thresholds);
            Assert.Equal(thresholds.Order(), thresholds);
            Assert.Distinct(thresholds);
        });
    }

    internal static async Task ObserveAsync(Anomalies anomalies, Detector detector, byte[] actor, double amount)
    {
        anomalies.Observe(detector, actor, amount);
        await anomalies.FlushAsync(Ct);
    }

    private static Anomalies New(IHotStore hot, TimeProvider time, LimitsOptions? options = null)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new Anomalies(
            hot, new ActorNames(new byte[32], time), new AnomalyMetrics(meters), Options.Create(options ?? new LimitsOptions()), time,
            NullLogger<Anomalies>.Instance);
    }
}
