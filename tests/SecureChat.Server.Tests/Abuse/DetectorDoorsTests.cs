using System.Net.WebSockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Routing;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Abuse;
using SecureChat.Server.Tests.Attacks;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>What is done at a door is counted there: each deed itself, as often as its first grade takes.</summary>
public sealed class DetectorDoorsTests
{
    private static readonly byte[] Network = RateLimiter.Network(null);
    private static readonly int[] Refusals = [401, 403];
    private static readonly Person Somebody = new();

    /// <summary>Every route that counts wrong secrets, and one.</summary>
    private static readonly Dictionary<string, Func<HttpClient, Task<HttpResponseMessage>>> WrongSecrets = new()
    {
        ["/v1/auth/register"] = http => http.PostAsync(
            "/v1/auth/register", new Register(Somebody.IdentityKey, Somebody.NewDevice(), new string('a', 22), "123456")),
        ["/v1/auth/refresh"] = http => http.PostAsync("/v1/auth/refresh", new Refresh(new string('A', 76))),
        ["/v1/devices/link"] = http => http.PostAsync("/v1/devices/link", new LinkDevice(new string('A', 32), Somebody.NewDevice())),
        ["/v1/sealed/messages"] = http => http.PostAsync(
            "/v1/sealed/messages",
            new SealedMessage(Ids.New(), Ids.New(), [new DeviceMessage(1, 1, 6, [1, 2, 3])], 1, RandomNumberGenerator.GetBytes(16))),
        ["/v1/sealed/many"] = http => http.PostAsync(
            new Uri("/v1/sealed/many", UriKind.Relative),
            new ByteArrayContent(RefusalTiming.Many([Ids.New()])) { Headers = { ContentType = new("application/x-protobuf") } },
            Ct),
    };

    public static TheoryData<string> Doors => [.. WrongSecrets.Keys];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Doors))]
    public async Task Wrong_secrets_are_counted_under_the_network(string door)
    {
        await using var node = await StartAsync();

        for (var i = 0; i < Detectors.FailedAuth.Slow; i++)
        {
            using var answer = await WrongSecrets[door](node.Http);
            Assert.Contains((int)answer.StatusCode, Refusals);
        }

        Assert.Equal(Grade.Slow, await GradeAsync(node, Detectors.FailedAuth, Network));
    }

    [Fact]
    public async Task Every_door_that_counts_wrong_secrets_is_tried_above()
    {
        await using var node = await StartAsync();

        var counted = node.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<RequireLimitExtensions.FailuresCounted>() is not null);

        Assert.Equal(WrongSecrets.Keys.Order(), counted.Select(endpoint => "/" + endpoint.RoutePattern.RawText!.Trim('/')).Order());
    }

    [Fact]
    public async Task Accounts_are_counted_under_the_network_that_made_them()
    {
        await using var node = await StartAsync();

        for (var i = 0; i < Detectors.SignUps.Prove; i++)
        {
            await new Person().SignUpAsync(node, $"somebody{i}@chat.example");
        }

        Assert.Equal(Grade.Prove, await GradeAsync(node, Detectors.SignUps, Network));
    }

    [Fact]
    public async Task First_messages_are_counted_under_the_account_that_writes_them()
    {
        await using var node = await StartAsync();
        using var spammer = await Member.SignUpAsync(node, "spammer@chat.example");

        await Parallel.ForAsync(0, (int)Detectors.FanOut.Slow + 20, Ct, async (_, _) => await spammer.Http.PostAsync(
            "/v1/messages", new SendMessage(Ids.New(), [new MessageRecipient(Ids.New(), [new DeviceMessage(1, 1, 3, [1, 2, 3])])], 1)));

        Assert.Equal(Grade.Slow, await GradeAsync(node, Detectors.FanOut, spammer.Account.ToByteArray(bigEndian: true)));
    }

    [Fact]
    public async Task Keys_of_many_are_counted_under_the_account_that_fetches_them()
    {
        await using var node = await StartAsync();
        using var sweeper = await Member.SignUpAsync(node, "sweeper@chat.example");

        for (var i = 0; i < Detectors.KeySweep.Slow + 20; i++)
        {
            using var answer = await sweeper.Http.PostAsync("/v1/keys/fetch", new FetchKeys(Ids.New()));
        }

        Assert.Equal(Grade.Slow, await GradeAsync(node, Detectors.KeySweep, sweeper.Account.ToByteArray(bigEndian: true)));
        Assert.Equal(Grade.None, await GradeAsync(node, Detectors.KeySweepOfStrangers, Network));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Sockets_are_counted_under_the_device_that_opens_them(bool bare)
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var churner = await node.NewDeviceAsync();
        byte[] device = [.. churner.Address.Account.ToByteArray(bigEndian: true), (byte)churner.Address.Device];
        var anomalies = node.Get<Anomalies>();

        // A little decays while they are opened; whoever is slowed down is refused soon.
        for (var i = 0; i < Detectors.SocketChurn.Slow + 20 && anomalies.Judge(Detectors.SocketChurn, device).Grade is Grade.None; i++)
        {
            try
            {
                await using var socket = await ChatSocket.ConnectAsync(bare ? node.SocketPort : node.ApiPort, churner);
            }
            catch (WebSocketException)
            {
                break;
            }
        }

        await anomalies.FlushAsync(Ct);
        Assert.Equal(Grade.Slow, anomalies.Judge(Detectors.SocketChurn, device).Grade);
    }

    private static async Task<Grade> GradeAsync(Node node, Detector detector, byte[] actor)
    {
        await node.Get<Anomalies>().FlushAsync(Ct);
        return node.Get<Anomalies>().Judge(detector, actor).Grade;
    }

    private static Task<Node> StartAsync() => Node.StartAsync(
        ("Limits:Scale", "1"), ("Limits:Overrides:otp:Burst", "1000"), ("Limits:Overrides:register:Burst", "1000"),
        ("Limits:Overrides:link:Burst", "1000"), ("Limits:Overrides:fetch-keys:Burst", "1000"));
}
