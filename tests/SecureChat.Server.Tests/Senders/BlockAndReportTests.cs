using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using StackExchange.Redis;

namespace SecureChat.Server.Tests.Senders;

/// <summary>What a recipient can do about an unwelcome sender.</summary>
public sealed class BlockAndReportTests
{
    private static readonly string[] SharedSecrets = ["TokenKey", "IdentifierKey", "OtpKey", "PushKey"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_blocked_sender_is_answered_as_if_the_account_were_not_there()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, other) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        var nobody = bob with { Address = new(Ids.New(), 1) };
        using var sender = node.As(alice);
        using var friend = node.As(other);
        using var own = node.As(bob);
        Assert.Equal("204", await (await sender.PostAsync("/v1/messages", To(bob))).OutcomeAsync());

        await BlockAsync(own, alice, true);
        var blocked = await sender.PostAsync("/v1/messages", To(bob));
        var unknown = await sender.PostAsync("/v1/messages", To(nobody));

        Assert.Equal("404 not_found", await blocked.OutcomeAsync());
        Assert.Equal(await unknown.TextAsync(), await blocked.TextAsync());
        Assert.Equal("204", await (await friend.PostAsync("/v1/messages", To(bob))).OutcomeAsync());
        await BlockAsync(own, alice, false);
        Assert.Equal("204", await (await sender.PostAsync("/v1/messages", To(bob))).OutcomeAsync());
    }

    [Fact]
    public async Task A_blocked_sender_is_refused_on_the_socket_too()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var own = node.As(bob);
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, alice);

        await BlockAsync(own, alice, true);
        await socket.SendMessageAsync(ChatSocket.Message("hello?", bob));

        Assert.Equal("not_found", (await socket.NextAsync()).Problem.Code);
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Fact]
    public async Task The_directory_names_no_blocked_account_and_no_right()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var own = node.As(bob);
        var right = "sixteen letters!"u8.ToArray();
        await BlockAsync(own, alice, true);
        await own.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(right));
        await own.PostAsync("/v1/senders/tokens", new DeliveryTokens(Add: [right]));

        var row = Assert.Single(await node.Get<Database>().QueryAsync<dynamic>($"SELECT * FROM send_policies", Ct));

        var bytes = ((IDictionary<string, object?>)row).Values.OfType<byte[]>().SelectMany(value => value).ToArray();
        Assert.True(bytes.Length >= 16 + 16 + 16 + 16);
        Assert.Equal(-1, bytes.AsSpan().IndexOf(right));
        Assert.Equal(-1, bytes.AsSpan().IndexOf(alice.Address.Account.ToByteArray(bigEndian: true)));
    }

    [Fact]
    public async Task A_thousand_may_be_blocked_and_one_more_is_refused()
    {
        await using var node = await LoopbackNode.StartAsync();
        using var own = node.As(await node.NewDeviceAsync());
        for (var i = 0; i < SendPolicies.MaxEntries; i++)
        {
            Assert.True((await own.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(Ids.New(), true))).IsSuccessStatusCode);
        }

        var oneMore = await own.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(Ids.New(), true));

        Assert.Equal("413 too_large", await oneMore.OutcomeAsync());
    }

    [Fact]
    public async Task A_report_counts_for_a_message_that_was_really_relayed_to_the_reporter_and_once()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, eve) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var sender = node.As(alice);
        using var own = node.As(bob);
        using var forger = node.As(eve);
        await sender.PostAsync("/v1/messages", To(bob));
        var message = Assert.Single((await (await own.GetAsync(new Uri("/v1/messages", UriKind.Relative), Ct)).ReadAsync<ReceivedMessages>()).Messages);
        var report = new ReportMessage(message.Id, message.ReportToken!, message.SenderAccount, "spam"u8.ToArray());

        Assert.Equal("404 not_found", await ReportAsync(own, report with { Sender = eve.Address.Account }));
        Assert.Equal("404 not_found", await ReportAsync(own, report with { Sender = null }));
        Assert.Equal("404 not_found", await ReportAsync(own, report with { Id = Guid.CreateVersion7() }));
        Assert.Equal("404 not_found", await ReportAsync(own, report with { Token = [.. report.Token[..15], (byte)(report.Token[15] ^ 1)] }));
        Assert.Equal("404 not_found", await ReportAsync(forger, report));
        Assert.Empty(await node.Get<Reports>().ListAsync(Ct));
        Assert.Equal("204", await ReportAsync(own, report));
        Assert.Equal("204", await ReportAsync(own, report));

        var kept = Assert.Single(await node.Get<Reports>().ListAsync(Ct));
        Assert.EndsWith($"{alice.Address.Account}  4 bytes of evidence", ReportsCommand.Line(kept), StringComparison.Ordinal);
        Assert.EndsWith($"\"sender\":\"{alice.Address.Account}\",\"evidence\":\"c3BhbQ==\"}}", ReportsCommand.Json(kept), StringComparison.Ordinal);
        Assert.Equal(0, CommandLine.Run(["reports", "--json", $"--Storage:DataFolder={node.Folder}"], ReportsCommand.Create()));
        Assert.Equal((alice.Address.Account, "spam"), (kept.Account!.Value, System.Text.Encoding.UTF8.GetString(kept.Evidence!)));
        await node.Get<AccountStore>().DeleteAsync(alice.Address.Account, Ct);
        Assert.Empty(await node.Get<Reports>().ListAsync(Ct));
    }

    [Fact]
    public async Task A_sealed_message_that_was_sent_by_name_is_reported_with_the_name_inside()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob, eve) = (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var sender = node.As(alice);
        using var own = node.As(bob);
        await sender.PostAsync("/v1/messages", To(bob, type: 6));
        var message = Assert.Single((await (await own.GetAsync(new Uri("/v1/messages", UriKind.Relative), Ct)).ReadAsync<ReceivedMessages>()).Messages);
        var report = new ReportMessage(message.Id, message.ReportToken!, alice.Address.Account, null);

        Assert.Null(message.SenderAccount);
        Assert.Equal("404 not_found", await ReportAsync(own, report with { Sender = null }));
        Assert.Equal("404 not_found", await ReportAsync(own, report with { Sender = eve.Address.Account }));
        Assert.Equal("204", await ReportAsync(own, report));
        Assert.Equal(alice.Address.Account, Assert.Single(await node.Get<Reports>().ListAsync(Ct)).Account);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Who_is_blocked_at_one_node_is_refused_at_another_within_a_second_also_when_the_notice_is_lost(bool isLost)
    {
        (string, string)[] settings =
        [
            .. await TemporaryServers.NewStoresAsync(),
            .. SharedSecrets.Select(key =>
                ($"Secrets:{key}", Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)))),
        ];
        await using var one = await Node.StartAsync(null, services => services.Replace(ServiceDescriptor.Singleton<IHotStore>(provider =>
            new OneOfMany(new RedisHotStore(provider.GetRequiredService<IConnectionMultiplexer>())) { LosesNotices = isLost })), settings);
        await using var other = await Node.StartAsync(clock: null, settings);
        using var alice = await Member.SignUpAsync(one, "alice@chat.example");
        using var bob = await Member.SignUpAsync(one, "bob@chat.example");
        using var elsewhere = other.As(alice.Session.AccessToken);
        var registration = Assert.Single(await one.Get<AccountDirectory>().DevicesAsync(bob.Account, Ct)).RegistrationId;
        Assert.Equal("204", await SendAsync());

        Assert.Equal("204", await (await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(alice.Account, true))).OutcomeAsync());
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Ct);

        Assert.Equal("404 not_found", await SendAsync());

        async Task<string> SendAsync() => await (await elsewhere.PostAsync("/v1/messages", new SendMessage(
            Ids.New(), [new MessageRecipient(bob.Account, [new DeviceMessage(1, registration, 2, [1, 2, 3])])], 1))).OutcomeAsync();
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_block_at_one_node_reaches_the_senders_open_socket_at_another_within_a_second(bool bare)
    {
        await using var cluster = await Cluster.StartAsync();
        var (alice, bob) = (await cluster.A.NewDeviceAsync(), await cluster.A.NewDeviceAsync());
        using var own = cluster.A.As(bob);
        await using var socket = await ChatSocket.ReadyAsync(bare ? cluster.B.SocketPort : cluster.B.ApiPort, alice);
        await socket.SendMessageAsync(ChatSocket.Message("hello", bob));
        Assert.NotNull((await socket.NextAsync()).Accepted);

        await BlockAsync(own, alice, true);
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Ct);
        await socket.SendMessageAsync(ChatSocket.Message("hello?", bob));

        Assert.Equal("not_found", (await socket.NextAsync()).Problem?.Code);
        Assert.Equal(1, await cluster.A.Get<IMessageQueue>().CountAsync(Ct));
    }

    private static SendMessage To(ChatDevice to, int type = 2) => new(
        Guid.CreateVersion7(), [new MessageRecipient(to.Address.Account, [new DeviceMessage(1, to.RegistrationId, type, [1, 2, 3])])], 1);

    private static async Task<string> ReportAsync(HttpClient http, ReportMessage report) =>
        await (await http.PostAsync("/v1/senders/reports", report)).OutcomeAsync();

    private static async Task BlockAsync(HttpClient http, ChatDevice whom, bool blocked) =>
        Assert.Equal("204", await (await http.SendAsync(
            HttpMethod.Put, "/v1/senders/blocks", new BlockSender(whom.Address.Account, blocked))).OutcomeAsync());
}
