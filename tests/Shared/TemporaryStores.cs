using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace SecureChat.Tests;

/// <summary>A PostgreSQL server of this test run alone: a fresh cluster in a temporary folder, on a free loopback port.</summary>
public sealed class TemporaryPostgres : IAsyncDisposable
{
    private readonly ChildProcess _server;
    private readonly DirectoryInfo _folder;
    private readonly int _port;

    private TemporaryPostgres(ChildProcess server, DirectoryInfo folder, int port)
    {
        _server = server;
        _folder = folder;
        _port = port;
    }

    /// <summary>The server's output and data: what a search for leaked plaintext looks through.</summary>
    public string Folder => _folder.FullName;

    public static async Task<TemporaryPostgres> StartAsync(CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("securechat-postgres-");
        var data = Path.Combine(folder.FullName, "data");
        var bin = FindBin();
        if (Environment.UserName is "root")
        {
            await RunAsync("chown", ["postgres", folder.FullName], ct);
        }

        string[] initdb =
            [.. AsPostgres, $"{bin}initdb", "-D", data, "-U", "securechat", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"];
        await RunAsync(initdb[0], initdb[1..], ct);
        var port = ChildProcess.FreePort();

        // Only the server under test is killed, never the machine: without fsync the tests wait less for the disk.
        var server = ChildProcess.Start(
            [.. AsPostgres, $"{bin}postgres", "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture),
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
                "-c", "full_page_writes=off", "-c", "max_connections=300"],
            Path.Combine(folder.FullName, "postgres.log"),
            stopSignal: "INT");
        var postgres = new TemporaryPostgres(server, folder, port);
        await server.WaitUntilAsync(() => postgres.TryPsqlAsync("SELECT 1", ct), ct);
        return postgres;
    }

    /// <summary>Makes a database, empty or a copy of <paramref name="template"/>, and returns its connection string.</summary>
    public async Task<string> NewDatabaseAsync(CancellationToken ct, string template = "template1")
    {
        var name = "t" + RandomNumberGenerator.GetHexString(12, lowercase: true);
        return await TryPsqlAsync($"CREATE DATABASE {name} TEMPLATE {template}", ct)
            ? string.Create(
                CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username=securechat;Database={name};Maximum Pool Size=40")
            : throw new InvalidOperationException("PostgreSQL refused to make a database.");
    }

    /// <summary>Ends the server; what was connected finds nobody.</summary>
    public Task StopAsync(CancellationToken ct) => _server.StopAsync(ct);

    /// <summary>Removes a database, whoever is still connected to it.</summary>
    public Task DropDatabaseAsync(string name, CancellationToken ct) =>
        TryPsqlAsync($"DROP DATABASE {name} WITH (FORCE)", ct);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    // PostgreSQL refuses to run as root, which is who runs tests in a container.
    private static string[] AsPostgres => Environment.UserName is "root"
        ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        : [];

    private static string FindBin()
    {
        const string debian = "/usr/lib/postgresql";
        return Directory.Exists(debian)
            ? Directory.GetDirectories(debian).Max(StringComparer.Ordinal) + "/bin/"
            : "";
    }

    private async Task<bool> TryPsqlAsync(string sql, CancellationToken ct)
    {
        var port = _port.ToString(CultureInfo.InvariantCulture);
        var (code, _) = await OutcomeAsync(
            "psql", ["-h", "127.0.0.1", "-p", port, "-U", "securechat", "-d", "postgres", "-qc", sql], ct);
        return code is 0;
    }

    private static async Task RunAsync(string program, string[] arguments, CancellationToken ct)
    {
        var (code, errors) = await OutcomeAsync(program, arguments, ct);
        if (code is not 0)
        {
            throw new InvalidOperationException($"{program} failed; run ./test to install what tests need. {errors}");
        }
    }

    private static async Task<(int Code, string Errors)> OutcomeAsync(
        string program, string[] arguments, CancellationToken ct)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var errors = await process.StandardError.ReadToEndAsync(ct);
        await output;
        await process.WaitForExitAsync(ct);
        return (process.ExitCode, errors);
    }
}

/// <summary>A Redis server of one test: append-only as in production, in a temporary folder, on a free loopback port.</summary>
public sealed class TemporaryRedis : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-redis-");
    private readonly int _port = ChildProcess.FreePort();
    private ChildProcess _server;

    private TemporaryRedis() => _server = Launch();

    /// <summary>Its output, append-only files and dumps.</summary>
    public string Folder => _folder.FullName;

    /// <summary>For StackExchange.Redis.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    public static async Task<TemporaryRedis> StartAsync(CancellationToken ct)
    {
        var redis = new TemporaryRedis();
        await redis.WaitAsync(ct);
        return redis;
    }

    /// <summary><c>kill -9</c>, then started again on the files that were left.</summary>
    public async Task CrashAsync(CancellationToken ct)
    {
        await KillAsync(ct);
        await RestartAsync(ct);
    }

    /// <summary><c>kill -9</c>.</summary>
    public Task KillAsync(CancellationToken ct) => _server.KillAsync(ct);

    /// <summary>Starts it again after <see cref="KillAsync"/>.</summary>
    public async Task RestartAsync(CancellationToken ct)
    {
        await _server.DisposeAsync();
        _server = Launch();
        await WaitAsync(ct);
    }

    /// <summary>Stays connected and answers nothing, for a minute.</summary>
    public async Task FallSilentAsync(CancellationToken ct)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _port, ct);
        var stream = client.GetStream();
        await stream.WriteAsync("CLIENT PAUSE 60000 ALL\r\n"u8.ToArray(), ct);
        await stream.ReadExactlyAsync(new byte["+OK\r\n".Length], ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private ChildProcess Launch() => ChildProcess.Start(
        ["redis-server", "--port", _port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1",
            "--dir", _folder.FullName, "--databases", "2000", "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
        Path.Combine(_folder.FullName, "redis.log"));

    // A server that still loads its file accepts connections, but answers LOADING to a ping.
    private Task WaitAsync(CancellationToken ct) => _server.WaitUntilAsync(
        async () =>
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", _port, ct);
                var stream = client.GetStream();
                await stream.WriteAsync("PING\r\n"u8.ToArray(), ct);
                var answer = new byte[16];
                return await stream.ReadAsync(answer, ct) > 0 && answer.AsSpan().StartsWith("+PONG"u8);
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                return false;
            }
        },
        ct);
}
