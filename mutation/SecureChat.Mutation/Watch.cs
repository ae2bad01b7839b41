using System.Diagnostics;
using System.Runtime;

namespace SecureChat.Mutation;

/// <summary>Ends a test that a mutant keeps from ending. Counts processor time, which a busy or paused machine does not spend.</summary>
internal sealed class Watch
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Lock _lock = new();
    private readonly Action _stuck;
    private CancellationTokenSource? _abort;
    private TimeSpan _deadline;
    private int _ticks;

    /// <summary>What runs, to be named when it is stuck.</summary>
    public string Running { get; set; } = "";

    /// <param name="stuck">Called when a test can not even be aborted; must end the process.</param>
    public Watch(Action stuck)
    {
        _stuck = stuck;
        new Thread(Look) { IsBackground = true }.Start();
    }

    /// <summary>Runs a test to its end or for so much processor time.</summary>
    /// <returns>Whether it came to its end; false also leaves its exception behind.</returns>
    public bool Run(Action test, TimeSpan limit, out Exception? failure)
    {
        using var abort = new CancellationTokenSource();
        Exception? thrown = null;
        lock (_lock)
        {
            _abort = abort;
            _deadline = Spent() + limit;
            _ticks = 0;
        }

        try
        {
            ControlledExecution.Run(
                () =>
                {
                    try
                    {
                        test();
                    }
                    catch (Exception e) when (!abort.IsCancellationRequested)
                    {
                        thrown = e;
                    }
                },
                abort.Token);
        }
        catch (OperationCanceledException)
        {
            thrown = null;
        }
        finally
        {
            lock (_lock)
            {
                _abort = null;
            }
        }

        failure = thrown;
        return !abort.IsCancellationRequested;
    }

    private static TimeSpan Spent()
    {
        using var self = Process.GetCurrentProcess();
        return self.TotalProcessorTime;
    }

    private void Look()
    {
        while (true)
        {
            Thread.Sleep(Pause);
            lock (_lock)
            {
                if (_abort is null)
                {
                    continue;
                }

                _ticks++;
                var spent = Spent();
                if (spent > _deadline + TimeSpan.FromSeconds(10) || _ticks > 900)
                {
                    _stuck();
                }
                else if (spent > _deadline && !_abort.IsCancellationRequested)
                {
                    // Does not return before the test has given in, which some never do.
                    var abort = _abort;
                    new Thread(abort.Cancel) { IsBackground = true }.Start();
                }
            }
        }
    }
}
