using System.Globalization;
using System.Reflection;
using SecureChat.Tests;

namespace SecureChat.Browser.Tests;

public sealed class SessionInBrowserTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_devices_in_a_browser_open_a_session_and_read_every_format_that_there_is()
    {
        var result = await HeadlessPage.ResultAsync(PublishedPage("bench", "SecureChat.Signal.Browser"), Patience, Ct);

        Assert.Equal(
            ["load", "start", "accept", "formats", "encrypt", "decrypt", "turn"],
            result.Split('\n').Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public async Task Two_people_in_a_browser_sign_up_and_write_to_each_other_through_a_server()
    {
        var port = ChildProcess.FreePort();
        var origin = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");
        await using var server = await ServerSite.StartAsync(new Dictionary<string, string> { ["SECURECHAT_SERVER__ALLOWEDORIGINS__0"] = origin }, Ct);
        var settings = $"{server.Api}\n{await server.InviteAsync(Ct)}\n{await server.InviteAsync(Ct)}";

        var result = await HeadlessPage.ResultAsync(PublishedPage("samples", "InTheBrowser"), Patience, Ct, port, settings);

        Assert.Equal("from Alice's browser\nfrom Bob's browser", result);
    }

    /// <summary>The page beside the repository's other builds, in the configuration of this one.</summary>
    private static string PublishedPage(string kind, string project)
    {
        var configuration = typeof(SessionInBrowserTests).Assembly
            .GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
            {
                return Path.Combine(
                    folder.FullName, kind, project, "bin", configuration, "net10.0", "publish", "wwwroot");
            }
        }

        throw new InvalidOperationException("The tests are to be run from inside the repository.");
    }
}
