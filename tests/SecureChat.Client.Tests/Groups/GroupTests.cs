using System.Collections.Concurrent;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;
using static SecureChat.Client.Tests.Support.World;

namespace SecureChat.Client.Tests.Groups;

public sealed class GroupTests
{
    [Fact]
    public async Task What_is_sent_to_a_group_comes_to_every_member_in_one_request()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SendAsync(group, "first", Ct);
        await bob.TextAsync("first");
        var sent = SentBy(world);

        var message = await alice.Client.SendAsync(group, "hello all", Ct);

        Assert.Equal(["/v1/sealed/many"], sent);
        Assert.Equal(group, (await bob.TextAsync("hello all")).Conversation);
        Assert.Equal(group, (await carol.TextAsync("hello all")).Conversation);
        await world.UntilAsync(async () => await alice.ProgressAsync(message) == Progress.Delivered);
    }

    [Fact]
    public async Task Two_hundred_members_are_written_to_in_one_request_and_all_of_them_read_it()
    {
        const int Others = 200;
        await using var world = await World.StartAsync();
        var alice = await world.PersonAsync();
        var others = new List<Person>();
        for (var i = 0; i < Others; i++)
        {
            others.Add(await world.PersonAsync());
            await others[^1].SendAsync(alice, "hello");
        }

        await world.UntilAsync(() => Task.FromResult(alice.Events<MessageReceived>().Count() == Others));
        var group = await world.GroupAsync(alice, [.. others]);
        await alice.Client.SendAsync(group, "first", Ct);
        await world.UntilAsync(() => Task.FromResult(others.TrueForAll(other => Has(other, "first"))));
        var sent = SentBy(world);

        await alice.Client.SendAsync(group, "hello all", Ct);

        Assert.Equal(["/v1/sealed/many"], sent);
        await world.UntilAsync(() => Task.FromResult(others.TrueForAll(other => Has(other, "hello all"))));
        Assert.All(others, other => Assert.Single(other.Events<MessageReceived>(), told => told.Message.Text == "hello all"));
    }

    [Fact]
    public async Task Members_answer_react_edit_and_take_back()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);

        await alice.Client.SendAsync(group, "dinner?", Ct);
        var seen = await bob.TextAsync("dinner?");
        await bob.Client.ReactAsync(seen, "👍", Ct);
        await bob.Client.SendAsync(group, "at eigth", Ct);
        var answer = await carol.TextAsync("at eigth");
        await bob.Client.EditAsync((await bob.Client.FindAsync(group, bob.Account, answer.Id, Ct))!, "at eight", Ct);
        await carol.Client.ReactAsync(answer, "🙂", Ct);

        await carol.EventAsync<MessageChanged>(told => told.Message.Text == "at eight");
        await carol.EventAsync<MessageChanged>(told => told.Message.Reactions.GetValueOrDefault(bob.Account) == "👍");
        await alice.EventAsync<MessageChanged>(told => told.Message.Reactions.GetValueOrDefault(carol.Account) == "🙂");
        await bob.Client.TakeBackAsync((await bob.Client.FindAsync(group, bob.Account, answer.Id, Ct))!, Ct);
        await alice.EventAsync<MessageChanged>(told => told.Message.IsTakenBack);
    }

    [Fact]
    public async Task A_new_member_reads_from_then_on_and_a_removed_one_no_longer()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob);
        await alice.Client.SendAsync(group, "before", Ct);
        await bob.TextAsync("before");

        await alice.Client.AddMembersAsync(group, [carol.Account], Ct);
        await alice.Client.SendAsync(group, "with carol", Ct);
        await carol.TextAsync("with carol");
        await world.AgreeAsync(group, 2, bob);
        await bob.Client.SendAsync(group, "welcome", Ct);
        await carol.TextAsync("welcome");
        await alice.Client.RemoveMemberAsync(group, bob.Account, Ct);
        await alice.Client.SendAsync(group, "without bob", Ct);
        await carol.TextAsync("without bob");
        await bob.EventAsync<GroupRefused>(told => told.Fault == GroupFault.NotFound);

        Assert.DoesNotContain(carol.Events<MessageReceived>(), told => told.Message.Text == "before");
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "without bob");
        Assert.Equal([alice.Account, carol.Account], (await carol.Client.FindGroupAsync(group, Ct))!.Members.Keys);
    }

    [Fact]
    public async Task With_a_removal_secret_and_sender_keys_change_and_who_was_removed_gets_neither()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SendAsync(group, "from alice", Ct);
        await carol.Client.SendAsync(group, "from carol", Ct);
        await bob.TextAsync("from alice");
        await bob.TextAsync("from carol");
        var (alices, carols) = (await alice.RecordAsync(group), await carol.RecordAsync(group));
        Assert.Equal(2, await SenderKeysOfAsync(bob, alices.Distribution, carols.Distribution));

        await alice.Client.RemoveMemberAsync(group, bob.Account, Ct);
        await world.AgreeAsync(group, 2, carol);
        await alice.Client.SendAsync(group, "alice, without bob", Ct);
        await carol.Client.SendAsync(group, "carol, without bob", Ct);
        await carol.TextAsync("alice, without bob");
        await alice.TextAsync("carol, without bob");

        var (alicesNext, carolsNext) = (await alice.RecordAsync(group), await carol.RecordAsync(group));
        Assert.NotEqual(alices.Secret, alicesNext.Secret);
        Assert.Equal(alicesNext.Secret, carolsNext.Secret);
        Assert.NotEqual(alicesNext.Secret, (await bob.RecordAsync(group)).Secret);
        Assert.Equal(0, await SenderKeysOfAsync(bob, alicesNext.Distribution, carolsNext.Distribution));
        Assert.Equal(1, await SenderKeysOfAsync(alice, carolsNext.Distribution));
    }

    [Fact]
    public async Task Who_has_lost_a_sender_key_asks_for_it_and_reads_the_message_within_a_minute()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SendAsync(group, "first", Ct);
        await bob.TextAsync("first");
        await bob.Client.DisconnectAsync(Ct);
        var keys = await bob.ForgetAsync(Tables.SenderKeys.Name);
        await bob.Client.ConnectAsync(Ct);

        await alice.Client.SendAsync(group, "can you read this?", Ct);
        var sentAt = world.Clock.GetUtcNow();
        await bob.EventAsync<MessageReceived>(told => told.Message.Text == "can you read this?");

        Assert.NotEqual(0, keys);
        Assert.InRange(world.Clock.GetUtcNow() - sentAt, TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Changes_that_meet_are_both_made()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SetGroupRoleAsync(group, bob.Account, GroupRole.Admin, Ct);
        await world.AgreeAsync(group, 2, bob, carol);

        await Task.WhenAll(
            alice.Client.SetGroupNameAsync(group, "Dinner", Ct),
            bob.Client.SetTimerAsync(group, TimeSpan.FromHours(1), fromSending: true, Ct),
            bob.Client.SetGroupPictureAsync(group, new byte[] { 1, 2, 3 }, Ct));

        await world.AgreeAsync(group, 5, alice, bob, carol);
        var seen = (await carol.Client.FindGroupAsync(group, Ct))!;
        Assert.Equal(("Dinner", TimeSpan.FromHours(1), 3), (seen.Name, seen.Timer, seen.Picture.Length));
        await carol.Client.SendAsync(group, "short-lived", Ct);
        Assert.NotNull((await alice.TextAsync("short-lived")).ErasedAt);
    }

    [Fact]
    public async Task Who_was_away_catches_up_over_several_versions()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await bob.Client.DisconnectAsync(Ct);

        await alice.Client.SetGroupNameAsync(group, "two", Ct);
        await alice.Client.RemoveMemberAsync(group, carol.Account, Ct);
        await alice.Client.SetGroupNameAsync(group, "four", Ct);
        await alice.Client.SendAsync(group, "are you back?", Ct);
        await bob.Client.ConnectAsync(Ct);

        await bob.TextAsync("are you back?");
        Assert.Equal((4ul, "four"), await StateOf(bob, group));
    }

    [Fact]
    public async Task An_answer_of_before_that_comes_after_a_change_takes_nothing_back()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var (isAsked, goesOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        world.Server.Network.DelayAnswer = async (request, ct) =>
        {
            if (request.Method == HttpMethod.Get && request.RequestUri!.AbsolutePath == "/v1/groups/state" && isAsked.TrySetResult())
            {
                await goesOn.Task.WaitAsync(ct);
            }
        };

        var asking = alice.Client.RefreshGroupAsync(group, Ct);
        await isAsked.Task.WaitAsync(Ct);
        await alice.Client.RemoveMemberAsync(group, carol.Account, Ct);
        goesOn.SetResult();
        await asking;
        await alice.Client.SetGroupNameAsync(group, "of two", Ct);

        await world.AgreeAsync(group, 3, bob);
        Assert.Equal((3ul, "of two"), await StateOf(bob, group));
    }

    [Fact]
    public async Task Another_device_of_a_member_reads_and_writes_in_the_group_and_knows_what_was_read_and_opened()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var tablet = await world.LinkedAsync(bob);
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SendAsync(group, "to all of you", Ct);
        var (onPhone, onTablet) = (await bob.TextAsync("to all of you"), await tablet.TextAsync("to all of you"));
        await tablet.Client.SendAsync(group, "from the tablet", Ct);
        await carol.TextAsync("from the tablet");
        await alice.Client.SendAsync(group, new OutgoingMessage { Text = "once", ViewOnce = true }, Ct);
        await tablet.EventAsync<MessageReceived>(told => told.Message.IsViewOnce);
        var once = (await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce)).Message;

        await bob.Client.MarkReadAsync([onPhone], Ct);
        var opened = await bob.Client.OpenOnceAsync(once, Ct);

        Assert.Equal(group, onTablet.Conversation);
        Assert.Equal("once", opened!.Text);
        await world.UntilAsync(async () => (await tablet.Client.FindAsync(group, alice.Account, onTablet.Id, Ct))!.Record.ReadAt > 0);
        await world.UntilAsync(async () => await tablet.Client.FindAsync(group, alice.Account, once.Id, Ct) is null);
        Assert.Contains(await bob.Client.MessagesAsync(group, Ct), message => message.Text == "from the tablet");
    }

    [Fact]
    public async Task After_somebody_has_left_an_admin_renews_the_secret()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await world.AgreeAsync(group, 1, bob, carol);

        await bob.Client.LeaveGroupAsync(group, Ct);

        await world.AgreeAsync(group, 3, alice, carol);
        Assert.NotEqual((await bob.RecordAsync(group)).Secret, (await carol.RecordAsync(group)).Secret);
        Assert.False((await bob.Client.FindGroupAsync(group, Ct))!.IsMember);
        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.SendAsync(group, "still here?", Ct));
    }

    [Fact]
    public async Task Only_an_admin_changes_a_group_and_one_always_stays()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await world.AgreeAsync(group, 1, bob);

        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.SetGroupNameAsync(group, "Bob's", Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.RemoveMemberAsync(group, carol.Account, Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => alice.Client.LeaveGroupAsync(group, Ct));

        Assert.Equal((1ul, "Friends"), await StateOf(alice, group));
    }

    [Fact]
    public async Task What_was_lost_with_the_server_is_sent_again_to_who_has_not_confirmed()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await bob.Client.DisconnectAsync(Ct);

        await alice.Client.SendAsync(group, "kept", Ct);
        await carol.TextAsync("kept");
        await world.PassAsync(TimeSpan.FromHours(5));
        await bob.Client.ConnectAsync(Ct);

        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "kept")), TimeSpan.FromMinutes(20));
        Assert.Single(carol.Events<MessageReceived>(), told => told.Message.Text == "kept");
    }

    /// <summary>How many of some sender keys somebody has.</summary>
    private static async Task<int> SenderKeysOfAsync(Person person, params Google.Protobuf.ByteString[] distributions)
    {
        var kept = await new StoreTransaction(person.Options.Store).ListAsync(Tables.SenderKeys, Ct);
        return kept.Count(row => distributions.Any(id => row.Key.EndsWith($"/{id.ToGuid():N}", StringComparison.Ordinal)));
    }

    private static bool Has(Person person, string text) => person.Events<MessageReceived>().Any(told => told.Message.Text == text);

    // Receipts of others for what was sent before go in between.
    private static ConcurrentQueue<string> SentBy(World world) => world.Asked(
        request => request.RequestUri!.AbsolutePath is "/v1/sealed/many" or "/v1/messages", request => request.RequestUri!.AbsolutePath);

    private static async Task<(ulong Version, string Name)> StateOf(Person person, Guid group) =>
        await person.Client.FindGroupAsync(group, Ct) is { } seen ? (seen.Version, seen.Name) : default;
}
