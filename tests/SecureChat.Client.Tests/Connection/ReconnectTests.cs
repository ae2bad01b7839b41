using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Tests.Connection;

/// <summary>What the client makes of sockets that are cut, silent, or whose frames come twice, late, never or from an attacker.</summary>
public sealed class ReconnectTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task While_nothing_answers_tries_grow_rarer_and_the_first_after_it_succeeds()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        world.Server.Network.IsDown = true;
        world.Server.Network.CutSockets();

        await PassInStepsAsync(world, TimeSpan.FromMinutes(2));
        var early = world.Server.Network.Failures;
        await PassInStepsAsync(world, TimeSpan.FromMinutes(6));
        var before = world.Server.Network.Failures;
        await PassInStepsAsync(world, TimeSpan.FromMinutes(2));

        Assert.InRange(world.Server.Network.Failures - before, 2, early - 1);
        world.Server.Network.IsDown = false;
        await alice.SendAsync(bob, "the line is back");
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "the line is back")), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_token_that_has_ended_is_replaced_once_however_many_requests_wait_for_it()
    {
        await using var world = await World.StartAsync();
        var alice = await world.PersonAsync();
        await alice.Client.DisconnectAsync(Ct);
        await world.PassAsync(TimeSpan.FromHours(2));
        var asked = world.Asked(request => request.RequestUri!.AbsolutePath is "/v1/auth/refresh" or "/v1/devices", request => request.RequestUri!.AbsolutePath);

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => alice.Client.DevicesAsync(Ct)));

        Assert.Equal("/v1/auth/refresh", asked.First());
        Assert.Equal(5, asked.Count(path => path == "/v1/devices"));
        Assert.Equal(6, asked.Count);
    }

    [Fact]
    public async Task A_socket_on_which_nothing_is_heard_is_given_up_and_what_waited_comes_over_the_next()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        world.Server.Network.AreSocketsSilent = true;
        await alice.SendAsync(bob, "while bob slept");
        await PassInStepsAsync(world, TimeSpan.FromSeconds(30));
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "while bob slept");

        await PassInStepsAsync(world, TimeSpan.FromSeconds(140));
        world.Server.Network.AreSocketsSilent = false;

        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any(told => told.Message.Text == "while bob slept")), TimeSpan.FromSeconds(10));
        Assert.Contains(bob.Events<ConnectionChanged>(), told => !told.IsConnected);
    }

    [Fact]
    public async Task Envelopes_that_come_twice_late_or_out_of_order_are_shown_once()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        ServerFrame? held = null;
        var deliveries = 0;
        world.Server.Network.OnDelivery = frame =>
        {
            if (frame.BodyCase != ServerFrame.BodyOneofCase.Deliver)
            {
                return [frame];
            }

            // Every second one waits for the next, which arrives first, and twice.
            if (held is null && ++deliveries % 2 == 1)
            {
                held = frame;
                return [];
            }

            ServerFrame[] arriving = held is null ? [frame, frame] : [frame, held, frame];
            held = null;
            return arriving;
        };
        string[] texts = [.. Enumerable.Range(1, 12).Select(number => $"number {number}")];
        foreach (var text in texts)
        {
            await alice.SendAsync(bob, text);
        }

        await world.UntilAsync(() => Task.FromResult(Shown(bob).Count() >= texts.Length), TimeSpan.FromSeconds(30));
        await world.PassAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(texts.Order(StringComparer.Ordinal), Shown(bob).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_acknowledgement_that_is_lost_brings_the_envelope_again_and_nothing_is_shown_twice()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var (lost, delivered) = (0, 0);
        world.Server.Network.OnSending = frame => frame.BodyCase != ClientFrame.BodyOneofCase.Ack || Interlocked.Increment(ref lost) == 0;
        world.Server.Network.OnDelivery = frame =>
        {
            delivered += frame.BodyCase == ServerFrame.BodyOneofCase.Deliver ? 1 : 0;
            return [frame];
        };
        await alice.SendAsync(bob, "once is enough");
        await bob.TextAsync("once is enough");
        var before = delivered;

        world.Server.Network.OnSending = _ => true;
        world.Server.Network.CutSockets();
        await world.UntilAsync(() => Task.FromResult(delivered > before), TimeSpan.FromSeconds(5));
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.True(lost > 0);
        Assert.Single(bob.Events<MessageReceived>(), told => told.Message.Text == "once is enough");
    }

    [Fact]
    public async Task What_a_malicious_server_puts_into_the_socket_changes_nothing_and_holds_nothing_up()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        world.Server.Network.OnDelivery = frame =>
        {
            if (frame.BodyCase != ServerFrame.BodyOneofCase.Deliver)
            {
                return [frame];
            }

            var foreign = frame.Clone();
            foreign.Deliver.Envelope.SenderAccount = Google.Protobuf.ByteString.CopyFrom(new byte[16]);
            foreign.Deliver.Envelope.SenderDevice = 3;
            var damaged = frame.Clone();
            var content = damaged.Deliver.Envelope.Content.ToByteArray();
            content[content.Length / 2] ^= 1;
            damaged.Deliver.Envelope.Content = Google.Protobuf.ByteString.CopyFrom(content);
            var empty = new ServerFrame { Deliver = new Deliver { Position = 1, Envelope = new Envelope { Type = ContentType.Sealed } } };
            var nonsense = new ServerFrame { Problem = new Problem { Code = "nothing_you_know", Status = 999 } };
            return [foreign, damaged, empty, nonsense, new ServerFrame(), frame];
        };

        await alice.SendAsync(bob, "in spite of it all");
        await bob.TextAsync("in spite of it all");

        Assert.Equal(["hello", "hello you", "in spite of it all"], await bob.TextsAsync(alice));
        Assert.Equal(2, bob.Events<MessageReceived>().Count());
    }

    private static async Task PassInStepsAsync(World world, TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += TimeSpan.FromSeconds(1))
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }
    }

    private static IEnumerable<string> Shown(Person bob) =>
        bob.Events<MessageReceived>().Select(told => told.Message.Text!).Where(text => text.StartsWith("number", StringComparison.Ordinal));
}
