using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Connections;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Connections;

/// <summary>When what was written to sessions moves towards their sockets.</summary>
public sealed class FlushBatchTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private int _piece;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_thread_with_little_to_do_flushes_each_session_once_as_soon_as_the_input_is_handled()
    {
        await using var node = await Node.StartAsync();
        var (first, second) = (Make(node), Make(node));

        await OnThreadAsync(() =>
        {
            FlushBatch.Begin();
            FlushBatch.Touch(first);
            FlushBatch.Touch(first);
            FlushBatch.Touch(second);
            Assert.False(first.IsFlushed || second.IsFlushed);
            FlushBatch.End();

            Assert.Equal((1, 1), (first.Flushes, second.Flushes));
        });
    }

    [Fact]
    public async Task A_busy_thread_flushes_many_sessions_in_one_go()
    {
        await using var node = await Node.StartAsync();
        var sessions = Enumerable.Range(0, 640).Select(_ => Make(node)).ToList();

        await OnThreadAsync(() =>
        {
            BeBusy();
            sessions.ForEach(Handle);
        });

        await Task.WhenAll(sessions.Select(session => session.Flushed)).WaitAsync(Patience, Ct);
        var goes = sessions.Select(session => session.FlushedAtPiece).Distinct().Count();
        Assert.True(goes < sessions.Count / 4, $"{goes} goes for {sessions.Count} sessions");
    }

    [Fact]
    public async Task What_a_busy_thread_has_put_off_is_flushed_although_no_more_input_comes()
    {
        await using var node = await Node.StartAsync();
        var elsewhere = 0;
        for (var i = 0; i < 20; i++)
        {
            var session = Make(node);
            var thread = 0;
            await OnThreadAsync(() =>
            {
                thread = Environment.CurrentManagedThreadId;
                BeBusy();
                Handle(session);
            });

            elsewhere += await session.Flushed.WaitAsync(Patience, Ct) == thread ? 0 : 1;
        }

        Assert.NotEqual(0, elsewhere);
    }

    [Fact]
    public async Task Outside_of_input_nothing_is_flushed_on_the_thread_that_writes_because_it_may_hold_locks()
    {
        await using var node = await Node.StartAsync();
        var session = Make(node);
        var thread = 0;

        await OnThreadAsync(() =>
        {
            thread = Environment.CurrentManagedThreadId;
            FlushBatch.Touch(session);
        });

        Assert.NotEqual(thread, await session.Flushed.WaitAsync(Patience, Ct));
    }

    [Fact]
    public async Task A_connection_that_fails_is_cut_off_and_keeps_no_other_from_being_flushed()
    {
        await using var node = await Node.StartAsync();
        var (broken, other) = (Make(node), Make(node));
        broken.Fails = true;

        await OnThreadAsync(() =>
        {
            FlushBatch.Begin();
            FlushBatch.Touch(broken);
            FlushBatch.Touch(other);
            FlushBatch.End();
        });

        Assert.True(broken.IsAborted);
        Assert.Equal(1, other.Flushes);
    }

    private static void BeBusy()
    {
        for (var end = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(end) < TimeSpan.FromMilliseconds(5);)
        {
            FlushBatch.Begin();
            FlushBatch.End();
        }
    }

    // A thread of its own, because batches belong to threads.
    private static Task OnThreadAsync(Action work) => Task.Factory.StartNew(work, Ct, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Handle(Counting session)
    {
        _piece++;
        FlushBatch.Begin();
        FlushBatch.Touch(session);
        FlushBatch.End();
    }

    private Counting Make(Node node) => new(node.Get<SessionTable>(), () => Volatile.Read(ref _piece));

    /// <summary>A session that leads nowhere and counts how often it is flushed.</summary>
    private sealed class Counting(SessionTable table, Func<int> piece)
        : ClientSession(new Caller(new DeviceAddress(Ids.New(), 1), 7), isJson: false, table)
    {
        private readonly TaskCompletionSource<int> _flushed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _flushes;

        public override bool IsCongested => false;

        public bool Fails { get; set; }

        public bool IsAborted { get; private set; }

        public int Flushes => _flushes;

        public bool IsFlushed => _flushes > 0;

        public int FlushedAtPiece { get; private set; }

        /// <summary>The thread that flushed it.</summary>
        public Task<int> Flushed => _flushed.Task;

        protected override long WaitingSince => 0;

        public override void Abort() => IsAborted = true;

        protected override void Append(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
        {
        }

        protected override void AppendClose(CloseCode code)
        {
        }

        protected override void BeginFlush()
        {
            if (Fails)
            {
                throw new InvalidOperationException();
            }

            _flushes++;
            FlushedAtPiece = piece();
            _flushed.TrySetResult(Environment.CurrentManagedThreadId);
        }

        protected override void Ping()
        {
        }
    }
}
