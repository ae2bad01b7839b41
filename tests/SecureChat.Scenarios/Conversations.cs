using System.Security.Cryptography;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Official Signal clients sign up, publish keys and talk through the running server.</summary>
public sealed class Conversations(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Two_people_who_just_signed_up_talk_both_ways(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);

        await alice.SendAsync(bob.Owner, "hello", Ct);
        var heard = await bob.NextTextAsync(Ct);
        await bob.SendAsync(alice.Owner, "hello yourself", Ct);
        var answered = await alice.NextTextAsync(Ct);

        Assert.Equal(("hello", "hello yourself"), (heard, answered));
    }

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Messages_wait_for_a_sleeping_phone_in_order_and_leave_the_server_once_acknowledged(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        await bob.DisconnectAsync();
        string[] sent = ["one", "two", "three", "four", "five"];

        foreach (var text in sent)
        {
            await alice.SendAsync(bob.Owner, text, Ct);
        }

        await bob.ConnectAsync(Ct);
        var heard = new List<string>();
        while (heard.Count < sent.Length)
        {
            heard.Add(await bob.NextTextAsync(Ct));
        }

        await bob.Socket.QueueEmpty.WaitAsync(Ct);
        await bob.Socket.ConfirmAcksAsync(Ct);
        await bob.DisconnectAsync();
        await bob.ConnectAsync(Ct);
        await bob.Socket.QueueEmpty.WaitAsync(Ct);

        Assert.Equal(sent, heard);
        Assert.False(bob.Socket.Delivered.TryRead(out _), "an acknowledged message came again");
        Assert.Equal(1, bob.Socket.QueueEmptyCount);
    }

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task A_new_phone_takes_the_account_over_and_old_sessions_are_replaced(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, oldPhone) = await world.FriendsAsync(Ct);
        var bob = oldPhone.Owner;
        var account = bob.Account;
        await alice.SendAsync(bob, "to the old phone", Ct);
        await oldPhone.NextTextAsync(Ct);

        await bob.RegisterAsync(Ct);
        await alice.SendAsync(bob, "to the new phone", Ct);
        var heard = await bob.Primary.NextTextAsync(Ct);
        await bob.Primary.SendAsync(alice.Owner, "it is me", Ct);
        var answered = await alice.NextTextAsync(Ct);

        Assert.Equal(account, bob.Account);
        Assert.NotEqual(oldPhone.Party.IdentityKey, bob.Primary.Party.IdentityKey);
        Assert.Equal(("to the new phone", "it is me"), (heard, answered));
    }

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task A_thousand_messages_survive_a_connection_that_keeps_breaking(StorePair stores)
    {
        const int count = 1000;
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alice, bob) = await world.FriendsAsync(Ct);
        var heard = new List<string>();
        var breaks = 0;

        var sending = SendManyAsync(alice, bob.Owner, count);
        while (heard.Count < count)
        {
            breaks += await HearUntilTheLineBreaksAsync(bob, heard, count);
        }

        await sending;
        await bob.Socket.QueueEmpty.WaitAsync(Ct);

        Assert.Equal(Enumerable.Range(0, count).Select(i => $"message {i}"), heard);
        Assert.InRange(breaks, 10, count);
    }

    private static async Task SendManyAsync(Device from, Person to, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await from.SendAsync(to, $"message {i}", Ct);
        }
    }

    /// <summary>Reads a random number of messages, then loses the connection, sometimes between reading and acknowledging.</summary>
    private static async Task<int> HearUntilTheLineBreaksAsync(Device device, List<string> heard, int count)
    {
        var patience = RandomNumberGenerator.GetInt32(1, 60);
        while (heard.Count < count && patience-- > 0)
        {
            var delivered = await device.Socket.Delivered.ReadAsync(Ct);
            if (patience is 0 && await device.DecryptAsync(delivered.Envelope, Ct) is { } unacknowledged)
            {
                heard.Add(unacknowledged);
            }
            else if (patience > 0 && await device.TakeInAsync(delivered, Ct) is { } text)
            {
                heard.Add(text);
            }
        }

        await device.DisconnectAsync();
        await device.ConnectAsync(Ct);
        return 1;
    }
}
