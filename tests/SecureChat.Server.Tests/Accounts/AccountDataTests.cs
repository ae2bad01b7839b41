using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Push;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Documentation;
using SecureChat.Server.Tests.Media;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Accounts;

public sealed class AccountDataTests
{
    [Theory, EveryStore]
    public async Task A9_after_deletion_nothing_in_the_schema_names_the_account(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        var hash = RandomNumberGenerator.GetBytes(32);
        await ada.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([hash]));
        await ada.Http.SendAsync(HttpMethod.Put, "/v1/account/username", new ConfirmUsername(hash, [7, 7]));
        await RegisterPushAsync(ada);
        Assert.Contains("push_subscriptions", await TablesNamingAsync(node, ada.Account));

        Assert.Equal("403 forbidden", await DeleteAsync(tablet));
        Assert.Equal("204", await DeleteAsync(ada));

        Assert.Empty(await TablesNamingAsync(node, ada.Account));
        Assert.False(await ada.IsSignedInAsync());
        Assert.False(await tablet.IsSignedInAsync());
        Assert.Equal(
            "401 unauthorized",
            await (await node.Http.PostAsync("/v1/auth/refresh", new Refresh(ada.Session.RefreshToken))).OutcomeAsync());
    }

    [Theory, EveryStore]
    public async Task A9_after_deletion_no_store_names_the_account_and_nothing_that_was_on_its_way_stays(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var (mailbox, queue, outbox) = (node.Get<Mailbox>(), node.Get<IMessageQueue>(), node.Get<IPushOutbox>());
        var (phone, now) = (new DeviceAddress(ada.Account, 1), node.Get<TimeProvider>().GetUtcNow());
        await UseEverythingAsync(node, ada);
        Assert.True((await ScanAsync(node)).Names(ada.Account));

        Assert.Equal("204", await DeleteAsync(ada));
        Assert.False((await ScanAsync(node)).Names(ada.Account));

        // As a node does that has checked a message and not heard of the deletion.
        Assert.True(await mailbox.PostAsync([SomeMail.To(phone, ada.Account.ToByteArray(bigEndian: true), now + mailbox.Life)], Ct));
        await outbox.ScheduleAsync(phone, now + TimeSpan.FromHours(1), Ct);
        Assert.True((await ScanAsync(node)).Names(ada.Account));
        node.Clock?.Advance(TimeSpan.FromSeconds(10));

        Assert.False(await Eventually.IsAsync(false, async () => (await ScanAsync(node)).Names(ada.Account)));
        Assert.Equal(0, await queue.CountAsync(Ct));
        Assert.Empty((await ScanAsync(node)).HotNames.Intersect(["m", "q", "s", "t"]));
    }

    [Theory, EveryStore]
    public async Task The_export_holds_every_column_of_every_table_that_names_the_account(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var database = node.Get<Database>();
        await UseEverythingAsync(node, ada);

        var answer = await ada.Http.GetAsync(new Uri("/v1/account/data", UriKind.Relative), TestContext.Current.CancellationToken);
        var data = await answer.ReadAsync<AccountData>();

        foreach (var table in await TablesNamingAsync(node, ada.Account))
        {
            var columns = await database.QueryAsync<string>(
                database.IsPostgres
                    ? (Sql)$"SELECT column_name FROM information_schema.columns WHERE table_name = {table} AND table_schema = current_schema()"
                    : $"SELECT name FROM pragma_table_info( {table} )",
                TestContext.Current.CancellationToken);
            Assert.Equal(columns.Order(StringComparer.Ordinal), data.Tables[table][0].Keys);
        }

        Assert.Equal(ada.Person.IdentityKey, data.Tables["accounts"][0]["identity_key"].GetBytesFromBase64());
        Assert.DoesNotContain(
            Convert.ToBase64String(bob.Account.ToByteArray(bigEndian: true)), await answer.TextAsync(), StringComparison.Ordinal);
    }

    [Theory, InlineData("Redis"), InlineData("PostgreSQL")]
    public async Task While_a_store_does_not_answer_the_export_says_so_and_when_to_ask_again(string store)
    {
        await using var postgres = await TemporaryPostgres.StartAsync(Ct);
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        using var logs = new LogCapture();
        await using var node = await Node.StartAsync(
            clock: null,
            services => services.AddSingleton<ILoggerProvider>(logs).Configure<LoggerFilterOptions>(all => all.MinLevel = LogLevel.Information),
            ("Storage:Postgres", await postgres.NewDatabaseAsync(Ct)), ("Storage:Redis", redis.ConnectionString + ",asyncTimeout=500"));
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        if (store is "Redis")
        {
            await redis.FallSilentAsync(Ct);
        }
        else
        {
            await postgres.StopAsync(Ct);
        }

        var answer = await ada.Http.GetAsync(new Uri("/v1/account/data", UriKind.Relative), Ct);

        Assert.Equal("503 unavailable", await answer.OutcomeAsync());
        Assert.Equal(TimeSpan.FromSeconds(5), answer.Headers.RetryAfter?.Delta);
        Assert.Contains("\"retryAfter\":5", await answer.TextAsync(), StringComparison.Ordinal);
        Assert.Contains("A store did not answer a request", logs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("ExceptionHandlerMiddleware", logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_directory_holds_neither_address_nor_token_in_clear()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var (challenge, code) = await Person.RequestCodeAsync(node, "bob@example.org");
        await using var connection = await node.Get<Database>().OpenAsync(TestContext.Current.CancellationToken);
        var folder = Path.GetDirectoryName(connection.DataSource)!;

        var everything = Directory.GetFiles(folder).Select(File.ReadAllBytes).ToList();

        Assert.Contains(everything, file => Holds(file, ada.Account.ToByteArray(bigEndian: true)));
        foreach (var secret in (string[])["ada@example.org", "bob@example.org", ada.Session.RefreshToken, ada.Session.AccessToken, challenge])
        {
            Assert.DoesNotContain(everything, file => Holds(file, Encoding.UTF8.GetBytes(secret)));
        }

        Assert.Equal(6, code.Length);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static async Task UseEverythingAsync(Node node, Member ada)
    {
        var (mailbox, queue) = (node.Get<Mailbox>(), node.Get<IMessageQueue>());
        var (phone, now) = (new DeviceAddress(ada.Account, 1), node.Get<TimeProvider>().GetUtcNow());
        var id = ada.Account.ToByteArray(bigEndian: true);
        using var tablet = await ada.LinkAsync(node);
        await ada.Http.SendAsync(HttpMethod.Put, "/v1/keys", new PublishKeys(OneTimeKeys: [new(1, ada.Person.IdentityKey)]));
        await ada.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(RandomNumberGenerator.GetBytes(16)));
        await ada.Http.PostAsync("/v1/senders/tokens", new DeliveryTokens(Add: [RandomNumberGenerator.GetBytes(16)]));
        await ada.Http.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(Guid.CreateVersion7(), true));
        await RegisterPushAsync(ada);
        await node.Get<IPushOutbox>().ScheduleAsync(phone, now + TimeSpan.FromHours(1), Ct);
        Assert.True(await mailbox.PostAsync([SomeMail.To(phone, id, now + mailbox.Life), SomeMail.To(phone, id, now + mailbox.Life)], Ct));
        await queue.AckAsync(phone, [(await queue.ReadAsync(phone, 0, 1, Ct))[0].Position], Ct);
        await new FileSender(ada.Http, node.Http).UploadAsync(FileSender.SomeBytes(1000), downloads: 10);
        var (owner, upload) = (new KeyHolder(node.Http, node.Get<TimeProvider>()), Ids.New());
        await owner.PutBytesAsync($"/v1/backups/chunks/{upload}/0", RandomNumberGenerator.GetBytes(500));
        Assert.Equal("200", await (await ada.Http.PostAsync("/v1/auth/ws-ticket", new { })).OutcomeAsync());
        Assert.Equal("200", await (await ada.Http.PostAsync("/v1/devices/link-code", new { })).OutcomeAsync());
    }

    private static async Task<StoreScan> ScanAsync(Node node)
    {
        var scan = new StoreScan(node, withLogs: false);
        await scan.LookAsync(Ct);
        return scan;
    }

    private static async Task RegisterPushAsync(Member member) => Assert.Equal(
        "204",
        await (await member.Http.SendAsync(
            HttpMethod.Put, "/v1/push", new PutPush(UnifiedPush: new UnifiedPushEndpoint("https://push.example/up")))).OutcomeAsync());

    /// <summary>The tables in which any cell of any row holds the id, as bytes or as text.</summary>
    private static async Task<List<string>> TablesNamingAsync(Node node, Guid account)
    {
        var database = node.Get<Database>();
        var found = new List<string>();
        var tables = await database.QueryAsync<string>(
            database.IsPostgres
                ? (Sql)$"SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name"
                : $"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
            TestContext.Current.CancellationToken);
        foreach (var table in tables)
        {
            await using var connection = await database.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = $"SELECT * FROM \"{table}\"";
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            {
                var cells = new object[reader.FieldCount];
                reader.GetValues(cells);
                if (cells.Any(cell => Names(cell, account)) && !found.Contains(table))
                {
                    found.Add(table);
                }
            }
        }

        return found;
    }

    private static bool Names(object cell, Guid account) => cell switch
    {
        byte[] bytes => Holds(bytes, account.ToByteArray(bigEndian: true)) || Holds(bytes, account.ToByteArray()),
        string text => text.Contains(account.ToString(), StringComparison.OrdinalIgnoreCase)
            || text.Contains(account.ToString("N"), StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    private static bool Holds(byte[] bytes, byte[] part) => bytes.AsSpan().IndexOf(part) >= 0;

    private static async Task<string> DeleteAsync(Member member) => await (await member.Http.DeleteAsync(
        new Uri("/v1/account", UriKind.Relative), TestContext.Current.CancellationToken)).OutcomeAsync();
}
