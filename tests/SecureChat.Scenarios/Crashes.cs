using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Accepted means kept: through <c>kill -9</c> of the server and of Redis, under load.</summary>
public sealed class Crashes(Worlds worlds, LibsignalPeer peer, ITestOutputHelper output)
{
    private const int Enough = 5000;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task Killing_the_server_under_load_loses_no_accepted_message(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (load, senders, awake, asleep) = await CrowdAsync(world);
        var receiving = awake.Select(load.ReceiveAsync).ToList();
        var sending = load.SendAsync(Ct);

        await load.UntilAcceptedAsync(Enough, sending, Ct);
        await world.Server.KillAsync(Ct);
        await Task.WhenAll([sending, .. receiving]);
        await world.Server.StartAgainAsync(Ct);
        await Task.WhenAll(senders.Select(sender => sender.ConnectAsync(Ct)));
        await load.RepeatAsync(asleep, 100, Ct);

        await AssertNothingIsLostAsync(load, awake, asleep);
    }

    [Fact]
    public async Task Killing_Redis_under_load_loses_no_accepted_message()
    {
        await using var world = await worlds.StartAsync(StorePair.Shared, peer, Ct);
        var (load, _, awake, asleep) = await CrowdAsync(world);
        var receiving = awake.Select(load.ReceiveAsync).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var sending = load.SendAsync(stop.Token);

        await load.UntilAcceptedAsync(Enough / 2, sending, Ct);
        await world.Redis.CrashAsync(Ct);
        await load.UntilAcceptedAsync(Enough, sending, Ct);
        await stop.CancelAsync();
        await sending;
        output.WriteLine($"{load.Setbacks} sends were repeated");
        await Task.WhenAll(awake.Select(device => device.DisconnectAsync()));
        await Task.WhenAll(receiving);

        await AssertNothingIsLostAsync(load, awake, asleep);
    }

    private async Task AssertNothingIsLostAsync(Load load, IReadOnlyList<Device> awake, IReadOnlyList<Device> asleep)
    {
        var before = awake.ToDictionary(device => device, device => load.ArrivedAt(device).Count);
        foreach (var device in awake.Concat(asleep))
        {
            await load.DrainAsync(device, Ct);
        }

        var lost = load.Accepted.Count(message => !load.ArrivedAt(message.Value.To).Contains(message.Key));
        output.WriteLine($"{load.Accepted.Count} accepted, {lost} lost");
        Assert.Equal(0, lost);
        foreach (var device in asleep)
        {
            Assert.Distinct(load.ArrivedAt(device));
        }

        // An acknowledgement that died with the server leaves its message in the queue: it comes once more, at most. How many these are is
        // the device's own haste; what the server said is deleted must not be among them.
        foreach (var device in awake)
        {
            var again = load.ArrivedAt(device).Take(before[device]).Intersect(load.ArrivedAt(device).Skip(before[device])).ToList();
            var confirmed = load.ConfirmedBy(device);
            output.WriteLine($"{again.Count} of {before[device]} came once more; {confirmed.Count} had been confirmed");
            Assert.NotEmpty(confirmed);
            Assert.Empty(again.Intersect(confirmed));
            Assert.Distinct(load.ArrivedAt(device).Take(before[device]));
            Assert.Distinct(load.ArrivedAt(device).Skip(before[device]));
        }
    }

    private static async Task<(Load Load, List<Device> Senders, List<Device> Awake, List<Device> Asleep)> CrowdAsync(World world)
    {
        var senders = await PeopleAsync(world, "sender", 4);
        var awake = await PeopleAsync(world, "awake", 8);
        var asleep = await PeopleAsync(world, "asleep", 8);
        foreach (var device in asleep)
        {
            await device.DisconnectAsync();
        }

        return (new Load(senders, [.. awake, .. asleep]), senders, awake, asleep);
    }

    private static async Task<List<Device>> PeopleAsync(World world, string name, int count)
    {
        var devices = new List<Device>();
        for (var i = 0; i < count; i++)
        {
            devices.Add((await world.PersonAsync($"{name}{i}", Ct)).Primary);
        }

        return devices;
    }
}
