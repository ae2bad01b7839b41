using SecureChat.Protocol;
using SecureChat.Server.Push;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Push;

/// <summary>What every outbox does.</summary>
public sealed class PushOutboxTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryQueue]
    internal async Task A_wake_up_is_due_at_its_time_and_the_earliest_plan_counts(TestStores stores, TestClock clock)
    {
        var (outbox, device) = (await stores.PushOutboxAsync(), NewDevice());
        await outbox.ScheduleAsync(device, clock.Now + TimeSpan.FromMinutes(1), Ct);
        await outbox.ScheduleAsync(device, clock.Now + TimeSpan.FromSeconds(30), Ct);
        await outbox.ScheduleAsync(device, clock.Now + TimeSpan.FromSeconds(45), Ct);

        await clock.PassAsync(TimeSpan.FromSeconds(29));
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await clock.PassAsync(TimeSpan.FromSeconds(1));

        var wakeUp = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        Assert.Equal((device, 1), (wakeUp.Device, wakeUp.Tries));
        await outbox.CompleteAsync(wakeUp, Ct);
        await clock.PassAsync(TimeSpan.FromMinutes(5));
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_device_that_is_removed_is_neither_planned_nor_claimed_nor_quiet_any_more(TestStores stores, TestClock clock)
    {
        var (outbox, planned, claimed) = (await stores.PushOutboxAsync(), NewDevice(), NewDevice());
        await outbox.ScheduleAsync(claimed, clock.Now, Ct);
        var wakeUp = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(planned, clock.Now, Ct);

        await outbox.RemoveAsync(planned, Ct);
        await outbox.RemoveAsync(claimed, Ct);
        await outbox.RetryAsync(wakeUp, TimeSpan.Zero, Ct);

        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(claimed, clock.Now, Ct);
        Assert.Equal(1, Assert.Single(await outbox.ClaimAsync(10, Pause, Ct)).Tries);
    }

    [Theory, EveryQueue]
    internal async Task What_is_scheduled_in_the_pause_is_one_wake_up_at_its_end(TestStores stores, TestClock clock)
    {
        var (outbox, device) = (await stores.PushOutboxAsync(), NewDevice());
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        await outbox.CompleteAsync(Assert.Single(await outbox.ClaimAsync(10, Pause, Ct)), Ct);

        for (var i = 0; i < 100; i++)
        {
            await outbox.ScheduleAsync(device, clock.Now, Ct);
        }

        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await clock.PassAsync(Pause);
        var second = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.CompleteAsync(second, Ct);
        await clock.PassAsync(Pause);
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
    }

    [Theory, EveryQueue]
    internal async Task Of_many_claimers_on_two_nodes_one_gets_each_wake_up(TestStores stores, TestClock clock)
    {
        var (one, other) = (await stores.PushOutboxAsync(), await stores.PushOutboxAsync());
        var devices = Enumerable.Range(0, 200).Select(_ => NewDevice()).ToList();
        foreach (var device in devices)
        {
            await one.ScheduleAsync(device, clock.Now, Ct);
        }

        var claimed = await Task.WhenAll(Enumerable.Range(0, 40).Select(
            i => Task.Run(() => (i % 2 == 0 ? one : other).ClaimAsync(10, Pause, Ct), Ct)));

        var got = claimed.SelectMany(claims => claims).Select(claim => claim.Device).ToList();
        Assert.Equal(devices.OrderBy(device => device.Account), got.OrderBy(device => device.Account));
    }

    [Theory, EveryQueue]
    internal async Task A_claim_comes_back_when_its_node_died_and_only_then(TestStores stores, TestClock clock)
    {
        var (outbox, device) = (await stores.PushOutboxAsync(), NewDevice());
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        var lost = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(device, clock.Now, Ct);

        await clock.PassAsync(WakeUp.LeaseLife - TimeSpan.FromSeconds(1));
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await clock.PassAsync(TimeSpan.FromSeconds(1));

        var again = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        Assert.Equal((device, 2), (again.Device, again.Tries));

        // The node was only slow: its claim is not its own any more.
        await outbox.CompleteAsync(lost, Ct);
        await outbox.RetryAsync(lost, TimeSpan.Zero, Ct);
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
    }

    [Theory, EveryQueue]
    internal async Task A_retry_waits_its_time_whatever_is_scheduled_meanwhile(TestStores stores, TestClock clock)
    {
        var (outbox, device) = (await stores.PushOutboxAsync(), NewDevice());
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        var first = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        await outbox.RetryAsync(first, TimeSpan.FromMinutes(3), Ct);
        await outbox.ScheduleAsync(device, clock.Now, Ct);

        await clock.PassAsync(TimeSpan.FromSeconds(179));
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await clock.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(2, Assert.Single(await outbox.ClaimAsync(10, Pause, Ct)).Tries);
    }

    [Theory, EveryQueue]
    internal async Task A_dropped_wake_up_leaves_no_pause_behind(TestStores stores, TestClock clock)
    {
        var (outbox, device) = (await stores.PushOutboxAsync(), NewDevice());
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        var claim = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        await outbox.DropAsync(claim, Ct);

        var next = Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
        Assert.Equal(1, next.Tries);
        await outbox.DropAsync(next, Ct);
        Assert.Empty(await outbox.ClaimAsync(10, Pause, Ct));
        await outbox.ScheduleAsync(device, clock.Now, Ct);
        Assert.Single(await outbox.ClaimAsync(10, Pause, Ct));
    }

    [Theory, EveryQueue]
    internal async Task What_was_scheduled_is_there_for_the_next_process(TestStores stores, TestClock clock)
    {
        var device = NewDevice();

        // Never closed: as a process leaves it that is killed.
        await (await stores.PushOutboxAsync()).ScheduleAsync(device, clock.Now, Ct);

        Assert.Equal(device, Assert.Single(await (await stores.PushOutboxAsync()).ClaimAsync(10, Pause, Ct)).Device);
    }

    private static DeviceAddress NewDevice() => new(Ids.New(), 1);
}
