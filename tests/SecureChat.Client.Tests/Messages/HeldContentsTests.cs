using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Testing;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What is kept back for something that is missing destroys itself like what is shown.</summary>
public sealed class HeldContentsTests
{
    private const string Secret = "the words that nobody may find";

    private static readonly TimeSpan Time = TimeSpan.FromMinutes(5);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task M13_what_waits_for_an_earlier_message_goes_when_its_time_is_over(bool isClosed)
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await alice.Client.SetTimerAsync(bob.Account, Time, fromSending: true, Ct);
        await SendBeforeAsync(world, alice, bob);

        await alice.SendAsync(bob, Secret);
        await bob.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Streams.Name], store.Tables);
        if (isClosed)
        {
            await bob.RestartAsync(() => world.PassAsync(Time));
        }
        else
        {
            await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));
        }

        store.AssertGone();

        // Its place was kept: neither it nor anything in its stead is shown when what was missing is given up.
        await world.PassAsync(TimeSpan.FromHours(2));
        await bob.Client.FlushAsync(Ct);
        Assert.Empty(await HeldAsync(bob));
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.IsUnknown);
    }

    [Fact]
    public async Task What_another_device_has_read_goes_from_what_is_kept_back_too()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob, store);
        await alice.Client.SetTimerAsync(bob.Account, Time, fromSending: false, Ct);
        await SendBeforeAsync(world, alice, tablet);

        await alice.SendAsync(bob, Secret);
        var atPhone = await bob.TextAsync(Secret);
        await tablet.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Streams.Name], store.Tables);
        await bob.Client.MarkReadAsync([atPhone], Ct);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();

        // Of several contents of one instant each bears the next millisecond.
        Assert.InRange(world.Clock.GetUtcNow() - atPhone.SentAt, Time - TimeSpan.FromMilliseconds(5), Time + Time);
    }

    [Fact]
    public async Task A_copy_of_what_was_sent_elsewhere_goes_from_what_is_kept_back()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var laptop = await world.LinkedAsync(alice, store);
        await alice.Client.SetTimerAsync(bob.Account, Time, fromSending: false, Ct);
        await alice.SendAsync(bob, "before");
        await laptop.TextAsync("before");
        await laptop.Client.DisconnectAsync(Ct);
        await laptop.ForgetLastAsync(alice);

        await alice.SendAsync(bob, Secret);
        await laptop.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Streams.Name], store.Tables);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();
    }

    [Fact]
    public async Task An_edit_that_is_kept_back_goes_with_what_it_was_to_change()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await alice.Client.SetTimerAsync(bob.Account, Time, fromSending: true, Ct);
        var sent = await alice.SendAsync(bob, "at six");
        await SendBeforeAsync(world, alice, bob);

        await alice.Client.EditAsync(sent, Secret, Ct);
        await bob.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Streams.Name], store.Tables);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task M13_what_waits_for_the_state_of_its_group_goes_when_its_time_is_over(bool isClosed)
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await bob.SendAsync(alice, "hello");
        await alice.TextAsync("hello");
        var group = await world.GroupAsync(alice, bob);
        await bob.Client.DisconnectAsync(Ct);
        await alice.Client.SetTimerAsync(group, Time, fromSending: true, Ct);
        world.Server.Network.OnRequest =
            request => request.RequestUri!.AbsolutePath == "/v1/groups/state" ? Fault.Lost : Fault.None;

        await alice.Client.SendAsync(group, Secret, Ct);
        await bob.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Groups.Name], store.Tables);
        if (isClosed)
        {
            await bob.RestartAsync(() => world.PassAsync(Time));
        }
        else
        {
            await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));
        }

        store.AssertGone();

        // The state comes after all: nothing is shown in the place of what is gone.
        world.Server.Network.OnRequest = _ => Fault.None;
        await bob.Client.ConnectAsync(Ct);
        await world.AgreeAsync(group, 2, bob);
        await alice.Client.SendAsync(group, "after", Ct);
        await bob.TextAsync("after");
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.IsUnknown);
    }

    [Fact]
    public async Task What_another_device_opened_once_goes_while_it_waits_for_the_state_of_its_group()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob, store);
        var group = await world.GroupAsync(alice, bob);
        await world.AgreeAsync(group, 1, tablet);
        await tablet.Client.DisconnectAsync(Ct);
        await alice.Client.SetGroupNameAsync(group, "Others", Ct);
        await world.AgreeAsync(group, 2, bob);
        world.Server.Network.OnRequest =
            request => request.RequestUri!.AbsolutePath == "/v1/groups/state" ? Fault.Lost : Fault.None;

        await alice.Client.SendAsync(group, new OutgoingMessage { Text = Secret, ViewOnce = true }, Ct);
        var once = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;
        await tablet.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Groups.Name], store.Tables);
        Assert.NotNull(await bob.Client.OpenOnceAsync(once, Ct));
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();
    }

    // The recipient is not connected when this ends, and lacks one: what comes now is kept back.
    private static async Task SendBeforeAsync(World world, Person alice, Person to)
    {
        world.Server.Network.LoseFor(alice.Account);
        await alice.Client.SendAsync(to.Account, "before", Ct);
        await to.TextAsync("before");
        await to.Client.DisconnectAsync(Ct);
        await to.ForgetLastAsync(alice);
    }

    private static async Task<IReadOnlyList<HeldContent>> HeldAsync(Person person) =>
        [.. (await new StoreTransaction(person.Options.Store).ListAsync(Tables.Streams, Ct)).SelectMany(row => row.Record.Held)];
}
