using System.CommandLine;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Health;

/// <summary><c>securechat-server health</c>: asks the running server, for container health checks in images without curl.</summary>
internal static class HealthCommand
{
    public static Command Create()
    {
        var url = new Option<Uri>("--url") { Description = "The server's address. Not given: the API's, by the same settings as the server's." };
        var command = new Command("health", "Asks a running server whether it is ready; exit code 0 if it is.") { url };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, ct) => CommandLine.GuardAsync(() => AskAsync(
            parsed.GetValue(url) is { } given ? new Uri(given, Path) : OwnUrl(CommandLine.SettingsOf(parsed.UnmatchedTokens)), ct)));
        return command;
    }

    // Not the composed server, which takes longer to make than the answer.
    private static Uri OwnUrl(IReadOnlyList<string> settings)
    {
        using var configuration = new ConfigurationManager();
        Settings.AddSources(configuration, settings);
        var api = configuration["Server:Api"] ?? new ServerOptions().Api;
        return ListenAddress.TryParse(api, out var address)
            ? address.UrlOf(Path)
            : throw new SettingsException("Server:Api is no address to listen on, for example 'http://localhost:8080'.");
    }

    private static async Task<int> AskAsync(Uri url, CancellationToken ct)
    {
        // The certificate names the server's host, which is not what this machine calls itself; nothing secret is said.
        using var connections = new HttpClientHandler();
        connections.ServerCertificateCustomValidationCallback = (_, _, _, _) => url.IsLoopback;
        using var http = new HttpClient(connections) { Timeout = TimeSpan.FromSeconds(3) };
        try
        {
            using var answer = await http.GetAsync(url, ct);
            Terminal.WriteLine(await answer.Content.ReadAsStringAsync(ct));
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            Terminal.WriteError($"No answer from {url}: {failure.Message}");
            return 1;
        }
    }

    private const string Path = "/health/ready";
}
