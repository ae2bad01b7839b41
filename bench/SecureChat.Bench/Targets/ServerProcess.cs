using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace SecureChat.Bench.Targets;

/// <summary>A server under test: started on a core of its own, measured through /proc, stopped by its id.</summary>
internal sealed partial class ServerProcess : IDisposable
{
    private const double ClockTicksPerSecond = 100; // USER_HZ, the unit of /proc/PID/stat on every Linux.
    private const int UserTime = 11; // Of the fields behind the name in /proc/PID/stat; system time is the next.
    private const int Terminate = 15;

    private readonly Process _process;
    private readonly StringWriter _output = new();

    /// <param name="core">The core it is pinned to; null leaves it to the kernel.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="environment">Added to this process's environment.</param>
    public ServerProcess(int? core, IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment)
    {
        string[] pinned = core is { } number
            ? ["taskset", "-c", number.ToString(CultureInfo.InvariantCulture), .. command]
            : [.. command];
        var start = new ProcessStartInfo(pinned[0], pinned[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start) ?? throw new BenchException($"{command[0]} did not start.");
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>User and system time so far, in seconds, of the process and its descendants.</summary>
    public double CpuSeconds => Family(_process.Id).Sum(process => UserSecondsOf(process) + KernelSecondsOf(process));

    /// <summary>System time alone: what the kernel spent for them.</summary>
    public double KernelSeconds => Family(_process.Id).Sum(KernelSecondsOf);

    /// <summary>Resident memory in bytes of the process and its descendants.</summary>
    public long ResidentBytes => Family(_process.Id).Sum(ResidentBytesOf);

    /// <summary>Ports of the loopback interface that nobody listens on, all different.</summary>
    public static int[] FreePorts(int count)
    {
        var probes = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        probes.ForEach(probe => probe.Start());
        var ports = probes.Select(probe => ((IPEndPoint)probe.LocalEndpoint).Port).ToArray();
        probes.ForEach(probe => probe.Dispose());
        return ports;
    }

    /// <summary>Waits until the server listens on the port.</summary>
    public void AwaitPort(int port, CancellationToken ct)
    {
        for (var end = Load.Clock.After(TimeSpan.FromSeconds(30)); Load.Clock.Now < end;)
        {
            if (_process.HasExited)
            {
                break;
            }

            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Connect(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                ct.WaitHandle.WaitOne(100);
                ct.ThrowIfCancellationRequested();
            }
        }

        throw new BenchException($"The server did not listen on its port. It said:\n{Output}");
    }

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited && (kill(_process.Id, Terminate) != 0 || !_process.WaitForExit(15_000)))
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    private static IEnumerable<int> Family(int process)
    {
        yield return process;
        foreach (var thread in Directory.EnumerateDirectories($"/proc/{process}/task"))
        {
            var children = File.ReadAllText(Path.Combine(thread, "children"));
            foreach (var child in children.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (var member in Family(int.Parse(child, CultureInfo.InvariantCulture)))
                {
                    yield return member;
                }
            }
        }
    }

    private static double UserSecondsOf(int process) => SecondsOf(process, UserTime);

    private static double KernelSecondsOf(int process) => SecondsOf(process, UserTime + 1);

    private static double SecondsOf(int process, int field)
    {
        // The second field, the name, may hold spaces.
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[field], CultureInfo.InvariantCulture) / ClockTicksPerSecond;
    }

    private static long ResidentBytesOf(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.WriteLine(line.Data);
        }
    }
}
