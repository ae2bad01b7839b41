using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>The conversation that the README ends with: <c>securechat chat</c> fills two terminals.</summary>
public sealed class Terminals(Worlds worlds, LibsignalPeer peer)
{
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
}
