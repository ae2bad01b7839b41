using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>The program as an operator starts it: what it prints, where it takes its settings from, and its commands beside it.</summary>
public sealed class Starts : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-start-");
    private readonly int _api = ChildProcess.FreePort();
    private readonly int _socket = ChildProcess.FreePort();
    private readonly int _management = ChildProcess.FreePort();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_folder.FullName, "data");

    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    public async Task A_start_prints_where_everything_is_and_no_warning_and_an_empty_production_server_one_invite(string environment)
    {
        await using (var server = Start(environment, OnCommandLine()))
        {
            await ReadyAsync(server, until: environment is "Production" ? "Make more with" : "  Stores ");
        }

        var first = await File.ReadAllLinesAsync(Log, Ct);
        Assert.Equal(Announcement(environment), first.Where(line => !IsOfFirstStart(line) && !IsLogged(line)));
        Assert.All(first.Where(IsLogged), line => Assert.Matches("^ {6}|^info: ", line));
        Assert.Equal(environment is "Production" ? FirstStart.Length : 0, first.Count(IsOfFirstStart));
        Assert.All(FirstStart, expected => Assert.Equal(environment is "Production" ? 1 : 0, first.Count(line => Regex.IsMatch(line, expected))));

        File.Delete(Log);
        await using (var again = Start(environment, OnCommandLine()))
        {
            await ReadyAsync(again);
        }

        Assert.DoesNotContain(await File.ReadAllLinesAsync(Log, Ct), IsOfFirstStart);
    }

    [Fact]
    public async Task A_setting_on_the_command_line_beats_the_environment_and_that_beats_the_file()
    {
        var (file, variable) = (ChildProcess.FreePort(), ChildProcess.FreePort());
        await File.WriteAllTextAsync(
            Path.Combine(_folder.FullName, "appsettings.json"),
            $$"""
            { "Storage": { "DataFolder": "{{Data}}" },
              "Server": { "Api": "http://127.0.0.1:{{file}}", "Socket": "http://127.0.0.1:{{file}}", "Management": "http://127.0.0.1:{{_management}}" } }
            """,
            Ct);

        await using (var server = Start(
            "Production",
            [$"--Server:Api=http://127.0.0.1:{_api}"],
            ("SECURECHAT_SERVER__API", $"http://127.0.0.1:{variable}"), ("SECURECHAT_SERVER__SOCKET", $"http://127.0.0.1:{_socket}")))
        {
            await ReadyAsync(server);
        }

        Assert.Equal(Announcement("Production"), (await File.ReadAllLinesAsync(Log, Ct)).Where(line => !IsOfFirstStart(line) && !IsLogged(line)));
    }

    [Fact]
    public async Task Invites_are_made_listed_and_revoked_beside_the_running_server()
    {
        await using var server = Start("Production", OnCommandLine());
        await ReadyAsync(server, until: "Make more with");

        var (made, code) = await CommandAsync("invite", "create", "--uses", "3", "--days", "2");
        var (listed, list) = await CommandAsync("invite", "list");
        var name = Regex.Match(list, @"(?m)^(\w+)  used 0 of 3  expires \d{4}-\d\d-\d\d \d\d:\d\d UTC$").Groups[1].Value;
        var (revoked, said) = await CommandAsync("invite", "revoke", name);
        var (again, unknown) = await CommandAsync("invite", "revoke", name);
        var (_, left) = await CommandAsync("invite", "list");

        Assert.Equal((0, 0, 0, 1), (made, listed, revoked, again));
        Assert.Matches(@"^([2-9A-Z]{5}-){3}[2-9A-Z]{5}$", code.Trim());
        Assert.Equal(("Revoked.", "There is no invite of that name."), (said.Trim(), unknown.Trim()));
        Assert.NotEmpty(name);
        Assert.DoesNotContain(name, left, StringComparison.Ordinal);

        // That of the empty server's first start is still there.
        Assert.Contains("used 0 of 1", left, StringComparison.Ordinal);
    }

    /// <summary>As in the image: an ordinary user, and no file system that can be written to but the volume.</summary>
    [Fact]
    public async Task A_user_without_rights_runs_it_from_a_disk_that_cannot_be_written_to()
    {
        const string Nobody = "65534";
        Assert.SkipUnless(await CanMountAsync(), "needs root and leave to mount a file system anew (a container may have neither)");
        var program = Path.Combine(_folder.CreateSubdirectory("program").FullName, "securechat-server");
        await RunAsync("cp", "-r", Path.GetDirectoryName(Support.ServerProcess.Program())! + "/.", Path.GetDirectoryName(program)!);
        Directory.CreateDirectory(Data);
        await RunAsync("chmod", "755", _folder.FullName);
        await RunAsync("chown", Nobody, Data);

        await using var server = ChildProcess.Start(
            ["unshare", "-m", "sh", "-c",
                $"""
                mount --bind "$0" "$0" && mount -o remount,bind,ro / && ! touch "$1.new" && cd / &&
                exec setpriv --reuid={Nobody} --regid={Nobody} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
                """,
                Data, program, .. OnCommandLine()],
            Log,
            new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Production", ["HOME"] = "/nowhere", ["TMPDIR"] = "/nowhere", ["DOTNET_EnableDiagnostics"] = "0" });
        await ReadyAsync(server, until: "Make more with");

        var printed = await File.ReadAllTextAsync(Log, Ct);
        Assert.Contains($"touch: cannot touch '{program}.new': Read-only file system", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("warn: ", printed, StringComparison.Ordinal);
        Assert.Contains("directory.db", Directory.GetFiles(Data).Select(Path.GetFileName));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string Log => Path.Combine(_folder.FullName, "server.log");

    private string[] Announcement(string environment) =>
    [
        $"secureChat {Version} ({environment})",
        $"  API        http://127.0.0.1:{Text(_api)}",
        $"  WebSocket  ws://127.0.0.1:{Text(_socket)}/ws",
        $"  Metrics    http://127.0.0.1:{Text(_management)}/metrics",
        $"  Data       {Data}",
        "  Stores     directory: SQLite, queues: SQLite, short-lived state: process memory, files: files",
    ];

    private static string Version => FileVersionInfo.GetVersionInfo(Support.ServerProcess.Program() + ".dll").ProductVersion!.Split('+')[0];

    // What an empty production server says besides, once.
    private static readonly string[] FirstStart =
    [
        @"^This server is empty\. Sign up with the invite ([2-9A-Z]{5}-){3}[2-9A-Z]{5} \(one use, 7 days\)\.$",
        "^Make more with: securechat-server invite create$",
        "^Sender certificates are signed under a new root: [A-Za-z0-9+/]{44}$",
        "^Build clients with it, and move [a-z.-]+ out of the data folder to a machine that is off\\.$",
    ];

    private static bool IsOfFirstStart(string line) => FirstStart.Any(expected => Regex.IsMatch(line, expected));

    // The log, which is on the same terminal: a level and then an indented sentence.
    private static bool IsLogged(string line) => Regex.IsMatch(line, "^ {6}|^[a-z]{4}: ");

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    private string[] OnCommandLine() =>
    [
        $"--Storage:DataFolder={Data}", $"--Server:Api=http://127.0.0.1:{_api}", $"--Server:Socket=http://127.0.0.1:{_socket}",
        $"--Server:Management=http://127.0.0.1:{_management}",
    ];

    // In a folder of its own, where it finds its file of settings.
    private ChildProcess Start(string environment, string[] settings, params (string Name, string Value)[] variables) => ChildProcess.Start(
        ["sh", "-c", "cd \"$0\" && exec \"$@\"", _folder.FullName, Support.ServerProcess.Program(), .. settings],
        Log,
        new Dictionary<string, string>(variables.Select(variable => KeyValuePair.Create(variable.Name, variable.Value))) { ["ASPNETCORE_ENVIRONMENT"] = environment });

    private async Task ReadyAsync(ChildProcess server, string until = "  Stores ")
    {
        using var http = new HttpClient();
        await server.WaitUntilAsync(
            async () =>
            {
                try
                {
                    using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{_api}/health/ready"), Ct);
                    return answer.IsSuccessStatusCode && (await File.ReadAllTextAsync(Log, Ct)).Contains(until, StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            Ct);
    }

    private static async Task<bool> CanMountAsync() => Environment.IsPrivilegedProcess
        && await RunAsync("unshare", "-m", "mount", "-o", "remount,bind,ro", "/") is 0;

    private static async Task<int> RunAsync(string program, params string[] words)
    {
        using var run = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardError = true })!;
        await run.WaitForExitAsync(Ct);
        return run.ExitCode;
    }

    private async Task<(int Code, string Printed)> CommandAsync(params string[] words)
    {
        using var command = Process.Start(new ProcessStartInfo(Support.ServerProcess.Program(), [.. words, $"--Storage:DataFolder={Data}"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.FullName,
        })!;
        var printed = await command.StandardOutput.ReadToEndAsync(Ct);
        await command.WaitForExitAsync(Ct);
        return (command.ExitCode, printed);
    }
}
