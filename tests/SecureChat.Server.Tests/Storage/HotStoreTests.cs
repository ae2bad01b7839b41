using System.Collections.Concurrent;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What every hot store does.</summary>
public sealed class HotStoreTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Longer = TimeSpan.FromMilliseconds(400);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryHotStore]
    internal async Task A_value_is_read_back_until_its_life_ends(IHotStore hot, TestClock clock)
    {
        await hot.SetAsync("ticket:a", "first"u8.ToArray(), Long, Ct);
        await hot.SetAsync("ticket:a", "second"u8.ToArray(), Short, Ct);
        await hot.SetAsync("ticket:b", Array.Empty<byte>(), Long, Ct);

        Assert.Equal("second"u8.ToArray(), await hot.GetAsync("ticket:a", Ct));
        Assert.Empty((await hot.GetAsync("ticket:b", Ct))!);
        await clock.PassAsync(Longer);
        Assert.Null(await hot.GetAsync("ticket:a", Ct));
        Assert.Null(await hot.TakeAsync("ticket:a", Ct));
        Assert.Null(await hot.GetAsync("ticket:none", Ct));
    }

    [Theory, EveryHotStore]
    internal async Task Of_many_takers_one_gets_the_value(IHotStore hot)
    {
        await hot.SetAsync("ticket:once", "value"u8.ToArray(), Long, Ct);

        var taken = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => hot.TakeAsync("ticket:once", Ct), Ct)));

        Assert.Equal("value"u8.ToArray(), Assert.Single(taken, value => value is not null));
    }

    [Theory, EveryHotStore]
    internal async Task Of_many_adders_one_adds_and_another_may_when_that_life_has_ended(IHotStore hot, TestClock clock)
    {
        var added = await Task.WhenAll(Enumerable.Range(0, 64).Select(
            i => Task.Run(() => hot.AddAsync("nonce:a", new[] { (byte)i }, Short, Ct), Ct)));

        Assert.Single(added, true);
        await clock.PassAsync(Longer);
        Assert.True(await hot.AddAsync("nonce:a", "again"u8.ToArray(), Long, Ct));
        Assert.Equal("again"u8.ToArray(), await hot.GetAsync("nonce:a", Ct));
    }

    [Theory, EveryHotStore]
    internal async Task A_value_is_removed_once(IHotStore hot)
    {
        await hot.SetAsync("otp:a", "value"u8.ToArray(), Long, Ct);

        Assert.True(await hot.RemoveAsync("otp:a", Ct));
        Assert.False(await hot.RemoveAsync("otp:a", Ct));
    }

    [Theory, EveryHotStore]
    internal async Task A_value_is_removed_only_if_it_is_the_expected_one(IHotStore hot)
    {
        await hot.SetAsync("presence:a", "node 2"u8.ToArray(), Long, Ct);

        Assert.False(await hot.RemoveIfAsync("presence:a", "node 1"u8.ToArray(), Ct));
        Assert.Equal("node 2"u8.ToArray(), await hot.GetAsync("presence:a", Ct));
        Assert.True(await hot.RemoveIfAsync("presence:a", "node 2"u8.ToArray(), Ct));
        Assert.False(await hot.RemoveIfAsync("presence:a", "node 2"u8.ToArray(), Ct));
    }

    [Theory, EveryHotStore]
    internal async Task Parallel_counts_are_all_different_and_start_over_when_the_first_life_ends(IHotStore hot, TestClock clock)
    {
        var counts = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => hot.CountAsync("tries:a", Short, Ct), Ct)));
        await clock.PassAsync(Short / 2);
        await hot.CountAsync("tries:a", Long, Ct);

        Assert.Equal(Enumerable.Range(1, 64).Select(i => (long)i), counts.Order());
        await clock.PassAsync(Longer - (Short / 2));
        Assert.Equal(1, await hot.CountAsync("tries:a", Long, Ct));
    }

    [Theory, EveryHotStore]
    internal async Task A_bucket_grants_its_size_to_parallel_callers_and_says_when_the_next_token_comes(IHotStore hot)
    {
        var bucket = new TokenBucket(Size: 10, Refill: TimeSpan.FromHours(1));

        var waits = await Task.WhenAll(
            Enumerable.Range(0, 64).Select(_ => Task.Run(() => TakeAsync(hot, "limit:a", bucket, 1), Ct)));

        Assert.Equal(10, waits.Count(wait => wait == TimeSpan.Zero));
        Assert.InRange((await hot.TakeTokensAsync("limit:a", [], bucket, 0, Ct)).Left, 0, 0.1);
        Assert.Equal(10, (await hot.TakeTokensAsync("limit:a-other", [], bucket, 0, Ct)).Left);
        Assert.All(
            waits.Where(wait => wait > TimeSpan.Zero),
            wait => Assert.InRange(wait, TimeSpan.FromMinutes(59), TimeSpan.FromHours(1)));
    }

    [Theory, EveryHotStore]
    internal async Task A_bucket_keeps_fractions_of_a_token_through_refusals(IHotStore hot, TestClock clock)
    {
        var bucket = new TokenBucket(Size: 1, Refill: TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.Zero, await TakeAsync(hot, "limit:b", bucket, 1));

        for (var i = 0; i < 4; i++)
        {
            await clock.PassAsync(TimeSpan.FromMilliseconds(150));
            Assert.True(await TakeAsync(hot, "limit:b", bucket, 1) > TimeSpan.Zero);
        }

        await clock.PassAsync(TimeSpan.FromMilliseconds(500));
        Assert.Equal(TimeSpan.Zero, await TakeAsync(hot, "limit:b", bucket, 1));
    }

    [Theory, EveryHotStore]
    internal async Task A_bucket_never_holds_more_than_its_size_and_a_refusal_takes_nothing(IHotStore hot, TestClock clock)
    {
        var bucket = new TokenBucket(Size: 2, Refill: TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, await TakeAsync(hot, "limit:c", bucket, 0.5));

        Assert.True(await TakeAsync(hot, "limit:c", bucket, 2) > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, await TakeAsync(hot, "limit:c", bucket, 1.5));

        var quick = new TokenBucket(Size: 2, Refill: TimeSpan.FromMilliseconds(100));
        await TakeAsync(hot, "limit:d", quick, 2);
        await clock.PassAsync(Short);
        Assert.Equal(TimeSpan.Zero, await TakeAsync(hot, "limit:d", quick, 2));
        Assert.True(await TakeAsync(hot, "limit:d", quick, 2) > TimeSpan.Zero);
    }

    [Theory, EveryHotStore]
    internal async Task A_bucket_and_a_count_go_on_under_their_next_name_and_end_under_the_one_before(IHotStore hot)
    {
        var bucket = new TokenBucket(Size: 10, Refill: TimeSpan.FromHours(1));
        Assert.Equal(0, (await hot.TakeTokensAsync("{limit:e}:1", [], bucket, 7, Ct)).Wait.Ticks);
        await hot.CountAsync("{otp-sent}:1", Long, Ct);
        await hot.CountAsync("{otp-sent}:3", Long, Ct);

        Assert.NotEqual(0, (await hot.TakeTokensAsync("{limit:e}:3", ["{limit:e}:2", "{limit:e}:1"], bucket, 4, Ct)).Wait.Ticks);
        Assert.Equal(0, (await hot.TakeTokensAsync("{limit:e}:4", ["{limit:e}:3", "{limit:e}:2"], bucket, 2, Ct)).Wait.Ticks);
        await hot.RenameAsync("{otp-sent}:2", ["{otp-sent}:0", "{otp-sent}:1"], Ct);
        await hot.RenameAsync("{otp-sent}:2", ["{otp-sent}:3"], Ct);

        Assert.InRange((await hot.TakeTokensAsync("{limit:e}:4", ["{limit:e}:1"], bucket, 0, Ct)).Left, 0.9, 1.1);
        Assert.Equal(10, (await hot.TakeTokensAsync("{limit:e}:1", [], bucket, 0, Ct)).Left);
        Assert.Equal((2, 1, 2), (
            await hot.CountAsync("{otp-sent}:2", Long, Ct), await hot.CountAsync("{otp-sent}:1", Long, Ct), await hot.CountAsync("{otp-sent}:3", Long, Ct)));
    }

    [Theory, EveryHotStore]
    internal async Task A_notice_reaches_every_subscriber_of_its_channel_until_it_unsubscribes(IHotStore hot)
    {
        var (first, second, other) = (new BlockingCollection<string>(), new BlockingCollection<string>(), new BlockingCollection<string>());
        var channel = "node:" + Ids.New();
        await using var one = await hot.SubscribeAsync(channel, notice => first.Add(Text(notice)), Ct);
        await using var two = await hot.SubscribeAsync(channel, notice => second.Add(Text(notice)), Ct);
        await using var three = await hot.SubscribeAsync("node:" + Ids.New(), notice => other.Add(Text(notice)), Ct);

        await hot.PublishAsync(channel, "1"u8.ToArray(), Ct);
        await hot.PublishAsync(channel, "2"u8.ToArray(), Ct);
        Assert.Equal(["1", "2"], [first.Take(Ct), first.Take(Ct)]);
        Assert.Equal(["1", "2"], [second.Take(Ct), second.Take(Ct)]);

        await one.DisposeAsync();
        await hot.PublishAsync(channel, "3"u8.ToArray(), Ct);
        Assert.Equal("3", second.Take(Ct));
        Assert.Empty(first);
        Assert.Empty(other);
    }

    [Theory, EveryHotStore]
    internal async Task A_decaying_counter_halves_itself_and_never_falls_below_nothing(IHotStore hot, TestClock clock)
    {
        var half = TimeSpan.FromMilliseconds(400);
        Assert.InRange(await hot.AddDecayingAsync("anomaly:a", 5, half, Ct), 5, 5);
        Assert.InRange(await hot.AddDecayingAsync("anomaly:a", 3, half, Ct), 6, 8);

        // A little longer: a real timer may wake some microseconds before the store's own clock is there.
        await clock.PassAsync(half + TimeSpan.FromMilliseconds(20));
        Assert.InRange(await hot.AddDecayingAsync("anomaly:a", 0, half, Ct), 0.1, 4);

        Assert.Equal(0, await hot.AddDecayingAsync("anomaly:a", -100, half, Ct));
        Assert.Equal(1, await hot.AddDecayingAsync("anomaly:a", 1, TimeSpan.FromHours(1), Ct), 0.01);
        var sum = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => hot.AddDecayingAsync("anomaly:b", 1, TimeSpan.FromHours(1), Ct)));
        Assert.Equal(50, sum.Max(), 0.1);
    }

    [Theory, EveryHotStore]
    internal async Task A_sketch_counts_each_value_once_within_some_percent_until_its_life_ends(IHotStore hot, TestClock clock)
    {
        static ulong[] Values(int from, int count) => [.. Enumerable.Range(from, count).Select(i =>
            BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i))))];
        var first = Values(0, 500);

        Assert.InRange(await hot.AddDistinctAsync("anomaly-seen:a", first, Long, Ct), 450, 550);
        Assert.Equal(0, await hot.AddDistinctAsync("anomaly-seen:a", first, Long, Ct));
        Assert.InRange(await hot.AddDistinctAsync("anomaly-seen:a", Values(500, 5000), Long, Ct), 4500, 5500);
        Assert.Equal(1, await hot.AddDistinctAsync("anomaly-seen:b", Values(0, 1), Short, Ct), 0.1);
        await clock.PassAsync(Longer);
        Assert.Equal(1, await hot.AddDistinctAsync("anomaly-seen:b", Values(0, 1), Short, Ct), 0.1);
    }

    private static async Task<TimeSpan> TakeAsync(IHotStore hot, string key, TokenBucket bucket, double amount) =>
        (await hot.TakeTokensAsync(key, [], bucket, amount, Ct)).Wait;

    private static string Text(ReadOnlyMemory<byte> notice) => System.Text.Encoding.UTF8.GetString(notice.Span);
}
