using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using SecureChat.Protocol;
using SecureChat.Protocol.Push;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Push;

public sealed class PushEndpointsTests
{
    private const string Endpoint = "https://push.example/send/canary-of-the-endpoint";

    private static readonly WebPushKeys SomeKeys = NewKeys();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<string, PutPush> Refused => new()
    {
        { "400 malformed", new PutPush() },
        { "400 malformed", new PutPush(Fcm: new("token"), Apns: new(new string('a', 64))) },
        { "400 malformed", new PutPush(new WebPushSubscription(Endpoint, SomeKeys with { Auth = "AAAA" })) },
        { "400 malformed", new PutPush(new WebPushSubscription(Endpoint, SomeKeys with { Auth = "not base64url!" })) },
        { "400 malformed", new PutPush(new WebPushSubscription(Endpoint, SomeKeys with { P256dh = Base64Url.EncodeToString([4, .. new byte[64]]) })) },
        { "400 malformed", new PutPush(Fcm: new("")) },
        { "400 malformed", new PutPush(Fcm: new("with\nnewline")) },
        { "400 malformed", new PutPush(Apns: new("../" + new string('a', 64))) },
        { "422 unsupported_push", new PutPush(Fcm: new("token")) },
        { "422 unsupported_push", new PutPush(Apns: new(new string('a', 64))) },
        { "422 unsupported_push", new PutPush(new WebPushSubscription("http://push.example/", SomeKeys)) },
        { "422 unsupported_push", new PutPush(UnifiedPush: new("https://push.example:8443/")) },
        { "422 unsupported_push", new PutPush(UnifiedPush: new("https://127.0.0.1/")) },
        { "422 unsupported_push", new PutPush(UnifiedPush: new("https://push.example/" + new string('x', 1024))) },
        { "422 unsupported_push", new PutPush(UnifiedPush: new("")) },
    };

    [Theory, MemberData(nameof(Refused))]
    public async Task A_registration_that_could_not_work_is_refused_with_its_reason(string outcome, PutPush body)
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        Assert.Equal(outcome, await PutAsync(ada, body));
        Assert.Empty(await RowsAsync(node));
    }

    [Theory, EveryStore]
    public async Task A_device_has_one_registration_which_it_replaces_and_removes(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        var phone = new DeviceAddress(ada.Account, 1);

        Assert.Equal("204", await PutAsync(tablet, new PutPush(UnifiedPush: new(Endpoint + "/tablet"))));
        Assert.Equal("204", await PutAsync(ada, new PutPush(UnifiedPush: new(Endpoint))));
        Assert.Equal("204", await PutAsync(ada, new PutPush(new WebPushSubscription(Endpoint + "/2", SomeKeys))));

        var (target, _) = (await node.Get<PushSubscriptions>().FindAsync(phone, Ct))!.Value;
        Assert.Equal((PushKind.WebPush, Endpoint + "/2"), (target.Kind, target.Address));
        Assert.Equal(SomeKeys, new WebPushKeys(Base64Url.EncodeToString(target.P256dh), Base64Url.EncodeToString(target.Auth)));
        Assert.Equal("204", await (await ada.Http.DeleteAsync(new Uri("/v1/push", UriKind.Relative), Ct)).OutcomeAsync());
        Assert.Null(await node.Get<PushSubscriptions>().FindAsync(phone, Ct));
        Assert.Single(await RowsAsync(node));
    }

    [Fact]
    public async Task Neither_endpoint_nor_keys_can_be_read_on_disk_or_in_the_log()
    {
        using var logs = new LogCapture();
        await using var node = await Node.StartAsync(("Logging:LogLevel:Default", "Trace"), ("Logging:Console:LogLevel:Default", "None"));
        node.Get<ILoggerFactory>().AddProvider(logs);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        await using var connection = await node.Get<Database>().OpenAsync(Ct);
        var folder = Path.GetDirectoryName(connection.DataSource)!;
        byte[][] secrets =
        [
            Encoding.UTF8.GetBytes("canary-of-the-endpoint"), Encoding.UTF8.GetBytes(SomeKeys.P256dh), Encoding.UTF8.GetBytes(SomeKeys.Auth),
            Base64Url.DecodeFromChars(SomeKeys.P256dh)[1..], Base64Url.DecodeFromChars(SomeKeys.Auth),
        ];

        Assert.Equal("204", await PutAsync(ada, new PutPush(new WebPushSubscription(Endpoint, SomeKeys))));
        await node.Get<IWakeUp>().MailWaitsAsync(new DeviceAddress(ada.Account, 1), Ct);

        var row = Assert.Single(await RowsAsync(node));
        var files = Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);
        Assert.Contains(files, file => file.Value.AsSpan().IndexOf(row) >= 0);
        Assert.Contains("push.db", files.Keys);
        Assert.All(secrets, secret => Assert.All(files, file => Assert.Equal(-1, file.Value.AsSpan().IndexOf(secret))));
        Assert.All(secrets, secret => Assert.DoesNotContain(Encoding.UTF8.GetString(secret), logs.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_sealed_target_tells_its_service_neither_by_content_nor_by_length_and_opens_for_its_device_alone()
    {
        var (key, device) = (RandomNumberGenerator.GetBytes(32), new DeviceAddress(Ids.New(), 1));
        var fcm = new PushTarget(PushKind.Fcm, new string('f', 150), [], []).Seal(key, device);
        var web = new PushTarget(PushKind.WebPush, Endpoint, Base64Url.DecodeFromChars(SomeKeys.P256dh), new byte[16]).Seal(key, device);

        Assert.Equal(fcm.Length, web.Length);
        Assert.Equal(Endpoint, PushTarget.Open(web, key, device)!.Address);
        Assert.Null(PushTarget.Open(web, key, device with { Device = 2 }));
        Assert.Null(PushTarget.Open(web, RandomNumberGenerator.GetBytes(32), device));
        web[^1] ^= 1;
        Assert.Null(PushTarget.Open(web, key, device));
    }

    [Fact]
    public async Task The_key_that_browsers_subscribe_with_survives_a_restart()
    {
        var folder = Directory.CreateTempSubdirectory("securechat-test-");
        var keys = new List<string>();
        for (var start = 0; start < 2; start++)
        {
            await using var node = await Node.StartAsync(("Storage:DataFolder", folder.FullName));
            using var ada = await Member.SignUpAsync(node, $"ada{start}@example.org");
            var answer = await ada.Http.GetAsync(new Uri("/v1/push/vapid", UriKind.Relative), Ct);
            keys.Add((await answer.ReadAsync<VapidKey>()).PublicKey);
        }

        folder.Delete(recursive: true);
        Assert.Equal(keys[0], keys[1]);
        Assert.Equal(65, Base64Url.DecodeFromChars(keys[0]).Length);
    }

    private static async Task<string> PutAsync(Member member, PutPush body) =>
        await (await member.Http.SendAsync(HttpMethod.Put, "/v1/push", body)).OutcomeAsync();

    private static Task<List<byte[]>> RowsAsync(Node node) =>
        node.Get<Database>().QueryAsync<byte[]>($"SELECT sealed FROM push_subscriptions", Ct);

    private static WebPushKeys NewKeys()
    {
        using var receiver = new Receiver();
        return receiver.Keys;
    }
}
