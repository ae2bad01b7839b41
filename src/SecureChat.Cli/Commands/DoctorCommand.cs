using System.CommandLine;
using SecureChat.Client;

namespace SecureChat.Cli.Commands;

/// <summary><c>doctor</c>: every step from the profile to a connection, and which one does not work.</summary>
internal static class DoctorCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LargestSkew = TimeSpan.FromMinutes(2);

    public static Command Create(Cli cli) => cli.Does(
        new Command("doctor", "Looks at the profile, the server and the connection, step by step."),
        async (shell, _, ct) =>
        {
            var checks = new Checks(shell);
            var server = await checks.RunAsync("profile", () => Task.FromResult<(Client.Connection.ServerAddress?, string)>((shell.Profile.Read(), shell.Profile.Folder)));
            if (server is not null)
            {
                await checks.RunAsync("rights", () => Task.FromResult((true, RightsOf(shell.Profile))));
                await checks.RunAsync("server", async () => (true, await AskAsync(shell, new Uri(server.Api, "/version"), ct)));
                await checks.RunAsync("stores", async () => (true, await AskAsync(shell, new Uri(server.Api, "/health/ready"), ct)));
                await checks.RunAsync("clock", async () => (true, await SkewAsync(shell, new Uri(server.Api, "/health/live"), ct)));
                await checks.RunAsync("root", async () => (true, await RootAsync(shell, server, ct)));
                await checks.RunAsync("device", async () =>
                {
                    await using var session = await Session.ConnectAsync(shell, ct);
                    return (true, $"device {session.Client.DeviceId} of {session.Client.Account} connects");
                });
            }

            if (checks.Failed > 0)
            {
                throw new CliException(ExitCode.Failed, "unwell", $"{checks.Failed} of {checks.Done} steps do not work.", "Begin with the first of them.");
            }
        });

    private static string RightsOf(Profile profile)
    {
        if (OperatingSystem.IsWindows())
        {
            return "as the folder's";
        }

        var mode = File.GetUnixFileMode(profile.Folder) | File.GetUnixFileMode(profile.Store);
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        return (mode & others) == 0
            ? "the profile is its owner's alone"
            : throw new CliException(ExitCode.Profile, "rights", "Others on this machine can read the profile.", $"chmod -R go= {profile.Folder}");
    }

    private static async Task<string> AskAsync(Shell shell, Uri address, CancellationToken ct)
    {
        using var http = Http(shell);
        using var answer = await http.GetAsync(address, ct);
        var body = await answer.Content.ReadAsStringAsync(ct);
        return answer.IsSuccessStatusCode
            ? body
            : throw new CliException(ExitCode.Refused, "unwell", $"{address} answered {(int)answer.StatusCode}: {body}", "Ask the server's operator.");
    }

    private static async Task<string> SkewAsync(Shell shell, Uri address, CancellationToken ct)
    {
        using var http = Http(shell);
        using var answer = await http.GetAsync(address, ct);
        if (answer.Headers.Date is not { } theirs)
        {
            return "the server does not tell its time";
        }

        var skew = (shell.Host.Time.GetUtcNow() - theirs).Duration();
        return skew <= LargestSkew
            ? "this clock and the server's agree"
            : throw new CliException(ExitCode.Failed, "clock", $"This clock is {Durations.Show(skew)} away from the server's.", "Set it: certificates and timers go by it.");
    }

    private static async Task<string> RootAsync(Shell shell, Client.Connection.ServerAddress server, CancellationToken ct)
    {
        var now = await ChatClient.FetchTrustRootAsync(server, shell.Host.Network, ct);
        return server.TrustRoots.Contains(now)
            ? "the server's root is the one that this profile keeps"
            : throw new CliException(ExitCode.Refused, "root", "The server names another root than this profile keeps.",
                "Ask its operator by another way: either it was replaced, or somebody is in between.");
    }

    private static HttpClient Http(Shell shell) => new(shell.Host.Network.CreateHandler(anonymous: true)) { Timeout = Patience };

    private sealed class Checks(Shell shell)
    {
        public int Done { get; private set; }

        public int Failed { get; private set; }

        public async Task<T?> RunAsync<T>(string name, Func<Task<(T? Result, string Words)>> check)
        {
            Done++;
            try
            {
                var (result, words) = await check();
                shell.Output.Write(LineType.Check, $"ok    {name,-8} {words}", ("name", name), ("ok", true), ("detail", words));
                return result;
            }
#pragma warning disable CA1031 // Each step tells its own.
            catch (Exception failure) when (failure is not OperationCanceledException)
#pragma warning restore CA1031
            {
                Failed++;
                var told = Failure.Describe(failure, shell.Profile.Name);
                shell.Output.Write(
                    LineType.Check, $"FAIL  {name,-8} {told.Message} {told.Next}", ("name", name), ("ok", false), ("detail", told.Message), ("next", told.Next));
                return default;
            }
        }
    }
}
