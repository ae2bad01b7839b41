using Microsoft.Extensions.Time.Testing;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Sqlite;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What destroys itself is gone.</summary>
public sealed class ExpiryTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_with_a_timer_goes_on_both_sides_after_it_was_read()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromMinutes(5), fromSending: false, Ct);
        await alice.SendAsync(bob, "for five minutes");
        var received = await bob.TextAsync("for five minutes");

        await world.PassAsync(TimeSpan.FromMinutes(4));
        await bob.Client.MarkReadAsync([received], Ct);
        await world.PassAsync(TimeSpan.FromMinutes(4));
        Assert.Contains("for five minutes", await bob.TextsAsync(alice));
        await world.UntilAsync(async () => !(await bob.TextsAsync(alice)).Contains("for five minutes"));
        await world.UntilAsync(async () => !(await alice.TextsAsync(bob)).Contains("for five minutes"));

        Assert.Equal(received.Id, (await bob.EventAsync<MessageErased>()).Id);
    }

    [Fact]
    public async Task A_timer_set_by_one_side_holds_for_the_other()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromHours(1), fromSending: true, Ct);
        await alice.SendAsync(bob, "first");
        await bob.TextAsync("first");
        await bob.SendAsync(alice, "second");
        var second = await alice.TextAsync("second");

        // Of two contents of one instant the later bears the next millisecond, which nobody waits for.
        var due = second.SentAt + TimeSpan.FromHours(1);
        Assert.InRange(second.ErasedAt!.Value, due - TimeSpan.FromMilliseconds(5), due);
    }

    [Fact]
    public async Task What_was_due_while_the_app_was_closed_is_gone_from_the_file_before_anything_is_shown()
    {
        var folder = Directory.CreateTempSubdirectory("securechat-expiry-");
        await using var world = await World.StartAsync();
        await using var store = await SqliteStore.OpenAsync(Path.Combine(folder.FullName, "bob.db"), new byte[32], Ct);
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromSeconds(30), fromSending: true, Ct);
        await alice.SendAsync(bob, "gone soon");
        var received = await bob.TextAsync("gone soon");
        var row = Tables.Key(Ids.ToBytes(alice.Account), Ids.ToBytes(received.Id));
        Assert.NotNull(await store.ReadAsync(Tables.Messages(Ids.ToBytes(alice.Account)).Name, row, Ct));

        await bob.RestartAsync(() => world.PassAsync(TimeSpan.FromMinutes(1)));

        Assert.Empty(await bob.TextsAsync(alice));
        Assert.Null(await store.ReadAsync(Tables.Messages(Ids.ToBytes(alice.Account)).Name, row, Ct));
        await bob.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(1, false)]
    [InlineData(28 * 24 * 3600, true)]
    [InlineData(28 * 24 * 3600, false)]
    public async Task A_message_is_there_until_its_time_is_over_and_then_gone(int seconds, bool fromSending)
    {
        var instant = TimeSpan.FromMilliseconds(1);
        await using var world = await World.StartAsync();

        // A clock of his own: four weeks of a server's take long.
        var clock = new FakeTimeProvider(world.Clock.GetUtcNow());
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(options => options with { Time = clock }));
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromSeconds(seconds), fromSending, Ct);
        var sent = await alice.SendAsync(bob, "for a time");
        await world.UntilAsync(async () => (await bob.TextsAsync(alice)).Contains("for a time"), instant);
        await bob.Client.DisconnectAsync(Ct);
        var begins = fromSending ? sent.SentAt : clock.GetUtcNow();
        await bob.Client.MarkReadAsync((await bob.Client.MessagesAsync(alice.Account, Ct)).TakeLast(1).ToList(), Ct);
        var due = (await bob.Client.FindAsync(alice.Account, alice.Account, sent.Id, Ct))!.ErasedAt!.Value;

        clock.Advance(due - clock.GetUtcNow() - instant);
        await world.PassAsync(instant);
        var before = await bob.TextsAsync(alice);
        clock.Advance(instant);
        await world.UntilAsync(async () => !(await bob.TextsAsync(alice)).Contains("for a time"), instant);

        // Of two contents of one instant the later bears the next millisecond, which nobody waits for.
        Assert.InRange(due - begins, TimeSpan.FromSeconds(seconds) - (5 * instant), TimeSpan.FromSeconds(seconds));
        Assert.Contains("for a time", before);
        Assert.Equal(due, clock.GetUtcNow());
    }

    [Fact]
    public async Task A_message_that_opens_once_opens_once()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var sent = await alice.Client.SendAsync(bob.Account, new OutgoingMessage { Text = "look", ViewOnce = true }, Ct);

        var received = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;
        var opened = await bob.Client.OpenOnceAsync(received, Ct);
        var again = await bob.Client.OpenOnceAsync(received, Ct);

        Assert.Null(received.Text);
        Assert.Equal("look", opened!.Text);
        Assert.Null(again);
        Assert.Null(await bob.Client.FindAsync(alice.Account, alice.Account, received.Id, Ct));
        Assert.Null(sent.Record.Content.Text);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(2_419_201)]
    public async Task A_timer_out_of_range_is_refused(double seconds)
    {
        await using var world = await World.StartAsync();
        var alice = await world.PersonAsync();

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            () => alice.Client.SetTimerAsync(alice.Account, TimeSpan.FromSeconds(seconds), fromSending: true, Ct));
    }
}
