using System.Collections.Concurrent;
using System.Diagnostics;

namespace SecureChat.Server.Connections;

/// <summary>Gathers what one thread writes to sockets, so that each is flushed once, and on a busy thread many in one go.</summary>
/// <remarks>
/// A flush may wake whoever reads at the other end, which costs more than the flush; a reader that is still busy with one frame
/// finds the next ones there. So a thread that has much to do puts its flushes off until there are <see cref="Many"/> of them, or
/// for about a millisecond. Outside a batch flushing moves to the thread pool, because writers may hold locks.
/// </remarks>
internal sealed class FlushBatch : IThreadPoolWorkItem
{
    // Flushes in one go.
    private const int Many = 32;

    // Pieces of input in a millisecond: a thread with fewer has time to flush each by itself, and nobody waits for it.
    private const int Busy = 8;

    private static readonly long Moment = Stopwatch.Frequency / 1000;

    [ThreadStatic]
    private static FlushBatch? _own;

    private readonly Lock _gate = new();
    private List<ClientSession> _touched = [];
    private List<ClientSession>? _spare = [];
    private bool _isAsked;

    // Of the thread alone.
    private int _depth;
    private long _momentBegan;
    private int _pieces;
    private bool _isBusy;

    private static FlushBatch Own => _own ??= new FlushBatch();

    /// <summary>A piece of input is handled on this thread.</summary>
    public static void Begin()
    {
        var own = Own;
        if (own._depth++ == 0)
        {
            own.CountPiece();
        }
    }

    /// <summary>Must run on the thread that began, with no lock held.</summary>
    public static void End()
    {
        var own = Own;
        if (--own._depth == 0 && own.IsDue())
        {
            own.FlushAll();
        }
    }

    /// <summary>Something was written to a session. Takes no lock but its own.</summary>
    public static void Touch(ClientSession session)
    {
        var own = Own;
        lock (own._gate)
        {
            if (own._touched is [] || own._touched[^1] != session)
            {
                own._touched.Add(session);
            }

            if (own._depth == 0 && !own._isAsked)
            {
                own._isAsked = true;
                ThreadPool.UnsafeQueueUserWorkItem(own, preferLocal: true);
            }
        }
    }

    /// <summary>Flushes what the thread itself has not flushed so far; on any thread.</summary>
    public void Execute()
    {
        lock (_gate)
        {
            _isAsked = false;
        }

        FlushAll();
    }

    private void CountPiece()
    {
        var now = Stopwatch.GetTimestamp();
        var passed = now - _momentBegan;
        if (passed > Moment)
        {
            _isBusy = _pieces * Moment > Busy * passed;
            (_momentBegan, _pieces) = (now, 0);
        }

        _pieces++;
    }

    private bool IsDue()
    {
        lock (_gate)
        {
            if (_touched is [])
            {
                return false;
            }

            if (!_isBusy || _touched.Count >= Many)
            {
                return true;
            }

            if (!_isAsked)
            {
                _isAsked = true;
                Latecomers.Add(this);
            }

            return false;
        }
    }

    private void FlushAll()
    {
        List<ClientSession> all;
        lock (_gate)
        {
            (all, _touched, _spare) = (_touched, _spare ?? [], null);
        }

        foreach (var session in all)
        {
            try
            {
                session.Flush();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException or OperationCanceledException)
            {
                // One connection that fails is no reason not to flush the next.
                session.Abort();
            }
        }

        all.Clear();
        lock (_gate)
        {
            _spare = all;
        }
    }

    /// <summary>One thread that flushes what busy threads put off, should no more input come to them.</summary>
    private static class Latecomers
    {
        private static readonly ConcurrentQueue<FlushBatch> Batches = new();
        private static readonly AutoResetEvent Work = new(false);
        private static int _isAsleep;

        static Latecomers() => new Thread(Run) { Name = "late flushes", IsBackground = true }.Start();

        public static void Add(FlushBatch batch)
        {
            Batches.Enqueue(batch);
            if (Interlocked.Exchange(ref _isAsleep, 0) == 1)
            {
                Work.Set();
            }
        }

        private static void Run()
        {
            while (true)
            {
                Work.WaitOne(1);
                if (Batches.IsEmpty)
                {
                    Sleep();
                }

                for (var count = Batches.Count; count > 0 && Batches.TryDequeue(out var batch); count--)
                {
                    batch.Execute();
                }
            }
        }

        // Only after a moment in which nothing came: while threads are busy, waking this one costs them more than its rounds.
        private static void Sleep()
        {
            Interlocked.Exchange(ref _isAsleep, 1);
            if (Batches.IsEmpty)
            {
                Work.WaitOne();
            }

            Interlocked.Exchange(ref _isAsleep, 0);
        }
    }
}
