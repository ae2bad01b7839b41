using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>One account on several devices.</summary>
public sealed class LinkedDevices(Worlds worlds, LibsignalPeer peer)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StorePair.Embedded)]
    [InlineData(StorePair.Shared)]
    public async Task With_two_devices_on_each_side_every_device_sees_every_message(StorePair stores)
    {
        await using var world = await worlds.StartAsync(stores, peer, Ct);
        var (alicePhone, bobPhone) = await world.FriendsAsync(Ct);
        await alicePhone.SendAsync(bobPhone.Owner, "before the laptops", Ct);
        await bobPhone.NextTextAsync(Ct);
        var aliceLaptop = await alicePhone.Owner.LinkAsync(Ct);
        var bobLaptop = await bobPhone.Owner.LinkAsync(Ct);

        await alicePhone.SendAsync(bobPhone.Owner, "from Alice's phone", Ct);
        await bobLaptop.SendAsync(alicePhone.Owner, "from Bob's laptop", Ct);

        Assert.Equal("from Alice's phone", await bobPhone.NextTextAsync(Ct));
        Assert.Equal("from Alice's phone", await bobLaptop.NextTextAsync(Ct));
        Assert.Equal("from Alice's phone", await aliceLaptop.NextTextAsync(Ct));
        Assert.Equal("from Bob's laptop", await alicePhone.NextTextAsync(Ct));
        Assert.Equal("from Bob's laptop", await aliceLaptop.NextTextAsync(Ct));
        Assert.Equal("from Bob's laptop", await bobPhone.NextTextAsync(Ct));
    }
}
