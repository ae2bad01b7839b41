using System.Text;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Messages;

public sealed class MessagesEndpointsTests
{
    [Fact]
    public async Task Messages_are_sent_waited_for_and_acknowledged_over_plain_http()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var from = node.As(alice);
        using var to = node.As(bob);
        var waiting = to.GetAsync("/v1/messages?wait=20", TestContext.Current.CancellationToken);

        Assert.Equal("204", await (await from.PostAsync("/v1/messages", Message("hello", bob))).OutcomeAsync());

        var received = Assert.Single((await (await waiting).ReadAsync<ReceivedMessages>()).Messages);
        Assert.Equal("hello", Encoding.UTF8.GetString(received.Content));
        Assert.Equal((alice.Address.Account, 1), (received.SenderAccount, received.SenderDevice));
        Assert.Equal("204", await (await to.PostAsync("/v1/messages/ack", new AckMessages([received.Position]))).OutcomeAsync());
        var rest = await to.GetAsync("/v1/messages", TestContext.Current.CancellationToken);
        Assert.Empty((await rest.ReadAsync<ReceivedMessages>()).Messages);
    }

    [Fact]
    public async Task A_wrong_device_set_is_told_apart_from_a_wrong_registration_id()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewAccountAsync(1, 2));
        using var from = node.As(alice);

        var missing = await from.PostAsync("/v1/messages", Message("x", bob[0]));
        Assert.Contains("\"missing\":[2]", await missing.TextAsync(), StringComparison.Ordinal);
        Assert.Equal("409 mismatched_devices", await missing.OutcomeAsync());

        var stale = await from.PostAsync("/v1/messages", Message("x", bob[0] with { RegistrationId = (bob[0].RegistrationId % 16383) + 1 }, bob[1]));
        Assert.Contains("\"stale\":[1]", await stale.TextAsync(), StringComparison.Ordinal);
        Assert.Equal("410 stale_devices", await stale.OutcomeAsync());
    }

    [Fact]
    public async Task Content_beyond_the_limit_is_refused()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var from = node.As(alice);

        Assert.Equal("413 too_large", await (await from.PostAsync("/v1/messages", Message(new byte[(96 * 1024) + 1], bob))).OutcomeAsync());
        Assert.Equal("204", await (await from.PostAsync("/v1/messages", Message(new byte[96 * 1024], bob))).OutcomeAsync());
    }

    [Theory]
    [InlineData("/v1/messages?wait=61", "400 malformed")]
    [InlineData("/v1/messages?wait=x", "400 malformed")]
    public async Task A_wait_out_of_range_is_refused(string path, string outcome)
    {
        await using var node = await LoopbackNode.StartAsync();
        using var http = node.As(await node.NewDeviceAsync());

        Assert.Equal(outcome, await (await http.GetAsync(path, TestContext.Current.CancellationToken)).OutcomeAsync());
    }

    private static SendMessage Message(string content, params ChatDevice[] to) => Message(Encoding.UTF8.GetBytes(content), to);

    private static SendMessage Message(byte[] content, params ChatDevice[] to) => new(
        Ids.New(),
        [new MessageRecipient(
            to[0].Address.Account,
            [.. to.Select(device => new DeviceMessage(device.Address.Device, device.RegistrationId, 2, content))])],
        1_700_000_000_000);
}
