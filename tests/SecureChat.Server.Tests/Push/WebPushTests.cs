using System.Security.Cryptography;
using SecureChat.Protocol.Push;
using SecureChat.Server.Push;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Push;

/// <summary>From a sender's socket to the push service, on real ports and the real clock.</summary>
public sealed class WebPushTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M8_every_push_is_one_size_says_nothing_and_proves_who_sends_it()
    {
        await using var service = await FakePushService.StartAsync();
        await using var node = await LoopbackNode.StartAsync([.. service.Arguments, "--Push:VapidContact=mailto:admin@example.org"]);
        using var browser = new Receiver();
        var (alice, bob, carol, dave) =
            (await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync(), await node.NewDeviceAsync());
        await RegisterAsync(node, bob, new PutPush(new WebPushSubscription($"{service.Url}/bob?a=b", browser.Keys)));
        await RegisterAsync(node, carol, new PutPush(UnifiedPush: new($"{service.Url}/carol", browser.Keys)));
        await RegisterAsync(node, dave, new PutPush(UnifiedPush: new($"{service.Url}/dave")));
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, alice);

        await SendAsync(socket, [1], bob, carol, dave);
        await SendAsync(socket, RandomNumberGenerator.GetBytes(25_000), bob, carol, dave);

        var pushes = await service.WaitAsync(3);
        using var http = node.As(bob);
        var key = (await (await http.GetAsync(new Uri("/v1/push/vapid", UriKind.Relative), Ct)).ReadAsync<VapidKey>()).PublicKey;
        output.WritePush("Web Push", pushes.First(push => push.Path.StartsWith("/bob", StringComparison.Ordinal)));
        output.WritePush("UnifiedPush", pushes.First(push => push.Path is "/carol"));
        output.WritePush("UnifiedPush without keys", pushes.First(push => push.Path is "/dave"));
        Assert.All(pushes, push => Assert.Equal(103, push.Body.Length));
        Assert.All(pushes.Where(push => push.Path != "/dave"), push =>
        {
            Assert.Empty(browser.Decrypt(push.Body));
            Assert.Equal("aes128gcm", push.Headers["Content-Encoding"]);
        });
        Assert.All(pushes.Where(push => push.Path == "/dave"), push => Assert.Equal(WebPushSender.PlainBody, push.Body));
        foreach (var push in pushes)
        {
            Assert.Equal(("POST", "7200", "high"), (push.Method, push.Headers["TTL"], push.Headers["Urgency"]));
            var token = await Receiver.VerifyVapidAsync(push, key, service.Url, TimeProvider.System);
            Assert.Equal("mailto:admin@example.org", token.Subject);
            Assert.DoesNotContain("traceparent", push.Headers.Keys);
        }

        Assert.Equal(["/bob?a=b", "/carol", "/dave"], pushes.Select(push => push.Path).Order().Distinct());
        Assert.Single(pushes.Select(push => string.Join(' ', push.Headers.Keys.Where(name => name != "Content-Encoding").Order())).Distinct());
    }

    [Fact]
    public async Task A_wake_up_that_the_service_could_not_take_survives_a_restart()
    {
        await using var service = await FakePushService.StartAsync();
        var folder = Directory.CreateTempSubdirectory("securechat-test-");
        service.Answer = (_, context) =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        await using (var first = await LoopbackNode.StartAsync([.. service.Arguments, $"--Storage:DataFolder={folder.FullName}"]))
        {
            var (alice, bob) = (await first.NewDeviceAsync(), await first.NewDeviceAsync());
            await RegisterAsync(first, bob, new PutPush(UnifiedPush: new($"{service.Url}/bob")));
            await using var socket = await ChatSocket.ReadyAsync(first.SocketPort, alice);
            await SendAsync(socket, [1], bob);
            await service.WaitAsync(1);
        }

        service.Answer = (_, _) => Task.CompletedTask;
        await using (await LoopbackNode.StartAsync([.. service.Arguments, $"--Storage:DataFolder={folder.FullName}"]))
        {
            Assert.Equal("/bob", (await service.WaitAsync(2))[1].Path);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Two_nodes_wake_a_device_once()
    {
        await using var service = await FakePushService.StartAsync();
        await using var postgres = await TemporaryPostgres.StartAsync(Ct);
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        string[] settings =
        [
            .. service.Arguments, $"--Storage:Postgres={await postgres.NewDatabaseAsync(Ct)}", $"--Storage:Redis={redis.ConnectionString}",
            "--Push:Pause=00:10:00",
        ];
        await using var a = await LoopbackNode.StartAsync(settings);
        await using var b = await LoopbackNode.StartAsync([.. settings, $"--Storage:DataFolder={a.Folder}"]);
        var (alice, bob) = (await a.NewDeviceAsync(), await a.NewDeviceAsync());
        var sleepers = new List<ChatDevice>();
        for (var i = 0; i < 30; i++)
        {
            sleepers.Add(await a.NewDeviceAsync());
            await RegisterAsync(i % 2 == 0 ? a : b, sleepers[i], new PutPush(UnifiedPush: new($"{service.Url}/{i}")));
        }

        await using var fromA = await ChatSocket.ReadyAsync(a.SocketPort, alice);
        await using var fromB = await ChatSocket.ReadyAsync(b.SocketPort, bob);
        await Task.WhenAll(SendAsync(fromA, [1], [.. sleepers]), SendAsync(fromB, [2], [.. sleepers]));

        await service.WaitAsync(30);
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, Ct);
        Assert.Equal(30, service.Received.Count);
        Assert.Equal(30, service.Received.Select(push => push.Path).Distinct().Count());
    }

    private static async Task RegisterAsync(LoopbackNode node, ChatDevice device, PutPush body)
    {
        using var http = node.As(device);
        Assert.Equal("204", await (await http.SendAsync(HttpMethod.Put, "/v1/push", body)).OutcomeAsync());
    }

    private static async Task SendAsync(ChatSocket socket, byte[] content, params ChatDevice[] to)
    {
        var message = ChatSocket.Message(content, to);
        message.Urgent = true;
        await socket.SendMessageAsync(message);
        Assert.NotNull((await socket.NextAsync()).Accepted);
    }
}
