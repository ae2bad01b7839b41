using System.Security.Cryptography;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>The conversation that the README ends with: <c>securechat chat</c> fills two terminals.</summary>
public sealed class Terminals(Worlds worlds, LibsignalPeer peer)
{
    private const int FilmSize = 32 << 20;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_people_talk_on_the_whole_screen_of_two_terminals()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        using var alice = await CommandLine.RegisterAsync(world, "alice@example.org", Ct);
        using var bob = await CommandLine.RegisterAsync(world, "bob@example.org", Ct);
        await alice.RunAsync(Ct, "contacts", "add", "bob", bob.Account.ToString());
        await bob.RunAsync(Ct, "contacts", "add", "alice", alice.Account.ToString());
        await using var atAlice = alice.ChatOnScreen("bob");
        await using var atBob = bob.ChatOnScreen("alice");
        await atAlice.ShowsAsync("Enter sends", Ct);
        await atBob.ShowsAsync("Enter sends", Ct);

        await atAlice.TypeAsync("are you there?\r", Ct);
        await atBob.ShowsAsync("are you there?", Ct);
        await atBob.TypeAsync("in the other terminal\r", Ct);
        await atAlice.ShowsAsync("in the other terminal", Ct);
        await atAlice.TypeAsync("good\r", Ct);
        await atBob.ShowsAsync("good", Ct);
        await atAlice.TypeAsync("/quit\r", Ct);
        await atBob.TypeAsync("\u001b", Ct);

        Assert.Equal((0, 0), (await atAlice.EndAsync(Ct), await atBob.EndAsync(Ct)));
        foreach (var (person, other) in new[] { (alice, bob), (bob, alice) })
        {
            var told = await person.RunAsync(Ct, "history", other.Account.ToString());
            Assert.Equal(
                [(alice.Account, "are you there?"), (bob.Account, "in the other terminal"), (alice.Account, "good")],
                told.Select(message => (message.GetProperty("sender").GetGuid(), message.GetProperty("text").GetString()!)));
        }
    }

    [Fact]
    public async Task A_file_on_its_way_is_a_bar_that_grows_and_then_goes_and_into_a_pipe_there_is_none()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        using var alice = await CommandLine.RegisterAsync(world, "alice@example.org", Ct);
        using var bob = await CommandLine.RegisterAsync(world, "bob@example.org", Ct);
        await bob.RunAsync(Ct, "contacts", "add", "alice", alice.Account.ToString());
        var film = bob.FileOf("film.mkv", RandomNumberGenerator.GetBytes(FilmSize));

        var sending = await DrawnSlowlyAsync(world, bob.OnScreen($"file send alice '{film}'"));
        var fetching = await DrawnSlowlyAsync(world, alice.OnScreen($"file receive {await ReceivedAsync(alice)} --out '{alice.PathOf("film")}'"));
        var besidePipes = await DrawnAsync(bob.OnScreen($"file send alice '{film}' | cat > '{bob.PathOf("said")}'"))
            + await DrawnAsync(alice.OnScreen($"file receive {await ReceivedAsync(alice)} --out '{alice.PathOf("again")}' | cat > '{alice.PathOf("said")}'"));

        var sent = "sent to alice: film.mkv, 32.0 MiB";
        AssertGrows("Sending", sending);
        AssertGrows("Fetching", fetching);
        Assert.Equal((sent, $"{alice.PathOf("film")}, 32.0 MiB"), (DrawnScreen.TextOf(sending), DrawnScreen.TextOf(fetching)));
        Assert.Equal(
            (sent + "\n", $"{alice.PathOf("again")}, 32.0 MiB\n"),
            (await File.ReadAllTextAsync(bob.PathOf("said"), Ct), await File.ReadAllTextAsync(alice.PathOf("said"), Ct)));
        Assert.Equal("", DrawnScreen.WordsOf(besidePipes));
        Assert.Equal(await File.ReadAllBytesAsync(film, Ct), await File.ReadAllBytesAsync(alice.PathOf("film"), Ct));
    }

    private static async Task<string> ReceivedAsync(CommandLine person) =>
        (await person.RunAsync(Ct, "receive")).Single(line => line.GetProperty("type").GetString() == "message").GetProperty("id").GetString()!;

    // The server works for moments only: a bar that is drawn ten times a second is then drawn often, however fast the machine is.
    private static async Task<string> DrawnSlowlyAsync(World world, ScreenOf screen)
    {
        await using var slowness = world.Server.WorkHaltingly();
        return await DrawnAsync(screen);
    }

    private static async Task<string> DrawnAsync(ScreenOf screen)
    {
        await using (screen)
        {
            Assert.True(await screen.EndAsync(Ct) == 0, screen.Drawn());
            return screen.Drawn();
        }
    }

    private static void AssertGrows(string label, string drawn)
    {
        var percentages = DrawnScreen.PercentagesOf(drawn, label).ToList();
        Assert.True(percentages.Where(percent => percent is > 0 and < 100).Distinct().Count() > 1, $"{label} shows only {string.Join(", ", percentages)} %.");
        Assert.Equal(percentages.Order(), percentages);
        Assert.Equal(100, percentages[^1]);
    }
}
