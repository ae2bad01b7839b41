using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Server.Messages;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

/// <summary>Between storing and listening nothing is stranded, whatever comes first.</summary>
public sealed class DeliveryTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<int> Moments => [.. Enumerable.Range(0, 8)];

    [Theory, MemberData(nameof(Moments))]
    public async Task Mail_that_is_stored_at_any_moment_of_connecting_is_delivered_once_and_in_order(int moment)
    {
        await using var node = await LoopbackNode.StartAsync();
        var queue = new InterruptedQueue(node.Get<IMessageQueue>());
        var (mailbox, frames) = Compose(node, queue, TimeProvider.System);
        var device = NewDevice();
        await mailbox.PostAsync([MailTo(device, 1)], Ct);
        await mailbox.PostAsync([MailTo(device, 2)], Ct);

        // Before and behind every read of the queue, until the moment chosen by the test.
        queue.At(moment, () => mailbox.PostAsync([MailTo(device, 3)], Ct));
        var session = new MemorySession(device, node.Get<SessionTable>());
        var half = await frames.OpenAsync(session, Ct);
        await queue.ReachedOr(session.AtLeastAsync(2));
        await mailbox.PostAsync([MailTo(device, 4)], Ct);

        var expected = queue.Reached ? new[] { 1, 2, 3, 4 } : [1, 2, 4];
        Assert.Equal(expected, (await session.ReceivedAsync(expected.Length)).Select(ContentOf));
        await half.CloseAsync();
    }

    [Fact]
    public async Task Thousands_of_connections_that_race_with_senders_strand_nothing()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (mailbox, frames) = Compose(node, node.Get<IMessageQueue>(), TimeProvider.System);
        await Parallel.ForAsync(0, 3000, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Ct }, async (_, ct) =>
        {
            var device = NewDevice();
            var session = new MemorySession(device, node.Get<SessionTable>());
            var pause = RandomNumberGenerator.GetInt32(200);
            var sending = Task.Run(
                () =>
                {
                    var stored = new List<Task<bool>>();
                    for (var number = 1; number <= 4; number++)
                    {
                        Thread.SpinWait(pause * number);
                        stored.Add(mailbox.PostAsync([MailTo(device, number)], ct));
                    }

                    return Task.WhenAll(stored);
                },
                ct);
            Thread.SpinWait(RandomNumberGenerator.GetInt32(400));
            var half = await frames.OpenAsync(session, ct);

            Assert.Equal([1, 2, 3, 4], (await session.ReceivedAsync(4)).Select(ContentOf));
            Assert.DoesNotContain(false, await sending);
            await half.CloseAsync();
        });
    }

    [Fact]
    public async Task An_envelope_without_acknowledgement_is_sent_again_three_times_and_never_holds_up_the_rest()
    {
        await using var node = await LoopbackNode.StartAsync();
        var clock = new FakeTimeProvider();
        var (mailbox, frames) = Compose(node, node.Get<IMessageQueue>(), clock);
        var device = NewDevice();
        var session = new MemorySession(device, node.Get<SessionTable>());
        var half = await frames.OpenAsync(session, Ct);
        await mailbox.PostAsync([MailTo(device, 1)], Ct);
        await session.ReceivedAsync(1);

        for (var again = 1; again <= 5; again++)
        {
            clock.Advance(TimeSpan.FromSeconds(31));
            half.Tick();
            var resent = Math.Min(again, 3);
            Assert.All(await session.ReceivedAsync(1 + resent), delivered => Assert.Equal(1, ContentOf(delivered)));
        }

        await mailbox.PostAsync([MailTo(device, 2)], Ct);
        Assert.Equal([1, 1, 1, 1, 2], (await session.ReceivedAsync(5)).Select(ContentOf));
        await half.CloseAsync();
    }

    [Fact]
    public async Task Mail_positioned_out_of_order_is_read_from_the_queue_instead()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (_, frames) = Compose(node, node.Get<IMessageQueue>(), TimeProvider.System);
        var device = NewDevice();
        var session = new MemorySession(device, node.Get<SessionTable>());
        var half = (SessionMessages)await frames.OpenAsync(session, Ct);
        await session.LiveAsync();
        var positions = new List<long>();
        bool Note(int index, long position, long previous)
        {
            positions.Add(position);
            return false;
        }

        // As a store elsewhere may: both are stored, and the second one's news comes first.
        await node.Get<IMessageQueue>().AppendAsync([MailTo(device, 1)], Note, Ct);
        await node.Get<IMessageQueue>().AppendAsync([MailTo(device, 2)], Note, Ct);
        half.Listener.OnMail(positions[1], positions[0], MailTo(device, 2).Envelope);
        half.Listener.OnMail(positions[0], 0, MailTo(device, 1).Envelope);

        Assert.Equal([1, 2], (await session.ReceivedAsync(2)).Select(ContentOf));
        await half.CloseAsync();
    }

    [Theory, EveryStore]
    public async Task What_a_connected_device_gets_live_costs_no_read_of_the_store(Stores stores)
    {
        await using var node = await StartAsync(stores);
        var queue = new InterruptedQueue(node.Get<IMessageQueue>());
        var (mailbox, frames) = Compose(node, queue, TimeProvider.System);
        var device = NewDevice();
        var session = new MemorySession(device, node.Get<SessionTable>());
        var half = await frames.OpenAsync(session, Ct);
        await session.LiveAsync();
        var reads = queue.Reads;

        for (var number = 1; number <= 50; number++)
        {
            await mailbox.PostAsync([MailTo(device, number)], Ct);
        }

        Assert.Equal(Enumerable.Range(1, 50), (await session.ReceivedAsync(50)).Select(ContentOf));
        Assert.Equal((1, 1), (reads, queue.Reads));
        await half.CloseAsync();
    }

    [Fact]
    public async Task Acknowledgements_that_follow_each_other_go_to_a_store_elsewhere_together()
    {
        await using var node = await StartAsync(Stores.Shared);
        var queue = new InterruptedQueue(node.Get<IMessageQueue>());
        var (mailbox, frames) = Compose(node, queue, TimeProvider.System);
        var device = NewDevice();
        var session = new MemorySession(device, node.Get<SessionTable>());
        var half = await frames.OpenAsync(session, Ct);
        await session.LiveAsync();
        for (var number = 1; number <= 100; number++)
        {
            await mailbox.PostAsync([MailTo(device, number)], Ct);
        }

        foreach (var delivered in await session.ReceivedAsync(100))
        {
            await half.HandleAsync(
                ClientFrame.AckFieldNumber, 0, Google.Protobuf.MessageExtensions.ToByteArray(new Ack { Positions = { delivered.Position } }));
        }

        await half.CloseAsync();
        Assert.Equal(0, await queue.CountAsync(Ct));
        Assert.InRange(queue.Acks, 1, 30);
    }

    private static async Task<LoopbackNode> StartAsync(Stores stores) => await LoopbackNode.StartAsync(
        stores is Stores.Embedded ? [] : [.. (await TemporaryServers.NewStoresAsync()).Select(setting => $"--{setting.Name}={setting.Value}")]);

    private static (Mailbox Mailbox, MessageFrames Frames) Compose(LoopbackNode node, IMessageQueue queue, TimeProvider time)
    {
        var mailbox = new Mailbox(
            queue, node.Get<IHotStore>(), node.Get<NodeNotices>(), new NoWakeUp(), node.Get<IOptions<MailOptions>>(), TimeProvider.System);
        return (mailbox, new MessageFrames(
            node.Get<Relay>(), mailbox, queue, node.Get<Postmark>(), new MessageMetrics(node.Get<IMeterFactory>()), time,
            NullLogger<MessageFrames>.Instance));
    }

    private static DeviceAddress NewDevice() => new(Ids.New(), 1);

    private static Mail MailTo(DeviceAddress device, int number) => new(
        device,
        BinaryPrimitives.ReadUInt128BigEndian(device.Account.ToByteArray()) + (UInt128)number,
        TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(30),
        Google.Protobuf.MessageExtensions.ToByteArray(new Envelope { Timestamp = (ulong)number }));

    private static int ContentOf(Deliver delivered) => (int)delivered.Envelope.Timestamp;

    /// <summary>Runs something at a chosen moment: before the first read, behind it, before the second, and so on.</summary>
    private sealed class InterruptedQueue(IMessageQueue inner) : IMessageQueue
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Func<Task>? _interruption;
        private int _moment;

        public bool Reached => _reached.Task.IsCompleted;

        public string Name => inner.Name;

        public int Reads { get; private set; }

        public int Acks { get; private set; }

        public void At(int moment, Func<Task> interruption) => (_moment, _interruption) = (moment, interruption);

        /// <summary>Later moments never come when reading has ended before.</summary>
        public async Task ReachedOr(Task other)
        {
            await other;
            await Task.WhenAny(_reached.Task, Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, Ct));
        }

        public Task ShareAsync(SharedBody body, DateTimeOffset deadline, CancellationToken ct) => inner.ShareAsync(body, deadline, ct);

        public async Task<IReadOnlyList<StoredMail>> ReadAsync(DeviceAddress device, long after, int count, CancellationToken ct)
        {
            Reads++;
            await MomentAsync();
            var page = await inner.ReadAsync(device, after, count, ct);
            await MomentAsync();
            return page;
        }

        public Task PingAsync(CancellationToken ct) => inner.PingAsync(ct);

        public Task<long[]?> AppendAsync(IReadOnlyList<Mail> mail, Positioned? onPositioned, CancellationToken ct) =>
            inner.AppendAsync(mail, onPositioned, ct);

        public Task AckAsync(DeviceAddress device, IReadOnlyList<long> positions, CancellationToken ct)
        {
            Acks++;
            return inner.AckAsync(device, positions, ct);
        }

        public Task WrittenAsync(CancellationToken ct) => inner.WrittenAsync(ct);

        public Task ClearAsync(DeviceAddress device, CancellationToken ct) => inner.ClearAsync(device, ct);

        public Task<int> ExpireAsync(CancellationToken ct) => inner.ExpireAsync(ct);

        public Task<long> CountAsync(CancellationToken ct) => inner.CountAsync(ct);

        private async Task MomentAsync()
        {
            if (_interruption is not null && _moment-- == 0)
            {
                await _interruption();
                _reached.SetResult();
            }
        }
    }

    /// <summary>A session whose client is this test.</summary>
    private sealed class MemorySession(DeviceAddress device, SessionTable table) : ClientSession(new Caller(device, 1), false, table)
    {
        private readonly List<Deliver> _received = [];
        private bool _isLive;
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override bool IsCongested => false;

        protected override long WaitingSince => 0;

        public async Task<IReadOnlyList<Deliver>> ReceivedAsync(int count)
        {
            await AtLeastAsync(count);
            lock (Gate)
            {
                Assert.Equal(count, _received.Count);
                return [.. _received];
            }
        }

        public Task AtLeastAsync(int count) => UntilAsync(() => _received.Count >= count);

        public Task LiveAsync() => UntilAsync(() => _isLive);

        public override void Abort()
        {
        }

        protected override void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
        {
            var frame = ServerFrame.Parser.ParseFrom((byte[])[.. head, .. tail]);
            _isLive |= frame.QueueEmpty is not null;
            if (frame.Deliver is not null)
            {
                _received.Add(frame.Deliver);
            }

            _changed.TrySetResult();
        }

        protected override void AppendClose(CloseCode code)
        {
        }

        protected override void BeginFlush()
        {
        }

        protected override void Ping()
        {
        }

        private async Task UntilAsync(Func<bool> isDone)
        {
            while (true)
            {
                Task changed;
                lock (Gate)
                {
                    if (isDone())
                    {
                        return;
                    }

                    _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
                    changed = _changed.Task;
                }

                await changed.WaitAsync(TimeSpan.FromSeconds(20), Ct);
            }
        }
    }
}
