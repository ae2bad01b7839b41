using SecureChat.Client.LocalStore;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>When receipts go.</summary>
public sealed class ReceiptTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M3_a_receipt_waits_1_to_30_seconds_and_what_comes_meanwhile_goes_with_it()
    {
        const int Receipts = 200;
        var instant = TimeSpan.FromMilliseconds(1);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await world.PassAsync(TimeSpan.FromMinutes(1));
        var (sent, waits) = (0, new List<double>());
        world.Server.Network.CountFor(alice.Account, () => Interlocked.Increment(ref sent));

        for (var i = 0; i < Receipts; i++)
        {
            var came = world.Clock.GetUtcNow();
            await alice.SendAsync(bob, $"{i}");
            await alice.SendAsync(bob, $"{i} again");
            IReadOnlyList<(string Key, ReceiptsRecord Record)> kept = [];
            await world.UntilAsync(
                async () => (kept = await new StoreTransaction(bob.Options.Store).ListAsync(Tables.Receipts, Ct)) is [{ Record.Delivered.Count: 2 }],
                TimeSpan.Zero);
            var due = kept[0].Record.Due.ToTime();
            await world.PassAsync(due - world.Clock.GetUtcNow() - instant);
            Assert.Equal(i, sent);
            await world.UntilAsync(() => Task.FromResult(sent > i), instant);
            await world.UntilAsync(
                async () => (await new StoreTransaction(bob.Options.Store).ListAsync(Tables.Receipts, Ct)).Count == 0, TimeSpan.Zero);
            waits.Add((world.Clock.GetUtcNow() - came).TotalSeconds);
        }

        // The earlier of two draws.
        Assert.Equal(Receipts, sent);
        Assert.InRange(waits.Min(), 1, 5);
        Assert.InRange(waits.Max(), 20, 30.1);
        Assert.True(waits.Select(wait => (int)wait).Distinct().Count() > 10);
    }

    [Fact]
    public async Task M1_fifty_silent_messages_in_an_hour_make_a_device_answer_twenty_times_at_most()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var target = (await alice.Client.MessagesAsync(bob.Account, Ct))[0];
        await world.PassAsync(TimeSpan.FromMinutes(1));
        var sent = 0;
        world.Server.Network.CountFor(alice.Account, () => Interlocked.Increment(ref sent));

        for (var i = 0; i < 50; i++)
        {
            await alice.Client.ReactAsync(target, i % 2 == 0 ? "👍" : "", Ct);
            await world.PassAsync(TimeSpan.FromMinutes(1));
        }

        // Each would be confirmed by itself; what is beyond the budget goes together when the hour is over.
        Assert.InRange(sent, 1, 20);
        var within = sent;
        await world.UntilAsync(() => Task.FromResult(sent > within), TimeSpan.FromMinutes(1));
        await world.PassAsync(TimeSpan.FromMinutes(1));
        Assert.InRange(sent - within, 1, 2);
    }
}
