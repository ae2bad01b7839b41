using System.Diagnostics;
using System.Globalization;
using SecureChat.Bench.Load;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench;

/// <summary>The three loads. Each is bounded in time and count, and fails when a message is lost, doubled or changed.</summary>
internal sealed class Scenarios(Target target, CancellationToken ct)
{
    private const int ContentBytes = 1024;
    private const int IdleContentBytes = 200;
    private const int HandshakesAtOnce = 64;

    // Messages complete out of order, so a pair's oldest may be this far behind its newest.
    private const int Window = 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Closed loop: each pair keeps <paramref name="inFlight"/> messages under way.</summary>
    public Talk Relay(int pairs, int inFlight)
    {
        var (loop, traffic) = Connect(pairs);

        void Begin()
        {
            traffic.KeepSending = true;
            for (var message = 0; message < inFlight; message++)
            {
                for (var pair = 0; pair < pairs; pair++)
                {
                    traffic.Send(pair, Clock.Now);
                }
            }
        }

        return new Talk(this, $"relay {pairs}x{inFlight}", loop, traffic, Begin, () => loop.Turn(TimeSpan.FromMilliseconds(10)));
    }

    /// <summary>Open loop: <paramref name="rate"/> messages a second, sent when they are due whatever became of the others.</summary>
    /// <remarks>Latency counts from when a message was due, so a server that stalls cannot hide it.</remarks>
    public Talk Open(int pairs, int rate)
    {
        var (loop, traffic) = Connect(pairs);
        var interval = Clock.Ticks(1.0 / rate);
        var due = 0L;
        var pair = 0;

        void Turn()
        {
            for (; due <= Clock.Now; due += interval)
            {
                traffic.Send(pair, due);
                pair = (pair + 1) % pairs;
            }

            loop.Turn(TimeSpan.FromSeconds(Math.Max(0, Clock.Seconds(due - Clock.Now))));
        }

        return new Talk(this, $"open {rate.ToString(CultureInfo.InvariantCulture)}/s", loop, traffic, () => due = Clock.Now, Turn);
    }

    /// <summary>One measurement of <see cref="Relay(int, int)"/>.</summary>
    public Measurement Relay(int pairs, int inFlight, TimeSpan warmUp, TimeSpan time)
    {
        using var talk = Relay(pairs, inFlight);
        return talk.Measure(warmUp, time);
    }

    /// <summary>One measurement of <see cref="Open(int, int)"/>.</summary>
    public Measurement Open(int pairs, int rate, TimeSpan warmUp, TimeSpan time)
    {
        using var talk = Open(pairs, rate);
        return talk.Measure(warmUp, time);
    }

    /// <summary>Connections that each had one message, then say nothing: what does the server remember them in?</summary>
    public Measurement Idle(int connections, TimeSpan settle)
    {
        using var loop = new EventLoop();
        var pairs = connections / 2;
        var first = pairs / 10;
        var traffic = new Traffic(pairs, 1, target.MakeContent(IdleContentBytes));
        var before = target.Server.ResidentBytes;
        var cpu = target.Server.CpuSeconds;
        ConnectAndSay(loop, traffic, 0, first);
        Run(settle, () => loop.Turn(TimeSpan.FromMilliseconds(100)));
        var warm = target.Server.ResidentBytes;
        ConnectAndSay(loop, traffic, first, pairs);
        cpu = target.Server.CpuSeconds - cpu;
        Run(settle, () => loop.Turn(TimeSpan.FromMilliseconds(100)));
        var full = target.Server.ResidentBytes;
        return new Measurement
        {
            Target = target.Name,
            Scenario = $"idle {pairs * 2}",
            Connections = pairs * 2,
            BaseBytes = before,
            BytesPerConnection = (double)(full - before) / (pairs * 2),
            BytesPerFurtherConnection = (double)(full - warm) / ((pairs - first) * 2),
            ConnectMicros = cpu * 1e6 / (pairs * 2),
        };
    }

    private (EventLoop Loop, Traffic Traffic) Connect(int pairs)
    {
        var loop = new EventLoop();
        try
        {
            var traffic = new Traffic(pairs, Window, target.MakeContent(ContentBytes));
            Connect(loop, traffic, 0, pairs);
            return (loop, traffic);
        }
        catch
        {
            loop.Dispose();
            throw;
        }
    }

    private void ConnectAndSay(EventLoop loop, Traffic traffic, int from, int to)
    {
        Connect(loop, traffic, from, to);
        for (var pair = from; pair < to; pair++)
        {
            traffic.Send(pair, Clock.Now);
            if (traffic.UnderWay >= HandshakesAtOnce)
            {
                loop.TurnUntil(() => traffic.UnderWay < HandshakesAtOnce, Patience, ct);
            }
        }

        Drain(loop, traffic);
    }

    private void Connect(EventLoop loop, Traffic traffic, int from, int to)
    {
        for (var device = from * 2; device < to * 2; device++)
        {
            var connection = target.Connect(traffic, device / 2, device % 2 == 0);
            if (device % 2 == 0)
            {
                traffic.Join(device / 2, connection);
            }

            loop.Open(connection, target.EndPoint);
            var needed = device == (to * 2) - 1 ? device + 1 : device + 1 - HandshakesAtOnce;
            if (traffic.ReadyCount < needed && !loop.TurnUntil(() => traffic.ReadyCount >= needed, Patience, ct))
            {
                throw new BenchException($"Of {device + 1} connections only {traffic.ReadyCount} became ready.");
            }
        }
    }

    private void Run(TimeSpan time, Action turn)
    {
        for (var end = Clock.After(time); Clock.Now < end;)
        {
            ct.ThrowIfCancellationRequested();
            turn();
        }
    }

    private Measurement Measure(string scenario, Traffic traffic, TimeSpan time, Action turn)
    {
        using var self = Process.GetCurrentProcess();
        traffic.Latency.Clear();
        var accepted = traffic.AcceptedCount;
        var complete = traffic.CompleteCount;
        var server = target.Server.CpuSeconds;
        var kernel = target.Server.KernelSeconds;
        var stores = target.Stores.Sum(store => store.CpuSeconds);
        var own = self.TotalProcessorTime.TotalSeconds;
        var start = Clock.Now;

        Run(time, turn);

        var seconds = Clock.Seconds(Clock.Now - start);
        self.Refresh();
        own = self.TotalProcessorTime.TotalSeconds - own;
        server = target.Server.CpuSeconds - server;
        kernel = target.Server.KernelSeconds - kernel;
        stores = target.Stores.Sum(store => store.CpuSeconds) - stores;
        complete = traffic.CompleteCount - complete;
        if (complete == 0)
        {
            throw new BenchException("No message arrived in the whole run.");
        }

        return new Measurement
        {
            Target = target.Name,
            Scenario = scenario,
            Accepted = (traffic.AcceptedCount - accepted) / seconds,
            Complete = complete / seconds,
            P50 = traffic.Latency.Percentile(0.5),
            P99 = traffic.Latency.Percentile(0.99),
            ServerMicros = server * 1e6 / complete,
            KernelMicros = kernel * 1e6 / complete,
            StoreMicros = stores * 1e6 / complete,
            ServerLoad = (server + stores) / seconds,
            GeneratorLoad = own / seconds,
            Leftovers = traffic.LeftoverCount,
        };
    }

    private void Drain(EventLoop loop, Traffic traffic)
    {
        if (!loop.TurnUntil(() => traffic.UnderWay == 0, Patience, ct))
        {
            throw new BenchException($"{traffic.UnderWay} messages never arrived.");
        }
    }

    /// <summary>Connections that talk when they are measured and rest otherwise, so that several servers can be measured in turns.</summary>
    internal sealed class Talk(Scenarios scenarios, string name, EventLoop loop, Traffic traffic, Action begin, Action turn) : IDisposable
    {
        public Measurement Measure(TimeSpan warmUp, TimeSpan time)
        {
            begin();
            scenarios.Run(warmUp, turn);
            var result = scenarios.Measure(name, traffic, time, turn);
            traffic.KeepSending = false;
            scenarios.Drain(loop, traffic);
            return result;
        }

        public void Dispose() => loop.Dispose();
    }
}
