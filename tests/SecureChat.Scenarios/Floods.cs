using System.Globalization;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Two people keep talking while somebody floods the server with garbage.</summary>
public sealed class Floods(Worlds worlds, LibsignalPeer peer, ITestOutputHelper output)
{
    private const long MaxResidentBytes = 500_000_000;

    // Against a machine that is too slow to send so much in its time: what is asserted is the amount, not the rate.
    private const int MostTimes = 6;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Garbage_at_20_MB_a_second_neither_stops_a_conversation_nor_fills_the_memory()
    {
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        var tokens = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            // One each: a second connection of the same device would close the first.
            var mallory = (await world.PersonAsync($"mallory{i}", Ct)).Primary;
            await mallory.DisconnectAsync();
            tokens.Add(mallory.AccessToken);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        stop.CancelAfter(Duration * MostTimes);
        var flood = new Flood(world.Server, tokens);

        var began = TimeProvider.System.GetTimestamp();
        var flooding = flood.RunAsync(Amount, stop);
        var (exchanged, peak) = await TalkAsync(world, alice, bob, flooding);
        await flooding;
        var took = TimeProvider.System.GetElapsedTime(began);

        output.WriteLine(
            $"{flood.BytesSent / 1_000_000} MB in {took.TotalSeconds:0} s, {exchanged} messages exchanged, " +
            $"peak {peak / 1_000_000} MB resident; {string.Join(", ", flood.Outcomes)}");
        Assert.InRange(flood.BytesSent, Amount, long.MaxValue);

        // Each was waited for: none was lost.
        Assert.True(exchanged > 10, $"only {exchanged} messages got through");
        Assert.InRange(peak, 1, MaxResidentBytes);
        Assert.DoesNotContain(flood.Outcomes.Keys, IsBadAnswer);
        Assert.Contains(flood.Outcomes.Keys, outcome => outcome.StartsWith("closed ", StringComparison.Ordinal));
        Assert.Contains("400", flood.Outcomes.Keys);
        Assert.Contains("413", flood.Outcomes.Keys);
    }

    private static long Amount => Flood.BytesPerSecond * (long)Duration.TotalSeconds;

    private static TimeSpan Duration => TimeSpan.FromSeconds(
        int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_FLOOD_SECONDS") ?? "60", CultureInfo.InvariantCulture));

    private static async Task<(int Exchanged, long PeakBytes)> TalkAsync(World world, Device alice, Device bob, Task flooding)
    {
        var exchanged = 0;
        var peak = 0L;
        while (!flooding.IsCompleted)
        {
            await SayAsync(alice, bob, $"ping {exchanged}");
            await SayAsync(bob, alice, $"pong {exchanged}");
            exchanged += 2;
            peak = Math.Max(peak, world.Server.ResidentBytes);
        }

        return (exchanged, peak);
    }

    private static async Task SayAsync(Device from, Device to, string text)
    {
        // At once: the server may wait a moment for the acknowledgement before it says "accepted".
        var heard = to.NextTextAsync(Ct);
        await from.SendAsync(to.Owner, text, Ct);
        Assert.Equal(text, await heard);
    }

    // Every refusal is a problem document with a 4xx status or an end of the connection; nothing is accepted.
    private static bool IsBadAnswer(string outcome) =>
        char.IsAsciiDigit(outcome[0]) && (outcome.Length > 3 || outcome[0] is not '4');
}
