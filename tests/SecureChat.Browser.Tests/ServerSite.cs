using System.Diagnostics;
using System.Globalization;
using SecureChat.Tests;

namespace SecureChat.Browser.Tests;

/// <summary>A server in Development, as it is built, with a folder and ports of its own.</summary>
internal sealed class ServerSite : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-site-");
    private readonly Dictionary<string, string> _settings;
    private ChildProcess? _process;

    private ServerSite(IReadOnlyDictionary<string, string> settings) => _settings = new Dictionary<string, string>(settings)
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Development",
        ["SECURECHAT_STORAGE__DATAFOLDER"] = Path.Combine(_folder.FullName, "data"),
        ["SECURECHAT_SERVER__API"] = Origin(Api),
        ["SECURECHAT_SERVER__SOCKET"] = Origin(Loopback()),
        ["SECURECHAT_SERVER__MANAGEMENT"] = "",
        ["SECURECHAT_LIMITS__SCALE"] = "0",
    };

    public Uri Api { get; } = Loopback();

    /// <param name="settings">Environment variables beyond those that every site has.</param>
    public static async Task<ServerSite> StartAsync(IReadOnlyDictionary<string, string> settings, CancellationToken ct)
    {
        var site = new ServerSite(settings);
        site._process = ChildProcess.Start([Program()], Path.Combine(site._folder.FullName, "server.log"), site._settings);
        await site._process.WaitUntilAsync(() => site.IsReadyAsync(ct), ct);
        return site;
    }

    /// <summary>An invite for one new account, as an operator makes it.</summary>
    public async Task<string> InviteAsync(CancellationToken ct)
    {
        var start = new ProcessStartInfo(Program(), ["invite", "create"]) { RedirectStandardOutput = true };
        foreach (var (name, value) in _settings)
        {
            start.Environment[name] = value;
        }

        using var program = Process.Start(start)!;
        var printed = await program.StandardOutput.ReadToEndAsync(ct);
        await program.WaitForExitAsync(ct);
        return printed.Trim().Split('\n')[^1];
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            using var http = new HttpClient { BaseAddress = Api };
            using var answer = await http.GetAsync(new Uri("/health/ready", UriKind.Relative), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    // The same configuration and framework as this project, from the server's own output folder.
    private static string Program()
    {
        var project = $"tests{Path.DirectorySeparatorChar}SecureChat.Browser.Tests";
        return Path.Combine(
            AppContext.BaseDirectory.Replace(project, $"src{Path.DirectorySeparatorChar}SecureChat.Server", StringComparison.Ordinal),
            "securechat-server");
    }

    private static string Origin(Uri uri) => uri.GetLeftPart(UriPartial.Authority);

    private static Uri Loopback() => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ChildProcess.FreePort()}/"));
}
