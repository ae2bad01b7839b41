using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Push;

/// <summary>Who is woken and when, on a stepped clock and with a push service on loopback.</summary>
public sealed class WakeUpTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M8_a_hundred_messages_in_ten_seconds_are_at_most_two_pushes()
    {
        await using var stage = await Stage.StartAsync();
        var bob = await stage.SleeperAsync("bob");

        for (var i = 0; i < 100; i++)
        {
            await stage.PostAsync(bob);
            stage.Node.Clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        await stage.Service.WaitAsync(1);
        stage.Node.Clock.Advance(TimeSpan.FromSeconds(10));
        await stage.SettleAsync();
        stage.Node.Clock.Advance(TimeSpan.FromMinutes(5));
        await stage.SettleAsync();

        Assert.InRange(stage.PushesTo("bob"), 1, 2);
    }

    [Fact]
    public async Task A_device_that_lost_its_connection_with_mail_waiting_is_woken_after_one_minute()
    {
        await using var stage = await Stage.StartAsync();
        var (bob, mailbox) = (await stage.SleeperAsync("bob"), stage.Node.Get<Mailbox>());
        var connection = await mailbox.AttachAsync(bob, new Listener(), Ct);
        await stage.PostAsync(bob);
        await mailbox.DetachAsync(connection, Ct);

        stage.Node.Clock.Advance(TimeSpan.FromSeconds(59));
        await stage.SettleAsync();
        Assert.Equal(0, stage.PushesTo("bob"));
        stage.Node.Clock.Advance(TimeSpan.FromSeconds(1));
        await stage.SettleAsync();

        Assert.Equal(1, stage.PushesTo("bob"));
    }

    [Fact]
    public async Task A_device_that_came_back_within_the_minute_or_took_its_mail_is_left_alone()
    {
        await using var stage = await Stage.StartAsync();
        var (bob, carol, mailbox) = (await stage.SleeperAsync("bob"), await stage.SleeperAsync("carol"), stage.Node.Get<Mailbox>());
        foreach (var device in (DeviceAddress[])[bob, carol])
        {
            var connection = await mailbox.AttachAsync(device, new Listener(), Ct);
            await stage.PostAsync(device);
            await mailbox.DetachAsync(connection, Ct);
        }

        await mailbox.AttachAsync(bob, new Listener(), Ct);
        var queue = stage.Node.Get<IMessageQueue>();
        var waiting = await queue.ReadAsync(carol, 0, 10, Ct);
        await queue.AckAsync(carol, [waiting[0].Position], Ct);
        stage.Node.Clock.Advance(TimeSpan.FromMinutes(2));
        await stage.SettleAsync();

        Assert.Equal((0, 0), (stage.PushesTo("bob"), stage.PushesTo("carol")));
    }

    [Fact]
    public async Task What_is_not_urgent_or_reached_a_connection_wakes_nobody()
    {
        await using var stage = await Stage.StartAsync();
        var (bob, carol, dave) = (await stage.SleeperAsync("bob"), await stage.SleeperAsync("carol"), await stage.SleeperAsync("dave"));
        await stage.Node.Get<Mailbox>().AttachAsync(bob, new Listener(), Ct);

        await stage.PostAsync(bob);
        await stage.PostAsync(carol, urgent: false);
        await stage.Node.Get<Mailbox>().PostLiveAsync(dave, new Envelope { Urgent = true }.ToByteArray(), Ct);
        await stage.SettleAsync();

        Assert.Equal((0, 0, 0), (stage.PushesTo("bob"), stage.PushesTo("carol"), stage.PushesTo("dave")));
    }

    [Fact]
    public async Task A_service_that_asks_for_time_gets_it_and_the_wake_up_arrives_in_the_end()
    {
        await using var stage = await Stage.StartAsync();
        var bob = await stage.SleeperAsync("bob");
        stage.Service.Answer = (push, context) =>
        {
            (context.Response.StatusCode, context.Response.Headers.RetryAfter) = push.Path.EndsWith("bob", StringComparison.Ordinal) ? (429, "120") : (201, "");
            return Task.CompletedTask;
        };
        await stage.PostAsync(bob);
        await stage.SettleAsync();
        Assert.Equal(1, stage.PushesTo("bob"));

        stage.Node.Clock.Advance(TimeSpan.FromSeconds(119));
        await stage.PostAsync(bob);
        await stage.SettleAsync();
        Assert.Equal(1, stage.PushesTo("bob"));
        stage.Service.Answer = (_, _) => Task.CompletedTask;
        stage.Node.Clock.Advance(TimeSpan.FromSeconds(2));
        await stage.SettleAsync();
        stage.Node.Clock.Advance(TimeSpan.FromMinutes(10));
        await stage.SettleAsync();

        Assert.Equal(2, stage.PushesTo("bob"));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    public async Task A_dead_endpoint_is_forgotten_but_not_the_one_that_took_its_place(int status)
    {
        await using var stage = await Stage.StartAsync();
        var (bob, carol) = (await stage.SleeperAsync("bob"), await stage.SleeperAsync("carol"));
        stage.Service.Answer = async (push, context) =>
        {
            if (push.Path is "/carol")
            {
                await stage.RegisterAsync(carol, "carols-new-one");
            }

            context.Response.StatusCode = push.Path is "/bob" or "/carol" ? status : 201;
        };

        await stage.PostAsync(bob);
        await stage.PostAsync(carol);
        await stage.SettleAsync();
        stage.Node.Clock.Advance(TimeSpan.FromMinutes(1));
        await stage.PostAsync(bob);
        await stage.PostAsync(carol);
        await stage.SettleAsync();

        Assert.Equal((1, 1), (stage.PushesTo("bob"), stage.PushesTo("carol")));
        Assert.Equal(1, stage.PushesTo("carols-new-one"));
        Assert.Null(await stage.Node.Get<PushSubscriptions>().FindAsync(bob, Ct));
    }

    [Theory]
    [InlineData(1, null, 4, 6)]
    [InlineData(2, null, 8, 12)]
    [InlineData(9, null, 480, 720)]
    [InlineData(1, 90, 90, 90)]
    [InlineData(1, 1_000_000, 3600, 3600)]
    public void The_pause_between_tries_doubles_and_honours_what_the_service_asks(int tries, int? asked, int least, int most) => Assert.InRange(
        PushWorker.Wait(tries, asked is { } seconds ? TimeSpan.FromSeconds(seconds) : null).TotalSeconds, least, most);

    private static Mail MailTo(DeviceAddress device, bool urgent, DateTimeOffset deadline) =>
        SomeMail.To(device, new Envelope { Urgent = urgent, Content = ByteString.CopyFromUtf8("x") }.ToByteArray(), deadline) with { Urgent = urgent };

    /// <summary>A node, a push service, and devices that are named by their endpoint's path.</summary>
    private sealed class Stage(Node node, FakePushService service) : IAsyncDisposable
    {
        private int _settled;

        public Node Node => node;

        public FakePushService Service => service;

        public static async Task<Stage> StartAsync()
        {
            var service = await FakePushService.StartAsync();
            return new Stage(await Node.StartAsync(service.Settings), service);
        }

        public async Task<DeviceAddress> SleeperAsync(string name)
        {
            using var member = await Member.SignUpAsync(node, $"{name}@example.org");
            var device = new DeviceAddress(member.Account, 1);
            await RegisterAsync(device, name);
            return device;
        }

        public Task<bool> RegisterAsync(DeviceAddress device, string name) => node.Get<PushSubscriptions>()
            .PutAsync(device, new PushTarget(PushKind.UnifiedPush, $"{service.Url}/{name}", [], []), Ct);

        public async Task PostAsync(DeviceAddress device, bool urgent = true) => Assert.True(
            await node.Get<Mailbox>().PostAsync([MailTo(device, urgent, node.Clock.GetUtcNow() + TimeSpan.FromHours(1))], Ct));

        /// <summary>Waits until everything that is due now has been sent: what is due last is somebody else's.</summary>
        public async Task SettleAsync()
        {
            for (var i = 0; i < 2; i++)
            {
                var name = $"settled{++_settled}";
                var device = await SleeperAsync(name);
                await PostAsync(device);
                while (PushesTo(name) == 0)
                {
                    await service.WaitAsync(service.Received.Count);
                    await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
                }
            }
        }

        public int PushesTo(string name) => service.Received.Count(push => push.Path == "/" + name);

        public async ValueTask DisposeAsync()
        {
            await node.DisposeAsync();
            await service.DisposeAsync();
        }
    }

    private sealed class Listener : IMailListener
    {
        public bool OnMail(long position, long previous, ReadOnlyMemory<byte> envelope) => true;

        public void OnWaiting()
        {
        }

        public void OnLive(ReadOnlyMemory<byte> envelope)
        {
        }

        public void OnDisplaced()
        {
        }
    }
}
