using System.Text.Json;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What does not get through at once: lost, forgotten by the server, or written without a network.</summary>
public sealed class ResendTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_lost_answer_and_a_repeated_request_show_a_text_once()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var faults = new Queue<Testing.Fault>([Testing.Fault.AnswerLost, Testing.Fault.Twice, Testing.Fault.Lost, Testing.Fault.Twice]);
        world.Server.Network.OnRequest = request =>
            request.RequestUri!.AbsolutePath is "/v1/sealed/messages" && faults.TryDequeue(out var fault) ? fault : Testing.Fault.None;

        await alice.SendAsync(bob, "one");
        await alice.SendAsync(bob, "two");
        await alice.SendAsync(bob, "three");
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "three")));

        Assert.Equal(["hello", "one", "two", "three"], bob.Events<MessageReceived>().Select(told => told.Message.Text));
    }

    [Fact]
    public async Task What_the_server_forgot_is_sent_again_and_shown_once_in_order()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);
        await alice.SendAsync(bob, "one");
        await alice.Client.DisconnectAsync(Ct);
        await world.PassAsync(TimeSpan.FromMinutes(130));
        await alice.SendAsync(bob, "two");
        await bob.Client.ConnectAsync(Ct);
        Assert.Equal(["hello", "hello you"], await bob.TextsAsync(alice));
        await alice.Client.ConnectAsync(Ct);
        await world.UntilAsync(async () => (await bob.TextsAsync(alice)).Count == 4);

        Assert.Equal(["hello", "hello you", "one", "two"], await bob.TextsAsync(alice));
    }

    [Fact]
    public async Task What_is_sent_again_is_the_same_content_in_a_fresh_envelope()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);
        var asked = world.Asked(request => request.RequestUri!.AbsolutePath is "/v1/sealed/messages", Body);

        var sent = await alice.SendAsync(bob, "once more");
        await world.UntilAsync(() => Task.FromResult(asked.Count > 1), TimeSpan.FromMinutes(10));
        var envelopes = asked.ToArray();
        await bob.Client.ConnectAsync(Ct);
        var received = await bob.TextAsync("once more");

        Assert.Equal(sent.Id, received.Id);
        Assert.Distinct(envelopes.Select(envelope => envelope.GetProperty("id").GetString()));
        Assert.Distinct(envelopes.Select(envelope => envelope.GetProperty("devices")[0].GetProperty("content").GetString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_to_send_again_that_is_faster_than_the_servers_answer_is_heeded(bool inGroup)
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SendAsync(group, "first", Ct);
        await bob.TextAsync("first");
        await bob.Client.DisconnectAsync(Ct);
        var keys = await bob.ForgetAsync(inGroup ? Tables.SenderKeys.Name : Tables.Sessions);
        await bob.Client.ConnectAsync(Ct);
        var (posts, isAsked) = (0, new TaskCompletionSource());
        world.Server.Network.DelayAnswer = async (request, ct) =>
        {
            if (!request.RequestUri!.AbsolutePath.StartsWith("/v1/sealed/", StringComparison.Ordinal))
            {
                return;
            }

            if (Interlocked.Increment(ref posts) > 1)
            {
                isAsked.TrySetResult();
                return;
            }

            // Alice's: bob's request has come to her before.
            await isAsked.Task.WaitAsync(ct);
            await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, ct);
        };

        await alice.Client.SendAsync(inGroup ? group : bob.Account, "can you read this?", Ct);
        var sentAt = world.Clock.GetUtcNow();
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "can you read this?")));

        Assert.NotEqual(0, keys);
        Assert.InRange(world.Clock.GetUtcNow() - sentAt, TimeSpan.Zero, TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task Tries_to_send_grow_rarer_while_the_server_does_not_answer()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await world.PassAsync(TimeSpan.FromMinutes(1));
        await world.PassAsync(TimeSpan.FromMinutes(1));
        List<DateTimeOffset> tries = [];
        world.Server.Network.OnRequest = request =>
        {
            if (request.RequestUri!.AbsolutePath is not "/v1/sealed/messages")
            {
                return Testing.Fault.None;
            }

            tries.Add(world.Clock.GetUtcNow());
            return Testing.Fault.Lost;
        };

        await alice.SendAsync(bob, "into the void");
        for (var step = 0; step < 80; step++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(30));
        }

        var gaps = tries.Zip(tries.Skip(1), (one, next) => next - one).ToList();
        Assert.InRange(tries.Count, 4, 20);
        Assert.True(gaps[^1] > gaps[0] * 4);
    }

    [Fact]
    public async Task What_is_new_waits_with_what_goes_before_it_when_that_is_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);
        await alice.SendAsync(bob, "soon forgotten by the server");
        await world.PassAsync(alice.Options.ServerLife * 0.9);
        var tries = 0;
        world.Server.Network.OnRequest = request =>
        {
            var isTry = request.RequestUri!.AbsolutePath is "/v1/sealed/messages";
            tries += isTry ? 1 : 0;
            return isTry && tries < 100 ? Testing.Fault.Lost : Testing.Fault.None;
        };

        await alice.SendAsync(bob, "new");
        for (var step = 0; step < 10; step++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(10));
        }

        Assert.InRange(tries, 2, 20);
    }

    [Fact]
    public async Task What_is_written_while_disconnected_waits_and_uses_no_network()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.Client.DisconnectAsync(Ct);
        await bob.Client.DisconnectAsync(Ct);
        var requests = 0;
        world.Server.Network.OnRequest = _ =>
        {
            requests++;
            return Testing.Fault.None;
        };

        var sent = await alice.SendAsync(bob, "later");
        await world.PassAsync(TimeSpan.FromMinutes(10));
        var before = (sent.Progress, requests);
        await alice.Client.ConnectAsync(Ct);
        await bob.Client.ConnectAsync(Ct);
        await bob.TextAsync("later");

        Assert.Equal((Progress.Waiting, 0), before);
    }

    [Fact]
    public async Task Who_is_never_there_is_told_as_not_delivered()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await bob.Client.DisconnectAsync(Ct);

        var sent = await alice.SendAsync(bob, "are you there?");
        await world.UntilAsync(async () => await alice.ProgressAsync(sent) == Progress.NotDelivered, TimeSpan.FromHours(12));

        Assert.Equal(Progress.NotDelivered, await alice.ProgressAsync(sent));
    }

    private static JsonElement Body(HttpRequestMessage request)
    {
        using var body = request.Content!.ReadAsStream(Ct);
        using var document = JsonDocument.Parse(body);
        return document.RootElement.Clone();
    }
}
