using System.Reflection;
using SecureChat.Tests;

namespace SecureChat.Browser.Tests;

public sealed class SessionInBrowserTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Two_devices_in_a_browser_open_a_session_and_read_each_others_messages()
    {
        var result = await HeadlessPage.ResultAsync(PublishedPage(), Patience, TestContext.Current.CancellationToken);

        Assert.Equal(
            ["start", "accept", "encrypt", "decrypt", "turn"],
            result.Split('\n').Select(line => line.Split(' ')[0]));
    }

    /// <summary>The page beside the repository's other builds, in the configuration of this one.</summary>
    private static string PublishedPage()
    {
        var configuration = typeof(SessionInBrowserTests).Assembly
            .GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SecureChat.slnx")))
            {
                return Path.Combine(
                    folder.FullName, "bench", "SecureChat.Signal.Browser", "bin", configuration, "net10.0", "publish", "wwwroot");
            }
        }

        throw new InvalidOperationException("The tests are to be run from inside the repository.");
    }
}
