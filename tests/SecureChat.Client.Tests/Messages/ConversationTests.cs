using System.Globalization;
using Google.Protobuf;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What two people see of each other, through a real server.</summary>
public sealed class ConversationTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_longest_message_arrives_and_a_longer_one_is_refused_at_once()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var laptop = await world.LinkedAsync(alice);

        await Assert.ThrowsAsync<ArgumentException>(() => alice.SendAsync(bob, new string('x', 88 * 1024)));
        var room = 88 * 1024;
        ChatMessage? longest = null;
        while (longest is null)
        {
            try
            {
                longest = await alice.SendAsync(bob, new string('x', --room));
            }
            catch (ArgumentException)
            {
                // One less, until it has room.
            }
        }

        await bob.TextAsync(longest.Text!);
        await laptop.TextAsync(longest.Text!);
        Assert.InRange(room, 64 * 1024, 88 * 1024);
    }

    [Fact]
    public async Task A_text_is_read_by_the_other_and_told_as_delivered_and_read()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        var sent = await alice.SendAsync(bob, "see you at six");
        var received = await bob.TextAsync("see you at six");
        await world.UntilAsync(async () => await alice.ProgressAsync(sent) == Progress.Delivered);
        await bob.Client.MarkReadAsync([received], Ct);
        await world.UntilAsync(async () => await alice.ProgressAsync(sent) == Progress.Read);

        Assert.Equal(Progress.Sent, sent.Progress);
        Assert.Equal((alice.Account, sent.Id), (received.Sender, received.Id));
        Assert.Equal(["hello", "hello you", "see you at six"], await bob.TextsAsync(alice));
        Assert.Equal(["hello", "hello you", "see you at six"], await alice.TextsAsync(bob));
    }

    [Fact]
    public async Task A_text_waits_for_a_sleeping_device_and_for_a_network()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);

        await alice.SendAsync(bob, "while you slept");
        world.Server.Network.IsDown = true;
        var waiting = await alice.SendAsync(bob, "without a network");
        world.Server.Network.IsDown = false;
        await bob.Client.ConnectAsync(Ct);

        Assert.Equal(Progress.Waiting, waiting.Progress);
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "without a network")));
        Assert.Equal(["hello", "hello you", "while you slept", "without a network"], await bob.TextsAsync(alice));
    }

    [Fact]
    public async Task Contacts_write_without_telling_the_server_who_they_are()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var paths = world.Asked(_ => true, request => request.RequestUri!.AbsolutePath);

        await alice.SendAsync(bob, "between us");
        await bob.TextAsync("between us");

        Assert.Contains("/v1/sealed/messages", paths);
        Assert.DoesNotContain("/v1/messages", paths);
    }

    [Fact]
    public async Task A_text_can_be_edited_reacted_to_and_taken_back_by_those_who_may()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var sent = await alice.SendAsync(bob, "at six");
        var received = await bob.TextAsync("at six");

        await alice.Client.EditAsync(sent, "at seven", Ct);
        await bob.Client.ReactAsync(received, "👍", Ct);
        await bob.Client.EditAsync(received, "never", Ct);
        await bob.Client.TakeBackAsync(received, Ct);

        var edited = await bob.EventAsync<MessageChanged>(told => told.Message.Text == "at seven");
        await alice.EventAsync<MessageChanged>(told => told.Message.Reactions.Count == 1);
        Assert.True(edited.Message.IsEdited);
        var atAlice = (await alice.Client.FindAsync(bob.Account, alice.Account, sent.Id, Ct))!;
        Assert.Equal(("at seven", "👍", false), (atAlice.Text, atAlice.Reactions[bob.Account], atAlice.IsTakenBack));

        await alice.Client.TakeBackAsync(sent, Ct);
        var takenBack = await bob.EventAsync<MessageChanged>(told => told.Message.IsTakenBack);
        Assert.Null(takenBack.Message.Text);
    }

    [Fact]
    public async Task M2_probes_of_strangers_of_every_kind_bring_forth_no_answer_at_all()
    {
        const int EachOf = 100;
        var probes = int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_PROBES") ?? "100", CultureInfo.InvariantCulture);
        await using var world = await World.StartAsync();
        var bob = await world.PersonAsync();
        var isQuiet = false;

        // Strangers have no right to send sealed, and so send under their names; an answer would be sealed. Keys that were used are made anew
        // at a time that is drawn, and answer nobody.
        var answers = world.Asked(
            request => request.RequestUri!.AbsolutePath is "/v1/sealed/messages" || (isQuiet && request.RequestUri.AbsolutePath is not "/v1/keys"),
            request => request.RequestUri!.AbsolutePath);
        for (var sent = 0; sent < probes; sent += EachOf)
        {
            var stranger = await world.PersonAsync();
            for (var i = 0; i < EachOf / 10; i++)
            {
                await ProbeAsync(stranger, bob);
            }

            await bob.TextAsync($"from {stranger.Account}");

            // And what cannot be read.
            await bob.ForgetSessionsAsync();
            await stranger.SendAsync(bob, "unreadable");
            await stranger.Client.DisconnectAsync(Ct);
        }

        isQuiet = true;
        var last = bob.Events<MessageReceived>().Last().Message.Sender;
        await bob.Client.MarkReadAsync(await bob.Client.MessagesAsync(last, Ct), Ct);
        for (var i = 0; i < 60; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        Assert.Empty(answers);

        // The same once bob agrees: the probe itself works.
        await bob.Client.AcceptAsync(last, Ct);
        await world.UntilAsync(() => Task.FromResult(!answers.IsEmpty));
    }

    [Fact]
    public async Task Receipts_for_many_messages_go_together()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);
        for (var i = 0; i < 20; i++)
        {
            await alice.SendAsync(bob, $"{i}");
        }

        var asked = world.Asked(request => request.RequestUri!.AbsolutePath is "/v1/sealed/messages", request => request.Method);
        await bob.Client.ConnectAsync(Ct);
        var last = (await alice.Client.MessagesAsync(bob.Account, Ct))[^1];
        await world.UntilAsync(async () => await alice.ProgressAsync(last) == Progress.Delivered);

        Assert.InRange(asked.Count, 1, 2);
    }

    [Fact]
    public async Task After_a_restart_everything_is_there_and_nothing_is_told_twice()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.RestartAsync(() => alice.SendAsync(bob, "meanwhile"));

        await bob.Client.ConnectAsync(Ct);
        await bob.TextAsync("meanwhile");
        await bob.SendAsync(alice, "back");
        await alice.TextAsync("back");

        Assert.Equal(["hello", "hello you", "meanwhile", "back"], await bob.TextsAsync(alice));
        Assert.Equal(["hello", "meanwhile"], bob.Events<MessageReceived>().Select(told => told.Message.Text));
    }

    [Fact]
    public async Task A_cut_connection_comes_back_by_itself()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        world.Server.Network.CutSockets();
        await alice.SendAsync(bob, "still there?");
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "still there?")));

        Assert.Contains(bob.Events<ConnectionChanged>(), told => !told.IsConnected);
    }

    [Fact]
    public async Task Typing_is_told_to_contacts_who_are_there()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        await alice.Client.SendTypingAsync(bob.Account, stopped: false, Ct);

        var typing = await bob.EventAsync<TypingChanged>();
        Assert.Equal((alice.Account, false), (typing.Account, typing.Stopped));
    }

    // Ten: a text, a reaction to it, another text in its place, one that is taken back, and that; a timer, a file, a call, and two typing
    // notices.
    private static async Task ProbeAsync(Person stranger, Person to)
    {
        await stranger.Client.SetTimerAsync(to.Account, TimeSpan.FromDays(1), fromSending: true, Ct);
        await stranger.Client.SendAsync(to.Account, new OutgoingMessage { Media = new Media { Key = ByteString.CopyFrom(new byte[32]), Length = 1 } }, Ct);
        await stranger.Client.SendTypingAsync(to.Account, stopped: false, Ct);
        await stranger.Client.SendTypingAsync(to.Account, stopped: true, Ct);
        await stranger.Client.SendCallAsync(
            to.Account, new CallMessage { Call = ByteString.CopyFrom(new byte[16]), Offer = new CallOffer { Sdp = "v=0" } }, Ct);
        var text = await stranger.SendAsync(to, $"from {stranger.Account}");
        await stranger.Client.ReactAsync(text, "👍", Ct);
        await stranger.Client.EditAsync(text, $"from {stranger.Account}", Ct);
        await stranger.Client.TakeBackAsync(await stranger.SendAsync(to, "never mind"), Ct);
    }
}
