using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

/// <summary>Two nodes that share PostgreSQL, Redis and secrets.</summary>
public sealed class ManyNodesTests
{
    [Fact]
    public async Task A_code_that_one_node_sent_registers_at_the_other_and_its_tokens_work_at_both()
    {
        await using var nodes = await NodePair.StartAsync();
        var ada = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(nodes.First, "ada@example.org");

        var session = await (await nodes.Second.Http.PostAsync(
            "/v1/auth/register", new Register(ada.IdentityKey, ada.NewDevice(), challenge, code))).ReadAsync<Session>();
        var refreshed = await (await nodes.First.Http.PostAsync("/v1/auth/refresh", new Refresh(session.RefreshToken)))
            .ReadAsync<Session>();

        using var atFirst = new Member(ada, session, nodes.First.As(session.AccessToken));
        using var atSecond = new Member(ada, session, nodes.Second.As(refreshed.AccessToken));
        Assert.True(await atFirst.IsSignedInAsync());
        Assert.True(await atSecond.IsSignedInAsync());
    }

    [Fact]
    public async Task A_removed_device_is_out_at_the_other_node_within_two_seconds()
    {
        await using var nodes = await NodePair.StartAsync();
        using var ada = await Member.SignUpAsync(nodes.First, "ada@example.org");
        using var tablet = await ada.LinkAsync(nodes.First);
        using var tabletElsewhere = new Member(ada.Person, tablet.Session, nodes.Second.As(tablet.Session.AccessToken));
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        nodes.Second.Get<AccountNotices>().CredentialsEnded += _ => ended.TrySetResult();
        Assert.True(await tabletElsewhere.IsSignedInAsync());

        await ada.Http.DeleteAsync(new Uri("/v1/devices/2", UriKind.Relative), TestContext.Current.CancellationToken);

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        Assert.False(await tabletElsewhere.IsSignedInAsync());
    }

    [Fact]
    public async Task A_lost_notice_makes_it_no_later_than_two_seconds()
    {
        await using var nodes = await NodePair.StartAsync();
        using var ada = await Member.SignUpAsync(nodes.First, "ada@example.org");
        using var elsewhere = new Member(ada.Person, ada.Session, nodes.Second.As(ada.Session.AccessToken));
        var ended = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        nodes.Second.Get<AccountNotices>().CredentialsEnded += epoch => ended.TrySetResult(epoch);
        Assert.True(await elsewhere.IsSignedInAsync());

        // What the first node would have written; it crashes before it tells anybody.
        var store = nodes.First.Get<AccountStore>();
        var gone = await nodes.First.Get<Database>().InTransactionAsync(
            transaction => store.EndDevicesAsync(transaction, ada.Account, 1, 1, TestContext.Current.CancellationToken),
            TestContext.Current.CancellationToken);

        var twoSeconds = Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(gone[0].Epoch, await ended.Task.WaitAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken));
        await twoSeconds;
        Assert.False(await elsewhere.IsSignedInAsync());
    }

    [Fact]
    public async Task Parallel_refreshes_at_two_nodes_both_work()
    {
        await using var nodes = await NodePair.StartAsync();
        using var ada = await Member.SignUpAsync(nodes.First, "ada@example.org");
        var request = new Refresh(ada.Session.RefreshToken);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            (i % 2 is 0 ? nodes.First : nodes.Second).Http.PostAsync("/v1/auth/refresh", request)));
        var sessions = await Task.WhenAll(answers.Select(answer => answer.ReadAsync<Session>()));

        var next = await nodes.First.Http.PostAsync("/v1/auth/refresh", new Refresh(sessions[7].RefreshToken));
        Assert.Equal("200", await next.OutcomeAsync());
    }

    [Fact]
    public async Task A_provisioning_message_reaches_a_device_that_waits_at_the_other_node()
    {
        await using var nodes = await NodePair.StartAsync();
        using var ada = await Member.SignUpAsync(nodes.First, "ada@example.org");
        await using var waiting = await nodes.Second.Get<ProvisioningAddresses>().OpenAsync(TestContext.Current.CancellationToken);
        var message = RandomNumberGenerator.GetBytes(500);
        var received = waiting.ReceiveAsync(TestContext.Current.CancellationToken);

        var answer = await ada.Http.SendAsync(
            HttpMethod.Put, "/v1/provisioning", new ProvisioningMessage(waiting.Address, message));

        Assert.Equal("204", await answer.OutcomeAsync());
        Assert.Equal(message, await received);
    }

    private sealed class NodePair(Node first, Node second, DirectoryInfo folder) : IAsyncDisposable
    {
        public Node First { get; } = first;

        public Node Second { get; } = second;

        public static async Task<NodePair> StartAsync()
        {
            var folder = Directory.CreateTempSubdirectory("securechat-nodes-");
            (string, string)[] settings = [.. await TemporaryServers.NewStoresAsync(), ("Storage:DataFolder", folder.FullName)];
            var first = await Node.StartAsync(clock: null, settings);
            return new NodePair(first, await Node.StartAsync(clock: null, settings), folder);
        }

        public async ValueTask DisposeAsync()
        {
            await First.DisposeAsync();
            await Second.DisposeAsync();
            folder.Delete(recursive: true);
        }
    }
}
