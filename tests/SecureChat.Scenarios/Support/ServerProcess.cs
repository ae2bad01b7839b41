using System.Diagnostics;
using System.Globalization;
using System.Net;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>One server node: the program as it is built, with a data folder and ports of its own.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    // A halted program would not end either: the last that it is told is to go on.
    private const string Halting = """
        trap 'kill -s CONT "$1"; exit' TERM
        turns=60
        while [ $turns -gt 0 ] && kill -s STOP "$1"; do sleep 0.15; kill -s CONT "$1"; sleep 0.01; turns=$((turns - 1)); done
        """;

    private readonly Dictionary<string, string> _environment;
    private readonly string _log;
    private ChildProcess _process;

    private ServerProcess(string folder, string name, IReadOnlyDictionary<string, string> settings)
    {
        _log = Path.Combine(folder, $"{name}.log");
        Api = Loopback("http", "");
        Socket = Loopback("ws", "ws");
        Management = Loopback("http", "");
        _environment = new Dictionary<string, string>(settings)
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["SECURECHAT_STORAGE__DATAFOLDER"] = Path.Combine(folder, "data"),
            ["SECURECHAT_SERVER__API"] = Origin(Api),
            ["SECURECHAT_SERVER__SOCKET"] = $"http://127.0.0.1:{Socket.Port}",
            ["SECURECHAT_SERVER__MANAGEMENT"] = Origin(Management),
        };
        _process = Launch();
    }

    public Uri Api { get; }

    public Uri Socket { get; }

    public Uri Management { get; }

    /// <summary>Resident memory now, in bytes.</summary>
    public long ResidentBytes => StatusKilobytes("VmRSS:") * 1024;

    public static async Task<ServerProcess> StartAsync(
        string folder, string name, IReadOnlyDictionary<string, string> settings, CancellationToken ct)
    {
        var server = new ServerProcess(folder, name, settings);
        await server.WaitAsync(ct);
        return server;
    }

    /// <summary>Everything it printed, over all its starts.</summary>
    public string Printed()
    {
        using var stream = new FileStream(_log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>An invite for one new account, as an operator makes it beside the running server.</summary>
    public async Task<string> InviteAsync(CancellationToken ct)
    {
        var start = new ProcessStartInfo(Program(), ["invite", "create"]) { RedirectStandardOutput = true };
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        using var program = Process.Start(start)!;
        var printed = await program.StandardOutput.ReadToEndAsync(ct);
        await program.WaitForExitAsync(ct);
        return printed.Trim().Split('\n')[^1];
    }

    /// <summary><c>kill -9</c>.</summary>
    public Task KillAsync(CancellationToken ct) => _process.KillAsync(ct);

    /// <summary>Starts again on the same data folder and ports.</summary>
    /// <param name="changes">Settings that are other ones from now on.</param>
    public async Task StartAgainAsync(CancellationToken ct, params (string Name, string Value)[] changes)
    {
        foreach (var (name, value) in changes)
        {
            _environment[name] = value;
        }

        await _process.DisposeAsync();
        _process = Launch();
        await WaitAsync(ct);
    }

    /// <summary>Lets it work for moments only, until what is returned is disposed of, or for ten seconds: on a slow machine nothing would ever end.</summary>
    public ChildProcess WorkHaltingly() =>
        ChildProcess.Start(["sh", "-c", Halting, "halting", _process.Id.ToString(CultureInfo.InvariantCulture)], "/dev/null");

    /// <summary>Asks it to end, as an operator would.</summary>
    public Task StopAsync(CancellationToken ct) => _process.StopAsync(ct);

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private ChildProcess Launch() => ChildProcess.Start([Program()], _log, _environment);

    private Task WaitAsync(CancellationToken ct) => _process.WaitUntilAsync(
        async () =>
        {
            try
            {
                using var http = new HttpClient { BaseAddress = Api };
                using var answer = await http.GetAsync(new Uri("/health/ready", UriKind.Relative), ct);
                return answer.StatusCode is HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        },
        ct);

    // The same configuration and framework as this test project, from the server's own output folder.
    internal static string Program()
    {
        var project = $"tests{Path.DirectorySeparatorChar}SecureChat.Scenarios";
        var output = AppContext.BaseDirectory.Replace(
            project, $"src{Path.DirectorySeparatorChar}SecureChat.Server", StringComparison.Ordinal);
        return Path.Combine(output, "securechat-server");
    }

    private static Uri Loopback(string scheme, string path) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{scheme}://127.0.0.1:{ChildProcess.FreePort()}/{path}"));

    private static string Origin(Uri uri) => uri.GetLeftPart(UriPartial.Authority);

    private long StatusKilobytes(string name) => File.ReadLines($"/proc/{_process.Id}/status")
        .Where(line => line.StartsWith(name, StringComparison.Ordinal))
        .Select(line => long.Parse(line[name.Length..^" kB".Length], CultureInfo.InvariantCulture))
        .Single();
}
