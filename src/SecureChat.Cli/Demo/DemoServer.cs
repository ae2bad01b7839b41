using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using SecureChat.Client.Connection;
using SecureChat.Server.Accounts;
using SecureChat.Server.Senders;

namespace SecureChat.Cli.Demo;

/// <summary>A whole server on loopback with a data folder of its own, and what an intruder would find there.</summary>
internal sealed class DemoServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private DemoServer(WebApplication app, DirectoryInfo folder, ServerAddress address) => (_app, Folder, Address) = (app, folder, address);

    public DirectoryInfo Folder { get; }

    public ServerAddress Address { get; }

    public static async Task<DemoServer> StartAsync(CancellationToken ct)
    {
        // What an operator of a real server is told at its first start does not belong here.
        Environment.SetEnvironmentVariable("DOTNET_ENVIRONMENT", "Development");
        var folder = Directory.CreateTempSubdirectory("securechat-demo-");
        var api = $"http://127.0.0.1:{FreePort()}";
        var app = Server.Hosting.Server.Build(
        [
            "--Server:Api", api, "--Server:Socket=", "--Server:Management=", "--Storage:DataFolder", folder.FullName,
            "--Accounts:Registration", "open", "--Logging:LogLevel:Default", "Warning",
        ]);
        await app.StartAsync(ct);
        var root = app.Services.GetRequiredService<SenderSigner>().Root;
        return new DemoServer(app, folder, new ServerAddress(new Uri(api)) { TrustRoots = [root] });
    }

    public Task<string> InviteAsync(CancellationToken ct) =>
        _app.Services.GetRequiredService<Invites>().CreateAsync(uses: 1, TimeSpan.FromHours(1), ct);

    /// <summary>The bodies of the envelopes that wait in the server's queue, as they stand in its file.</summary>
    public async Task<IReadOnlyList<byte[]>> WaitingAsync(CancellationToken ct)
    {
        var source = new SqliteConnectionStringBuilder { DataSource = Path.Combine(Folder.FullName, "queue.db"), Mode = SqliteOpenMode.ReadOnly, Pooling = false };
        await using var file = new SqliteConnection(source.ToString());
        await file.OpenAsync(ct);
        await using var command = file.CreateCommand();
        command.CommandText = "SELECT coalesce(body, (SELECT body FROM shared_body WHERE id = shared)) FROM envelope WHERE account IS NOT NULL";
        await using var rows = await command.ExecuteReaderAsync(ct);
        var found = new List<byte[]>();
        while (await rows.ReadAsync(ct))
        {
            found.Add((byte[])rows[0]);
        }

        return found;
    }

    /// <summary>Bytes of the files that wait in the server's media relay.</summary>
    public long MediaBytes() => new DirectoryInfo(Path.Combine(Folder.FullName, "blobs")) is { Exists: true } media
        ? media.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)
        : 0;

    /// <summary>Looks for words in every byte that the server has on disk.</summary>
    /// <returns>How many files and bytes there are, and the words that were found.</returns>
    public (int Files, long Bytes, IReadOnlyList<string> Found) Search(IReadOnlyList<string> words)
    {
        var (files, bytes, found) = (0, 0L, new HashSet<string>());
        foreach (var path in Directory.EnumerateFiles(Folder.FullName, "*", SearchOption.AllDirectories))
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var content = new MemoryStream();
            file.CopyTo(content);
            files++;
            bytes += content.Length;
            found.UnionWith(words.Where(word => content.ToArray().AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(word)) >= 0));
        }

        return (files, bytes, [.. found]);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Folder.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
