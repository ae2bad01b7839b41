using System.Net.Http.Json;
using System.Text.Json;
using SecureChat.Client.Messages;
using SecureChat.Client.Testing;
using SecureChat.Client.Tests.Support;

namespace SecureChat.Client.Tests.Keys;

/// <summary>Prekeys and sessions renew themselves.</summary>
public sealed class KeyUpkeepTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task Signed_prekeys_are_replaced_every_week_and_who_fetched_the_old_ones_still_gets_through()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = (await world.PersonAsync(), await world.PersonAsync());
        var first = await FetchAsync(world, bob);
        world.Clock.AdjustTime(world.Clock.Start + TimeSpan.FromDays(6.8));
        await world.PassAsync(TimeSpan.FromHours(2));
        Assert.Equal(SignedOf(first), SignedOf(await FetchAsync(world, bob)));

        world.Server.Network.OnRequest = request => request.RequestUri!.AbsolutePath == "/v1/messages" ? Fault.Lost : Fault.None;
        await alice.SendAsync(bob, "under the keys of last week");
        await world.UntilAsync(async () => SignedOf(await FetchAsync(world, bob)) != SignedOf(first), TimeSpan.FromMinutes(30));
        Assert.InRange(world.Clock.GetUtcNow() - world.Clock.Start, TimeSpan.FromDays(7), TimeSpan.FromDays(7.1));

        world.Server.Network.OnRequest = _ => Fault.None;
        await world.UntilAsync(() => Task.FromResult(bob.Events<MessageReceived>().Any()), TimeSpan.FromMinutes(1));
        Assert.Equal(["under the keys of last week"], await bob.TextsAsync(alice));
    }

    [Fact]
    public async Task One_time_keys_are_refilled_within_the_hour_and_not_when_the_device_comes_on()
    {
        await using var world = await World.StartAsync();
        var bob = await world.PersonAsync();
        await bob.Client.DisconnectAsync(Ct);
        await DrainAsync(world, bob);

        await bob.Client.ConnectAsync(Ct);
        await world.PassAsync(TimeSpan.Zero);
        Assert.False(HasOneTimeKey(await FetchAsync(world, bob)));
        await world.UntilAsync(async () => HasOneTimeKey(await FetchAsync(world, bob)), TimeSpan.FromMinutes(2));
        Assert.InRange(world.Clock.GetUtcNow() - world.Clock.Start, TimeSpan.Zero, TimeSpan.FromMinutes(65));
    }

    [Fact]
    public async Task A_device_that_is_never_on_for_long_refills_them_at_its_next_visit()
    {
        await using var world = await World.StartAsync();
        var bob = await world.PersonAsync();
        await bob.Client.DisconnectAsync(Ct);
        await DrainAsync(world, bob);
        for (var visit = 0; visit < 2; visit++)
        {
            Assert.False(HasOneTimeKey(await FetchAsync(world, bob)));
            await bob.RestartAsync();
            await bob.Client.ConnectAsync(Ct);
            await bob.Client.FlushAsync(Ct);
            await bob.Client.DisconnectAsync(Ct);
            await world.PassAsync(TimeSpan.FromHours(2));
        }

        Assert.True(HasOneTimeKey(await FetchAsync(world, bob)));
    }

    [Theory]
    [InlineData(29, false)]
    [InlineData(31, true)]
    public async Task After_thirty_days_without_a_word_the_next_one_starts_another_session(int days, bool startsAnother)
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        foreach (var (person, other) in new[] { (alice, bob), (bob, alice) })
        {
            await person.Client.SetBeaconAsync(other.Account, false, Ct);
            await person.Client.DisconnectAsync(Ct);
        }

        world.Clock.AdjustTime(world.Clock.GetUtcNow() + TimeSpan.FromDays(days));
        var fetched = false;
        world.Server.Network.OnRequest = request =>
        {
            fetched |= request.RequestUri!.AbsolutePath == "/v1/keys/fetch";
            return Fault.None;
        };
        await bob.Client.ConnectAsync(Ct);
        await alice.Client.ConnectAsync(Ct);
        await alice.SendAsync(bob, "it has been long");
        await bob.TextAsync("it has been long");
        await bob.SendAsync(alice, "indeed");
        await alice.TextAsync("indeed");

        Assert.Equal(startsAnother, fetched);
    }

    private static async Task DrainAsync(World world, Person of)
    {
        for (var i = 0; i < 10; i++)
        {
            Assert.True(HasOneTimeKey(await FetchAsync(world, of)));
        }

        Assert.False(HasOneTimeKey(await FetchAsync(world, of)));
    }

    /// <summary>What somebody gets who wants to write to a device.</summary>
    private static async Task<JsonElement> FetchAsync(World world, Person of)
    {
        using var http = new HttpClient(world.Server.Network.CreateHandler(anonymous: true)) { BaseAddress = world.Server.Address.Api };
        using var answer = await http.PostAsJsonAsync("/v1/keys/fetch", new { account = of.Account, device = 1 }, Ct);
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Ct)).GetProperty("devices")[0];
    }

    private static int SignedOf(JsonElement keys) => keys.GetProperty("signedPreKey").GetProperty("keyId").GetInt32();

    private static bool HasOneTimeKey(JsonElement keys) => keys.TryGetProperty("oneTimeKey", out var key) && key.ValueKind == JsonValueKind.Object;
}
