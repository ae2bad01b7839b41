using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using ProvisioningMessage = SecureChat.Protocol.Accounts.ProvisioningMessage;

namespace SecureChat.Server.Tests.Accounts;

public sealed class DeviceTests
{
    [Theory, EveryStore]
    public async Task A_link_code_adds_exactly_one_device_and_the_others_are_told(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var code = await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ => await (await node.Http.PostAsync(
            "/v1/devices/link", new LinkDevice(code.Code, ada.Person.NewDevice()))).OutcomeAsync()));

        Assert.Equal(1, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(49, outcomes.Count(outcome => outcome is "403 wrong_code"));
        Assert.Equal([1, 2], (await ListAsync(ada)).Devices.Select(device => device.Device));
        Assert.Equal(2u, Assert.Single(await EventsAsync(node, ada)).DeviceAdded.Device);
    }

    [Theory, EveryStore]
    public async Task Every_device_there_is_hears_of_a_new_one_and_the_new_one_does_not(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);

        using var laptop = await ada.LinkAsync(node);

        Assert.Equal([2u, 3u], (await EventsAsync(node, ada)).Select(told => told.DeviceAdded.Device));
        Assert.Equal([3u], (await EventsAsync(node, tablet)).Select(told => told.DeviceAdded.Device));
        Assert.Empty(await EventsAsync(node, laptop));
    }

    [Fact]
    public async Task A_link_code_dies_after_ten_minutes_and_when_its_maker_registers_again()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var slow = await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();
        node.Clock.Advance(TimeSpan.FromSeconds(601));
        Assert.Equal("403 wrong_code", await LinkAsync(node, slow, ada.Person));

        var session = await ada.Person.SignUpAsync(node, "ada@example.org");
        using var fresh = node.As(session.AccessToken);
        var code = await (await fresh.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();
        node.Clock.Advance(TimeSpan.FromMinutes(5));
        await ada.Person.SignUpAsync(node, "ada@example.org");

        Assert.Equal("403 wrong_code", await LinkAsync(node, code, ada.Person));
    }

    [Fact]
    public async Task A_linked_device_must_have_keys_signed_by_the_account()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var code = await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>();

        Assert.Equal("422 bad_signature", await LinkAsync(node, code, new Person()));
        Assert.Equal("200", await LinkAsync(node, code, ada.Person));
    }

    [Theory, EveryStore]
    public async Task An_account_has_at_most_six_devices_even_when_they_are_linked_at_once(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var codes = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
            await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).ReadAsync<LinkCode>()));

        var outcomes = await Task.WhenAll(codes.Select(code => LinkAsync(node, code, ada.Person)));

        Assert.Equal(5, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(5, outcomes.Count(outcome => outcome is "409 too_many_devices"));
        Assert.Equal("409 too_many_devices", await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).OutcomeAsync());
        Assert.Equal([1, 2, 3, 4, 5, 6], (await ListAsync(ada)).Devices.Select(device => device.Device));
    }

    [Theory, EveryStore]
    public async Task The_signed_list_is_kept_for_whoever_asks_for_keys(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        var list = RandomNumberGenerator.GetBytes(256);

        var outcomes = new List<string>();
        foreach (var (client, body) in new[] { (ada.Http, list), (ada.Http, []), (ada.Http, [.. list, 0]), (tablet.Http, list[..100]) })
        {
            outcomes.Add(await (await client.SendAsync(HttpMethod.Put, "/v1/devices/list", new PublishDeviceList(body))).OutcomeAsync());
        }

        var fetched = await KeysAsync(node, ada);
        var listed = await ListAsync(tablet);

        Assert.Equal(["204", "400 malformed", "400 malformed", "403 forbidden"], outcomes);
        Assert.Equal(list, fetched.DeviceList);
        Assert.Equal(list, listed.List);
    }

    [Fact]
    public async Task A_signed_list_ends_with_the_identity_that_signed_it()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        await ada.Http.SendAsync(HttpMethod.Put, "/v1/devices/list", new PublishDeviceList([1]));
        var before = await KeysAsync(node, ada);

        node.Clock.Advance(TimeSpan.FromMinutes(1));
        await ada.Person.SignUpAsync(node, "ada@example.org");

        Assert.Equal([1], before.DeviceList);
        Assert.Null((await KeysAsync(node, ada)).DeviceList);
    }

    [Theory, EveryStore]
    public async Task The_primary_removes_any_device_and_a_linked_one_only_itself(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        using var laptop = await ada.LinkAsync(node);

        Assert.Equal("403 forbidden", await RemoveAsync(tablet, 3));
        Assert.Equal("403 forbidden", await RemoveAsync(tablet, 1));
        Assert.Equal("403 forbidden", await RemoveAsync(ada, 1));
        Assert.Equal("403 forbidden", await (await tablet.Http.PostAsync("/v1/devices/link-code", new { })).OutcomeAsync());
        Assert.Equal("204", await RemoveAsync(tablet, 2));
        Assert.Equal("204", await RemoveAsync(ada, 3));
        Assert.Equal("404 not_found", await RemoveAsync(ada, 3));

        Assert.False(await tablet.IsSignedInAsync());
        Assert.False(await laptop.IsSignedInAsync());
        Assert.True(await ada.IsSignedInAsync());
    }

    [Theory, EveryStore]
    public async Task A_device_is_named_by_itself_or_the_primary(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);

        Assert.Equal("204", await RenameAsync(ada, 2, [1, 2, 3]));
        Assert.Equal("204", await RenameAsync(tablet, 2, [4, 5]));
        Assert.Equal("403 forbidden", await RenameAsync(tablet, 1, [6]));
        Assert.Equal("404 not_found", await RenameAsync(ada, 9, [6]));
        Assert.Equal("400 malformed", await RenameAsync(ada, 1, new byte[226]));

        Assert.Equal([4, 5], (await ListAsync(ada)).Devices[1].Name!);
    }

    [Fact]
    public async Task Linked_devices_that_stay_away_too_long_are_removed()
    {
        await using var node = await Node.StartAsync(("Accounts:LinkedDeviceIdleDays", "4"));
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        using var laptop = await ada.LinkAsync(node);
        node.SkipDays(3);
        await node.Http.PostAsync("/v1/auth/refresh", new Refresh(laptop.Session.RefreshToken));
        node.SkipDays(2);

        await node.Get<DeviceStore>().ReapAsync(TestContext.Current.CancellationToken);

        var left = await node.Get<DeviceStore>().ListAsync(ada.Account, TestContext.Current.CancellationToken);
        Assert.Equal([1, 3], left.Devices.Select(device => device.Device));
    }

    [Fact]
    public async Task A_provisioning_address_takes_one_message_for_90_seconds()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var addresses = node.Get<ProvisioningAddresses>();
        await using var waiting = await addresses.OpenAsync(TestContext.Current.CancellationToken);
        await using var late = await addresses.OpenAsync(TestContext.Current.CancellationToken);
        var message = RandomNumberGenerator.GetBytes(1000);

        var received = waiting.ReceiveAsync(TestContext.Current.CancellationToken);
        Assert.Equal("204", await ProvisionAsync(ada, waiting.Address, message));
        Assert.Equal(message, await received);
        Assert.Equal("404 not_found", await ProvisionAsync(ada, waiting.Address, message));
        Assert.Equal("404 not_found", await ProvisionAsync(ada, RandomNumberGenerator.GetBytes(16), message));
        Assert.Equal("400 malformed", await ProvisionAsync(ada, [1], message));
        Assert.Equal("413 too_large", await ProvisionAsync(ada, late.Address, new byte[(64 * 1024) + 1]));
        node.Clock.Advance(TimeSpan.FromSeconds(91));
        Assert.Equal("404 not_found", await ProvisionAsync(ada, late.Address, message));
        Assert.Null(await late.ReceiveAsync(TestContext.Current.CancellationToken));
    }

    internal static async Task<List<Event>> EventsAsync(Node node, Member member)
    {
        var waiting = await node.Get<IMessageQueue>().ReadAsync(
            new(member.Account, member.Session.Device), 0, 100, TestContext.Current.CancellationToken);
        return [.. waiting.Select(mail => Envelope.Parser.ParseFrom(mail.Envelope.Span))
            .Where(envelope => envelope.Type is ContentType.Event)
            .Select(envelope => Event.Parser.ParseFrom(envelope.Content))];
    }

    internal static async Task<DeviceList> ListAsync(Member member) =>
        await (await member.Http.GetAsync(new Uri("/v1/devices", UriKind.Relative), TestContext.Current.CancellationToken))
            .ReadAsync<DeviceList>();

    private static async Task<string> LinkAsync(Node node, LinkCode code, Person person) =>
        await (await node.Http.PostAsync("/v1/devices/link", new LinkDevice(code.Code, person.NewDevice()))).OutcomeAsync();

    private static async Task<string> RemoveAsync(Member member, int device) => await (await member.Http.DeleteAsync(
        new Uri($"/v1/devices/{device}", UriKind.Relative), TestContext.Current.CancellationToken)).OutcomeAsync();

    private static async Task<string> RenameAsync(Member member, int device, byte[] name) => await (await member.Http.SendAsync(
        HttpMethod.Put, $"/v1/devices/{device}/name", new RenameDevice(name))).OutcomeAsync();

    private static async Task<string> ProvisionAsync(Member member, byte[] address, byte[] message) => await (await member.Http
        .SendAsync(HttpMethod.Put, "/v1/provisioning", new ProvisioningMessage(address, message))).OutcomeAsync();

    private static async Task<KeyBundles> KeysAsync(Node node, Member of) =>
        await (await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(of.Account))).ReadAsync<KeyBundles>();
}
