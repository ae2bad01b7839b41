using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace SecureChat.Tests;

/// <summary>A program that tests start and stop by its process id. It ends with the test run, however that ends.</summary>
/// <remarks>
/// A small shell stands between: it holds the program's id, writes its output to a file, and ends it when the pipe from
/// the test run closes, which also happens when the test run is killed.
/// </remarks>
public sealed class ChildProcess : IAsyncDisposable
{
    private const string Guard = """
        exec 3<&0 2> /dev/null
        log=$1; signal=$2; shift 2
        "$@" >> "$log" 2>&1 < /dev/null 3<&- & child=$!
        echo "$child"
        { read -r _; kill -s "$signal" "$child"; } <&3 & guard=$!
        wait "$child"; code=$?
        kill "$guard"
        exit "$code"
        """;

    // Below the ports that systems give to outgoing connections: none of those takes one between this and its use.
    private const int FirstPort = 11_000;
    private const int PortCount = 21_000;

    private static int _ports = RandomNumberGenerator.GetInt32(PortCount);

    private readonly Process _guard;

    private ChildProcess(Process guard, int id, string log)
    {
        _guard = guard;
        Id = id;
        Log = log;
    }

    /// <summary>The program's own process id.</summary>
    public int Id { get; }

    /// <summary>The file that holds what the program printed; appended to by a later start.</summary>
    public string Log { get; }

    public bool HasExited => _guard.HasExited;

    /// <summary>The program's exit code, 128 more than the signal's number when one ended it.</summary>
    public int ExitCode => _guard.ExitCode;

    /// <param name="command">The program and its arguments.</param>
    /// <param name="log">The file for its output.</param>
    /// <param name="environment">Variables added to this process's own.</param>
    /// <param name="stopSignal">What asks it to end.</param>
    public static ChildProcess Start(
        IReadOnlyList<string> command,
        string log,
        IReadOnlyDictionary<string, string>? environment = null,
        string stopSignal = "TERM")
    {
        var start = new ProcessStartInfo("sh", ["-c", Guard, "guard", log, stopSignal, .. command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var guard = Process.Start(start)!;
        var id = int.Parse(guard.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
        return new ChildProcess(guard, id, log);
    }

    /// <summary>Ends it at once, as a crash would: <c>kill -9</c>.</summary>
    public async Task KillAsync(CancellationToken ct)
    {
        if (!_guard.HasExited)
        {
            using var program = Process.GetProcessById(Id);
            program.Kill();
        }

        await _guard.WaitForExitAsync(ct);
    }

    /// <summary>Asks it to end and waits until it has.</summary>
    public async Task StopAsync(CancellationToken ct)
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync(ct);
    }

    /// <summary>Tries until <paramref name="isReady"/> holds.</summary>
    /// <exception cref="InvalidOperationException">The program ended, or a minute passed; with what it printed last.</exception>
    public async Task WaitUntilAsync(Func<Task<bool>> isReady, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(TimeSpan.FromMinutes(1));
        while (!HasExited && !patience.IsCancellationRequested)
        {
            if (await isReady())
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct);
        }

        var why = HasExited ? $"ended with {ExitCode}" : "was not ready within a minute";
        throw new InvalidOperationException($"The program {why}:\n{string.Join('\n', File.ReadLines(Log).TakeLast(20))}");
    }

    /// <summary>A port of the loopback interface that nothing listens on, another each time.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = FirstPort + (int)((uint)Interlocked.Increment(ref _ports) % PortCount);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody listens on it: the next.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync(CancellationToken.None);
        }

        _guard.Dispose();
    }
}
