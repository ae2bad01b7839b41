using Microsoft.Data.Sqlite;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Tests.Accounts;

/// <summary>A server that names devices which are not the account's: its operator changes its tables under it.</summary>
public sealed class DeviceListTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task K3_a_device_that_the_server_adds_gets_nothing_and_both_sides_are_told()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();

        await AddGhostAsync(world, bob);
        await alice.SendAsync(bob, "not for the third one");
        var told = await alice.EventAsync<DeviceListInvalid>();
        await bob.Client.ConnectAsync(Ct);
        var toldToBob = await bob.EventAsync<DeviceListInvalid>();

        Assert.Equal(new DeviceListInvalid(bob.Account, DeviceListFault.Unlisted), told);
        Assert.Equal(new DeviceListInvalid(bob.Account, DeviceListFault.Unlisted), toldToBob);
        Assert.Equal([true, false], (await bob.Client.DevicesAsync(Ct)).Select(device => device.IsListed));
        Assert.DoesNotContain($"{bob.Account:D}.2", await SessionsAsync(alice));

        // The person removes it, and what waited goes on its way.
        await bob.Client.RemoveDeviceAsync(2, Ct);
        await bob.TextAsync("not for the third one");
        Assert.Single(alice.Events<DeviceListInvalid>());
    }

    [Fact]
    public async Task K3_a_removed_device_does_not_come_back_with_the_list_of_before()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await world.LinkedAsync(bob);
        await alice.SendAsync(bob, "to both");
        await bob.TextAsync("to both");
        var before = await PublishedAsync(world, bob);

        OnlyPretendToRemove(world);
        await bob.Client.RemoveDeviceAsync(2, Ct);
        await bob.SendAsync(alice, "I have one device now");
        await alice.TextAsync("I have one device now");
        await PublishAsync(world, bob, before);
        await alice.SendAsync(bob, "to the phone alone");
        var told = await alice.EventAsync<DeviceListInvalid>();

        Assert.Equal(DeviceListFault.RolledBack, told.Fault);
        Assert.DoesNotContain("to the phone alone", await bob.TextsAsync(alice));
    }

    [Fact]
    public async Task K3_two_lists_of_one_number_and_none_at_all_are_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await world.LinkedAsync(bob);
        await alice.SendAsync(bob, "to both");
        await bob.TextAsync("to both");
        var genuine = await PublishedAsync(world, bob);
        var self = (await new StoreTransaction(bob.Options.Store).ReadAsync(Tables.Self, Tables.Only, Ct))!;
        using var identity = IdentityKeyPair.Parse(self.IdentityKeyPair.Span);
        var list = SignedDeviceList.TryRead(genuine, bob.Account, identity.PublicKey)!;
        var faults = new List<DeviceListFault>();

        foreach (var served in new[]
        {
            (list with { Devices = [.. list.Devices, new ListedDevice(3, 77)] }).Sign(bob.Account, identity.PrivateKey),
            null,
            [.. genuine[..^1], (byte)(genuine[^1] ^ 1)],
            (list with { Counter = 99 }).Sign(alice.Account, identity.PrivateKey),
        })
        {
            await PublishAsync(world, bob, served);
            await ForgetSessionAsync(alice, bob, device: 2);
            await alice.SendAsync(bob, "this one waits");
            await world.UntilAsync(() => Task.FromResult(alice.Events<DeviceListInvalid>().Count() > faults.Count), TimeSpan.FromMinutes(1));
            faults.Add(alice.Events<DeviceListInvalid>().Last().Fault);
            await PublishAsync(world, bob, genuine);
            await world.UntilAsync(
                async () => (await alice.Client.MessagesAsync(bob.Account, Ct))[^1].Progress == Progress.Delivered, TimeSpan.FromMinutes(1));
        }

        Assert.Equal(
            [DeviceListFault.Forked, DeviceListFault.RolledBack, DeviceListFault.BadSignature, DeviceListFault.BadSignature], faults);
    }

    [Fact]
    public async Task K3_what_a_removed_device_sends_is_not_shown()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var stolen = await world.LinkedAsync(bob);
        await stolen.SendAsync(alice, "from the tablet");
        await alice.TextAsync("from the tablet");

        // The server lets the device go on, and the device has the identity key.
        OnlyPretendToRemove(world);
        await bob.Client.RemoveDeviceAsync(2, Ct);
        await bob.SendAsync(alice, "my tablet was stolen");
        await alice.TextAsync("my tablet was stolen");
        await stolen.SendAsync(alice, "send me money");
        var told = await alice.EventAsync<DeviceListInvalid>();
        await stolen.Client.DisconnectAsync(Ct);
        await stolen.Client.ConnectAsync(Ct);

        Assert.Equal(DeviceListFault.Unlisted, told.Fault);
        Assert.Equal(["hello", "hello you", "from the tablet", "my tablet was stolen"], await alice.TextsAsync(bob));
    }

    [Fact]
    public async Task K7_who_photographs_the_code_shows_another_number_and_gets_no_second_try()
    {
        await using var world = await World.StartAsync();
        var (alice, mallory) = (await world.PersonAsync(), await world.PersonAsync());
        await using var link = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);

        var theirs = await mallory.Client.ReviewLinkAsync(link.Code, Ct);
        var shown = await link.NumberAsync(Ct);
        var refused = await Assert.ThrowsAsync<LinkFailedException>(() => alice.Client.ReviewLinkAsync(link.Code, Ct));
        Assert.True(LinkOffer.TryParse(link.Code, out var offer));
        await using var again = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);
        var own = await alice.Client.ReviewLinkAsync(again.Code, Ct);

        Assert.Equal(theirs.Number, shown);
        Assert.Contains("somebody else has answered", refused.Message, StringComparison.Ordinal);
        Assert.NotEqual(offer.NumberFor(new byte[LinkOffer.NonceSize]), offer.NumberFor([.. new byte[LinkOffer.NonceSize - 1], 1]));
        Assert.Equal(own.Number, await again.NumberAsync(Ct));
    }

    [Fact]
    public async Task K7_who_knows_both_addresses_cannot_put_itself_in_the_place_of_the_one_who_was_compared()
    {
        await using var world = await World.StartAsync();
        var (alice, mallory) = (await world.PersonAsync(), await world.PersonAsync());
        await using var link = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);
        Assert.True(LinkOffer.TryParse(link.Code, out var offer));
        await using var elsewhere = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);
        Assert.True(LinkOffer.TryParse(elsewhere.Code, out var another));

        var request = await alice.Client.ReviewLinkAsync(link.Code, Ct);
        Assert.Equal(request.Number, await link.NumberAsync(Ct));
        var theirs = await mallory.Client.ReviewLinkAsync((offer with { First = another.First }).ToString(), Ct);
        await theirs.ApproveAsync(Ct);

        await Assert.ThrowsAsync<LinkFailedException>(() => link.CompleteAsync(Ct));
        await Assert.ThrowsAsync<LinkFailedException>(() => request.ApproveAsync(Ct));
    }

    [Fact]
    public async Task K7_nothing_secret_leaves_before_the_person_agrees_and_every_device_is_told()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var tablet = await world.LinkedAsync(alice);
        var posted = world.Asked(_ => true, request => request.RequestUri!.AbsolutePath);
        await using var link = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);

        var request = await alice.Client.ReviewLinkAsync(link.Code, Ct);
        var before = posted.Count(path => path is "/v1/devices/link-code" or "/v1/provisioning");
        await link.NumberAsync(Ct);
        await request.ApproveAsync(Ct);
        await using var laptop = await link.CompleteAsync(Ct);
        await laptop.ConnectAsync(Ct);

        Assert.Equal(1, before);
        Assert.Equal(3, (await alice.EventAsync<DeviceLinked>(told => told.Device == 3)).Device);
        Assert.Equal(3, (await tablet.EventAsync<DeviceLinked>(told => told.Device == 3)).Device);
        Assert.Empty(await laptop.MessagesAsync(bob.Account, Ct));
        Assert.Equal([(1, true), (2, true), (3, true)], (await laptop.DevicesAsync(Ct)).Select(device => (device.Id, device.IsListed)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("securechat-link:")]
    [InlineData("https://example.org/")]
    [InlineData("securechat-link:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task What_is_no_code_is_said_to_be_none(string code)
    {
        await using var world = await World.StartAsync();
        var alice = await world.PersonAsync();

        await Assert.ThrowsAsync<FormatException>(() => alice.Client.ReviewLinkAsync(code, Ct));
    }

    [Fact]
    public async Task A_code_that_nobody_answers_ends_after_ninety_seconds()
    {
        await using var world = await World.StartAsync();
        await using var link = await DeviceLink.BeginAsync(world.Server.OptionsFor(new MemoryStore()), Ct);

        var number = link.NumberAsync(Ct);
        await world.PassAsync(TimeSpan.FromSeconds(91));

        await Assert.ThrowsAsync<LinkFailedException>(() => number);
    }

    /// <summary>A second device in the server's tables, with copies of the first one's keys: their signatures hold.</summary>
    private static async Task AddGhostAsync(World world, Person of)
    {
        await RunAsync(world, of, """
            INSERT INTO devices (account, device, epoch, registration_id, name, capabilities, created_day, last_seen_day)
            SELECT account, 2, 4711, registration_id, name, capabilities, created_day, last_seen_day FROM devices WHERE account = $account
            """);
        await RunAsync(world, of, """
            INSERT INTO device_keys SELECT account, 2, signed_id, signed_key, signed_signature, signed_at,
                last_resort_id, last_resort_key, last_resort_signature, last_resort_at FROM device_keys WHERE account = $account
            """);

        // The server's memory of who has which devices.
        await world.PassAsync(TimeSpan.FromSeconds(20));
    }

    private static void OnlyPretendToRemove(World world) => world.Server.Network.Forge = request =>
        request.Method == HttpMethod.Delete ? new HttpResponseMessage(System.Net.HttpStatusCode.NoContent) : null;

    private static async Task<byte[]> PublishedAsync(World world, Person of) =>
        (byte[])(await RunAsync(world, of, "SELECT device_list FROM accounts WHERE account = $account"))!;

    private static async Task PublishAsync(World world, Person of, byte[]? list) =>
        await RunAsync(world, of, "UPDATE accounts SET device_list = $list WHERE account = $account", list);

    private static async Task<object?> RunAsync(World world, Person of, string sql, byte[]? list = null)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Server.DataFolder, "directory.db")};Pooling=False");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Parameters.AddWithValue("$account", of.Account.ToByteArray(bigEndian: true));
        command.Parameters.AddWithValue("$list", (object?)list ?? DBNull.Value);
        return await command.ExecuteScalarAsync(Ct);
    }

    private static async Task<IEnumerable<string>> SessionsAsync(Person of) =>
        (await of.Options.Store.ListAsync(Tables.Sessions, 0, 100, Ct)).Select(row => row.Key);

    private static async Task ForgetSessionAsync(Person of, Person with, int device)
    {
        // Not while it is at work: a session that is being written would be back.
        await of.Client.DisconnectAsync(Ct);
        await of.Options.Store.CommitAsync([new RowChange(Tables.Sessions, $"{with.Account:D}.{device}", null)], Ct);
        await of.Client.ConnectAsync(Ct);
    }
}
