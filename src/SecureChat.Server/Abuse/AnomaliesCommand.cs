using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Options;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Abuse;

/// <summary><c>securechat-server anomalies [--json]</c>: what the detectors of the running server know. Asks it on its management address.</summary>
internal static class AnomaliesCommand
{
    /// <summary>Where the management address answers.</summary>
    public const string Path = "/anomalies";

    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "As JSON, for scripts." };
        var command = new Command("anomalies", "Lists the anomaly detectors of a running server: levels, thresholds, and how many actors are in which grade.") { json };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, ct) => CommandLine.GuardAsync(async () =>
        {
            await using var server = Hosting.Server.Build(CommandLine.SettingsOf(parsed.UnmatchedTokens));
            var management = server.Services.GetRequiredService<IOptions<ServerOptions>>().Value.Management;
            if (!ListenAddress.TryParse(management, out var address))
            {
                throw new SettingsException("Server:Management is empty: the server tells nobody. Set it, for example SECURECHAT_SERVER__MANAGEMENT=http://127.0.0.1:9464.");
            }

            return await AskAsync(address.UrlOf(Path), parsed.GetValue(json), ct);
        }));
        return command;
    }

    private static async Task<int> AskAsync(Uri url, bool asJson, CancellationToken ct)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            var text = await http.GetStringAsync(url, ct);
            Terminal.WriteLine(asJson ? text : JsonSerializer.Deserialize(text, AnomalyJson.Default.AnomalyReport)!.ToString());
            return 0;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException or JsonException)
        {
            Terminal.WriteError($"No answer from {url}: {failure.Message} Is the server running, with these settings?");
            return 1;
        }
    }
}
