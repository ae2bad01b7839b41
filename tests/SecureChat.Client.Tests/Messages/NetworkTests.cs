using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>What <c>FaultyNetwork</c> lets an app's own tests do to requests, beside losing and repeating them.</summary>
public sealed class NetworkTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task Messages_that_are_held_up_and_overtaken_are_shown_once()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var laptop = await world.LinkedAsync(alice);
        var (isHeld, goesOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        world.Server.Network.Delay = async (request, ct) =>
        {
            if (request.RequestUri!.AbsolutePath is "/v1/messages" or "/v1/sealed/messages" && isHeld.TrySetResult())
            {
                await goesOn.Task.WaitAsync(ct);
            }
        };

        var first = alice.SendAsync(bob, "written first");
        await isHeld.Task.WaitAsync(Ct);
        await laptop.SendAsync(bob, "written second");
        await bob.TextAsync("written second");
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "written first");

        goesOn.SetResult();
        await first;
        await bob.TextAsync("written first");
        Assert.Equal(
            ["written first", "written second"],
            bob.Events<MessageReceived>().Select(told => told.Message.Text!).Where(text => text.StartsWith("written", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }
}
