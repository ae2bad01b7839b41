using System.CommandLine;

namespace SecureChat.Server.Health;

/// <summary><c>securechat-server health</c>: asks the running server, for container health checks in images without curl.</summary>
internal static class HealthCommand
{
    public static Command Create()
    {
        var url = new Option<Uri>("--url")
        {
            Description = "The server's address.",
            DefaultValueFactory = _ => new Uri("http://localhost:8080"),
        };
        var command = new Command("health", "Asks a running server whether it is ready; exit code 0 if it is.") { url };
        command.SetAction((result, ct) => AskAsync(result.GetValue(url)!, ct));
        return command;
    }

    private static async Task<int> AskAsync(Uri url, CancellationToken ct)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
        try
        {
            using var answer = await http.GetAsync(new Uri(url, "/health/ready"), ct);
            Terminal.WriteLine(await answer.Content.ReadAsStringAsync(ct));
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            Terminal.WriteError($"No answer from {url}: {failure.Message}");
            return 1;
        }
    }
}
