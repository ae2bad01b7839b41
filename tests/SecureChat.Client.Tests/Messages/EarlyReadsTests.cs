using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What another device of the account has read before it came here.</summary>
public sealed class EarlyReadsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_time_of_a_message_that_another_device_has_read_runs_from_then_when_it_comes_afterwards()
    {
        var time = TimeSpan.FromDays(1);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob);
        await alice.Client.SetTimerAsync(bob.Account, time, fromSending: false, Ct);
        await alice.SendAsync(bob, "before");
        await tablet.TextAsync("before");
        await tablet.Client.DisconnectAsync(Ct);

        // The tablet misses it; Alice, who hears of no receipt, sends it again when the phone has read it.
        world.Server.Network.LoseFor(alice.Account);
        await alice.SendAsync(bob, "for a day");
        var atPhone = await bob.TextAsync("for a day");
        await alice.Client.DisconnectAsync(Ct);
        await bob.Client.MarkReadAsync([atPhone], Ct);
        await world.PassAsync(TimeSpan.FromMinutes(130));
        await tablet.Client.ConnectAsync(Ct);
        await world.UntilAsync(async () => (await new StoreTransaction(tablet.Options.Store).ListAsync(Tables.EarlyReads, Ct)).Count == 1);
        await tablet.RestartAsync();
        await tablet.Client.ConnectAsync(Ct);
        world.Server.Network.Mend();
        await alice.Client.ConnectAsync(Ct);
        var atTablet = await tablet.TextAsync("for a day");

        var due = (await bob.Client.FindAsync(alice.Account, alice.Account, atPhone.Id, Ct))!.ErasedAt;
        Assert.NotNull(due);
        Assert.Equal(due, atTablet.ErasedAt);
        Assert.Empty(await new StoreTransaction(tablet.Options.Store).ListAsync(Tables.EarlyReads, Ct));
    }

    [Fact]
    public async Task A_thousand_are_kept_and_of_more_the_last_ones()
    {
        var rows = new StoreTransaction(new MemoryStore());
        await KeepAsync(rows, 1, 600);
        await KeepAsync(rows, 601, 600);
        await KeepAsync(rows, 1201, 1500);

        Assert.Equal(1000, (await rows.ListAsync(Tables.EarlyReads, Ct)).Count);
        Assert.Null(await EarlyReads.TakeAsync(rows, Someone, Someone, IdOf(1700), Ct));
        Assert.Equal(5ul, await EarlyReads.TakeAsync(rows, Someone, Someone, IdOf(2700), Ct));
        Assert.Null(await EarlyReads.TakeAsync(rows, Someone, Someone, IdOf(2700), Ct));
    }

    [Fact]
    public async Task Of_what_has_destroyed_itself_nothing_is_kept()
    {
        var rows = new StoreTransaction(new MemoryStore());
        rows.Put(Tables.Erased, Tables.Key(Someone, IdOf(1)), new SeenRecord { At = 1 });

        await KeepAsync(rows, 1, 2);

        Assert.Null(await EarlyReads.TakeAsync(rows, Someone, Someone, IdOf(1), Ct));
        Assert.NotNull(await EarlyReads.TakeAsync(rows, Someone, Someone, IdOf(2), Ct));
    }

    private static ByteString Someone => Guid.Empty.ToBytes();

    private static Task KeepAsync(StoreTransaction rows, int first, int count) => EarlyReads.KeepAsync(
        rows,
        [.. Enumerable.Range(first, count).Select(i => new EventRecord.Types.ContentName { Conversation = Someone, Sender = Someone, Id = IdOf(i) })],
        at: 5,
        Ct);

    private static ByteString IdOf(int number) => new Guid(number, 0, 0, new byte[8]).ToBytes();
}
