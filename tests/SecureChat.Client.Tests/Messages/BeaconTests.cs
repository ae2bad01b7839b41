using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Messages;

/// <summary>"I am back": whom it is told, and when.</summary>
public sealed class BeaconTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task Contacts_are_told_of_a_return_once_an_hour_and_nobody_else_is()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var carol = await world.PersonAsync();
        await carol.SendAsync(alice, "a stranger's hello");
        await alice.TextAsync("a stranger's hello");

        await AwayAsync(world, alice, TimeSpan.FromMinutes(20));
        var afterShort = await ToldAsync(alice, bob);
        await AwayAsync(world, alice, TimeSpan.FromMinutes(40));
        var afterLong = await ToldAsync(alice, bob);
        await AwayAsync(world, alice, TimeSpan.FromMinutes(40));
        var withinTheHour = await ToldAsync(alice, bob);
        await AwayAsync(world, alice, TimeSpan.FromMinutes(40));
        var later = await ToldAsync(alice, bob);

        Assert.Equal(0ul, afterShort);
        Assert.NotEqual(0ul, afterLong);
        Assert.Equal(afterLong, withinTheHour);
        Assert.True(later > withinTheHour);
        Assert.Equal(0ul, await ToldAsync(alice, carol));
    }

    [Fact]
    public async Task It_can_be_turned_off_for_one_contact()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.Client.SetBeaconAsync(bob.Account, sends: false, Ct);

        await AwayAsync(world, alice, TimeSpan.FromHours(3));
        var whileOff = await ToldAsync(alice, bob);
        await alice.Client.SetBeaconAsync(bob.Account, sends: true, Ct);
        await AwayAsync(world, alice, TimeSpan.FromHours(3));

        Assert.Equal(0ul, whileOff);
        Assert.NotEqual(0ul, await ToldAsync(alice, bob));
    }

    private static async Task AwayAsync(World world, Person person, TimeSpan time)
    {
        await person.Client.DisconnectAsync(Ct);
        await world.PassAsync(time);
        await person.Client.ConnectAsync(Ct);
        for (var i = 0; i < 4; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(15));
        }
    }

    /// <summary>When the server last took a beacon for somebody; 0: never.</summary>
    private static async Task<ulong> ToldAsync(Person person, Person contact) =>
        (await Contacts.GetAsync(new StoreTransaction(person.Options.Store), contact.Account, Ct)).LastBeacon;
}
