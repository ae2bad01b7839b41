using System.Globalization;
using System.Net;
using System.Text;
using SecureChat.Bench.Targets;

namespace SecureChat.Bench.Media;

/// <summary>A server that takes files and gives them back.</summary>
internal abstract class FileServer : IDisposable
{
    protected TemporaryFolder Folder { get; } = new();

    protected IPEndPoint EndPoint { get; } = new(IPAddress.Loopback, ServerProcess.FreePorts(1)[0]);

    public abstract string Name { get; }

    public ServerProcess Process { get; protected set; } = null!;

    public HttpConnection Connect() => new(EndPoint);

    public abstract void Start(int? core, CancellationToken ct);

    /// <summary>Uploads a file and returns what <see cref="Download"/> finds it by.</summary>
    public abstract string Upload(HttpConnection connection, ReadOnlyMemory<byte> content, long length);

    /// <summary>Asks for a file; its body is still to be read. Returns what <see cref="Remove"/> needs.</summary>
    public abstract string Download(HttpConnection connection, string file);

    public abstract void Remove(HttpConnection connection, string file, string claim);

    public void Dispose()
    {
        Process?.Dispose();
        Folder.Dispose();
    }
}

/// <summary>This repository's server, Release build: tus creation and one PATCH, then a download that is counted.</summary>
internal sealed class SecureChatFiles(TestAccounts accounts) : FileServer
{
    private readonly string _token = accounts.Devices[0].AccessToken;

    public override string Name => "securechat";

    public override void Start(int? core, CancellationToken ct)
    {
        accounts.CopyTo(Folder);
        var settings = new Dictionary<string, string>(TestAccounts.Settings)
        {
            ["Server:Api"] = $"http://{EndPoint}",
            ["Server:Socket"] = "",
            ["Server:Management"] = "",
            ["Storage:DataFolder"] = Folder.Path,
            ["Limits:Scale"] = "0",
            ["Media:BytesPerDay"] = "1000000000000",
        };
        var program = Path.Combine(Repository.Root, "src", "SecureChat.Server", "bin", "Release", "net10.0", "securechat-server.dll");
        Process = new(
            core,
            ["dotnet", program, .. settings.SelectMany(setting => new[] { "--" + setting.Key, setting.Value })],
            new Dictionary<string, string>());
        Process.AwaitPort(EndPoint.Port, ct);
    }

    public override string Upload(HttpConnection connection, ReadOnlyMemory<byte> content, long length)
    {
        var made = connection.Ask(
            "POST /v1/media", 201, default, 0, ("Authorization", $"Bearer {_token}"), ("Tus-Resumable", "1.0.0"),
            ("Upload-Length", length.ToString(CultureInfo.InvariantCulture)));
        connection.Ask(
            $"PATCH {made["Location"]}", 204, content, length, ("Tus-Resumable", "1.0.0"), ("Upload-Offset", "0"),
            ("Content-Type", "application/offset+octet-stream"));
        return made["Media-Id"];
    }

    public override string Download(HttpConnection connection, string file) =>
        connection.Ask($"GET /v1/media/{file}", 200)["Media-Claim"];

    public override void Remove(HttpConnection connection, string file, string claim) =>
        connection.Ask($"DELETE /v1/media/{file}", 204, default, 0, ("Media-Claim", claim));
}

/// <summary>nginx from Debian's package: static files, and PUT by its dav module.</summary>
internal sealed class NginxFiles : FileServer
{
    private int _files;

    public override string Name => "nginx";

    public static string Version => Repository.FirstLine("dpkg-query", "-W", "-f=${Version}", "nginx");

    public override void Start(int? core, CancellationToken ct)
    {
        Directory.CreateDirectory(Folder.File("files"));
        var configuration = Folder.File("nginx.conf");
        File.WriteAllText(
            configuration,
            new StringBuilder(File.ReadAllText(Path.Combine(Repository.Root, "bench", "peers", "nginx", "nginx.conf")))
                .Replace("BENCH_FOLDER", Folder.Path)
                .Replace("BENCH_PORT", EndPoint.Port.ToString(CultureInfo.InvariantCulture))
                .ToString());

        // As root it would change its worker's user, who cannot read the folder.
        var user = Environment.UserName is "root" ? "user root; " : "";
        Process = new(core, ["nginx", "-c", configuration, "-p", Folder.Path, "-g", user + "error_log stderr;"], new Dictionary<string, string>());
        Process.AwaitPort(EndPoint.Port, ct);
    }

    public override string Upload(HttpConnection connection, ReadOnlyMemory<byte> content, long length)
    {
        var file = string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _files):x8}");
        connection.Ask($"PUT /{file}", 201, content, length);
        return file;
    }

    public override string Download(HttpConnection connection, string file)
    {
        connection.Ask($"GET /{file}", 200);
        return "";
    }

    public override void Remove(HttpConnection connection, string file, string claim) => connection.Ask($"DELETE /{file}", 204);
}
