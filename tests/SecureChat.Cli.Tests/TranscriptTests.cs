using SecureChat.Cli.Tests.Support;
using SecureChat.Client.Testing;

namespace SecureChat.Cli.Tests;

/// <summary>Every session that the documents show, and at least one for each command, played against a real server in this process.</summary>
public sealed class TranscriptTests
{
    public static TheoryData<string> Files => [.. TranscriptPlayer.All().Select(transcript => transcript.File)];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Plays_as_written(string file)
    {
        var ct = TestContext.Current.CancellationToken;
        var steps = TranscriptPlayer.All().Single(transcript => transcript.File == file).Steps;
        Assert.NotEmpty(steps);
        var time = new PassedTime();
        await using var server = await FakeServer.StartAsync(time, ct, ("Accounts:Registration", "open"));
        var home = Directory.CreateTempSubdirectory("securechat-cli-");
        try
        {
            await using var player = new TranscriptPlayer(server, time, home.FullName);
            var differences = new List<string>();
            foreach (var (command, screen) in steps)
            {
                if (await player.PlayAsync(command, screen, ct) is { } difference)
                {
                    differences.Add($"$ {command}\n{difference}");
                }
            }

            Assert.True(differences.Count == 0, string.Join('\n', differences));
        }
        finally
        {
            Environment.CurrentDirectory = AppContext.BaseDirectory;
            home.Delete(recursive: true);
        }
    }
}
