using System.Security.Cryptography;
using Google.Protobuf;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What is gone is gone from every table, and from the bytes of the file.</summary>
public sealed class ErasureTests
{
    private const string Secret = "the words that nobody may find";

    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static OutgoingMessage OnceFile => new()
    {
        Media = new Media { MediaId = ByteString.CopyFrom(new byte[24]), Key = ByteString.CopyFrom(Key), Length = 1 },
        ViewOnce = true,
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task M13_a_message_whose_time_is_over_leaves_no_bytes_in_the_file(bool fromSending)
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromMinutes(1), fromSending, Ct);
        await alice.SendAsync(bob, Secret);
        await bob.Client.MarkReadAsync([await bob.TextAsync(Secret)], Ct);
        Assert.True(store.HoldsWords);

        await world.UntilAsync(async () => !(await bob.TextsAsync(alice)).Contains(Secret));

        store.AssertGone();
    }

    [Fact]
    public async Task M13_a_text_that_was_taken_back_or_edited_leaves_no_bytes_in_the_file()
    {
        const string Other = "other words that nobody may find";
        await using var store = await WatchedStore.OpenAsync(Secret, Other);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        var (first, second) = (await alice.SendAsync(bob, Secret), await alice.SendAsync(bob, Other));
        await bob.TextAsync(Other);
        Assert.True(store.HoldsWords);

        await alice.Client.TakeBackAsync(first, Ct);
        await alice.Client.EditAsync(second, "nothing", Ct);
        await bob.EventAsync<MessageChanged>(told => told.Message.Text == "nothing");

        store.AssertGone();
    }

    [Fact]
    public async Task M13_what_opens_once_leaves_neither_key_nor_text_with_anybody()
    {
        await using var phone = await WatchedStore.OpenAsync(Key);
        await using var tablet = await WatchedStore.OpenAsync(Key);
        await using var sender = await WatchedStore.OpenAsync(Key);
        await using var laptop = await WatchedStore.OpenAsync(Key);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(store: sender), await world.PersonAsync(store: phone));
        await alice.SendAsync(bob, "hello");
        await bob.TextAsync("hello");
        await bob.SendAsync(alice, "hello you");
        var (atLaptop, atTablet) = (await world.LinkedAsync(alice, laptop), await world.LinkedAsync(bob, tablet));

        await alice.Client.SendAsync(bob.Account, OnceFile, Ct);
        var once = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;
        await atTablet.EventAsync<MessageReceived>(told => told.Message.IsViewOnce);
        await world.UntilAsync(() => Task.FromResult(!sender.HoldsWords));
        var opened = await bob.Client.OpenOnceAsync(once, Ct);
        await atTablet.EventAsync<MessageErased>();
        await world.UntilAsync(async () => (await atLaptop.Client.MessagesAsync(bob.Account, Ct)).Any(message => message.Id == once.Id));

        Assert.Equal(Key, opened!.Media!.Key.ToByteArray());
        Assert.All([phone, tablet, sender], store => store.AssertGone());
        Assert.Empty(laptop.Tables);
    }

    [Fact]
    public async Task What_another_device_opened_once_is_not_shown_when_it_comes_afterwards()
    {
        await using var store = await WatchedStore.OpenAsync(Key);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob, store);
        await alice.SendAsync(bob, "before");
        await tablet.TextAsync("before");
        await tablet.Client.DisconnectAsync(Ct);

        // The tablet misses it; Alice, who hears of no receipt, sends it again when the phone has opened it.
        world.Server.Network.LoseFor(alice.Account);
        await alice.Client.SendAsync(bob.Account, OnceFile, Ct);
        var once = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;
        await alice.Client.DisconnectAsync(Ct);
        await world.PassAsync(TimeSpan.FromMinutes(130));
        Assert.NotNull(await bob.Client.OpenOnceAsync(once, Ct));
        await tablet.Client.ConnectAsync(Ct);
        await alice.Client.ConnectAsync(Ct);
        await alice.SendAsync(bob, "after");
        await tablet.TextAsync("after");

        Assert.DoesNotContain(tablet.Events<MessageReceived>(), told => told.Message.IsViewOnce);
        Assert.Null(await tablet.Client.OpenOnceAsync(once, Ct));
        Assert.False(store.HoldsWords);
    }

    [Fact]
    public async Task What_another_device_opened_once_is_gone_from_what_is_kept_back_too()
    {
        await using var store = await WatchedStore.OpenAsync(Key);
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob, store);
        world.Server.Network.LoseFor(alice.Account);
        await alice.SendAsync(bob, "before");
        await tablet.TextAsync("before");
        await tablet.Client.DisconnectAsync(Ct);
        await tablet.ForgetLastAsync(alice);

        await alice.Client.SendAsync(bob.Account, OnceFile, Ct);
        var once = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;
        await tablet.Client.ConnectAsync(Ct);
        await world.UntilAsync(() => Task.FromResult(store.HoldsWords));
        Assert.Equal([Tables.Streams.Name], store.Tables);
        await bob.Client.OpenOnceAsync(once, Ct);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();
    }

    [Fact]
    public async Task A_text_opens_once_on_one_of_two_devices_and_a_file_too()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(bob);
        foreach (var message in new[] { OnceFile, new OutgoingMessage { Text = Secret, ViewOnce = true } })
        {
            var sent = await alice.Client.SendAsync(bob.Account, message, Ct);
            var atPhone = (await bob.EventAsync<MessageReceived>(told => told.Message.Id == sent.Id)).Message;
            var atTablet = (await tablet.EventAsync<MessageReceived>(told => told.Message.Id == sent.Id)).Message;

            var opened = await tablet.Client.OpenOnceAsync(atTablet, Ct);
            await bob.EventAsync<MessageErased>(told => told.Id == sent.Id);

            Assert.Equal((message.Text, message.Media), (opened!.Text, opened.Media));
            Assert.Null(await bob.Client.OpenOnceAsync(atPhone, Ct));
        }
    }

    [Fact]
    public async Task An_edit_of_what_has_destroyed_itself_is_not_kept_by_anybody()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(store: store));
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromSeconds(30), fromSending: true, Ct);
        var sent = await alice.SendAsync(bob, "gone soon");
        await bob.TextAsync("gone soon");
        await world.UntilAsync(async () => (await bob.TextsAsync(alice)).Count == 0 && (await alice.TextsAsync(bob)).Count == 0);

        await alice.Client.EditAsync(sent, Secret, Ct);
        await alice.SendAsync(bob, "after");
        await bob.TextAsync("after");

        Assert.False(store.HoldsWords);
        Assert.Empty(await ListAsync(bob, Tables.Early));
        Assert.Empty(await ListAsync(alice, Tables.Early));
    }

    [Fact]
    public async Task Changes_of_what_never_comes_are_kept_for_a_hundred_targets_and_not_for_ever()
    {
        await using var world = await World.StartAsync();
        var clock = new FakeTimeProvider(world.Clock.GetUtcNow());
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync(options => options with { Time = clock }));
        for (var i = 0; i < 110; i++)
        {
            await alice.Client.ReactAsync(Made(bob), "👍", Ct);
        }

        await alice.SendAsync(bob, "after");
        await bob.TextAsync("after");
        Assert.Equal(100, (await ListAsync(bob, Tables.Early)).Count);
        await bob.Client.DisconnectAsync(Ct);
        clock.Advance(TimeSpan.FromDays(15));
        await world.UntilAsync(async () => (await ListAsync(bob, Tables.Early)).Count == 0);
    }

    [Fact]
    public async Task What_destroyed_itself_before_anybody_got_it_leaves_the_outbox_without_a_network()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(store: store), await world.PersonAsync());
        await world.LinkedAsync(alice);
        await alice.Client.SetTimerAsync(bob.Account, TimeSpan.FromSeconds(30), fromSending: true, Ct);
        await alice.Client.DisconnectAsync(Ct);

        var first = await alice.SendAsync(bob, Secret);
        await alice.Client.EditAsync(first, Secret + "!", Ct);
        Assert.Contains(Tables.Outbox.Name, store.Tables);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));
        store.AssertGone();

        await alice.SendAsync(bob, Secret);
        await alice.RestartAsync(() => world.PassAsync(TimeSpan.FromMinutes(1)));
        store.AssertGone();
    }

    [Fact]
    public async Task What_destroyed_itself_before_a_member_got_it_leaves_the_outbox_of_the_group()
    {
        await using var store = await WatchedStore.OpenAsync(Secret);
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(store: store), await world.PersonAsync());
        await bob.SendAsync(alice, "hello");
        await alice.TextAsync("hello");
        var group = await world.GroupAsync(alice, bob);
        await alice.Client.SetTimerAsync(group, TimeSpan.FromSeconds(30), fromSending: true, Ct);
        await bob.Client.DisconnectAsync(Ct);

        await alice.Client.SendAsync(group, Secret, Ct);
        Assert.Contains(Tables.GroupOutbox.Name, store.Tables);
        await world.UntilAsync(() => Task.FromResult(!store.HoldsWords));

        store.AssertGone();
    }

    private static async Task<IReadOnlyList<(string Key, T Record)>> ListAsync<T>(Person person, Table<T> table)
        where T : class, IMessage<T> => await new StoreTransaction(person.Options.Store).ListAsync(table, Ct);

    private static ChatMessage Made(Person with) => new(new MessageRecord
    {
        Conversation = with.Account.ToBytes(),
        Sender = with.Account.ToBytes(),
        Id = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16)),
    });
}
