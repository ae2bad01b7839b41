using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Senders;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Tests.Senders;

/// <summary>Messages from nobody in particular: who may send them, and that a refusal tells nothing.</summary>
public sealed class SealedSendTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_access_key_a_delivery_token_or_an_open_door_lets_a_sealed_message_in()
    {
        await using var node = await LoopbackNode.StartAsync();
        var bob = await node.NewDeviceAsync();
        using var own = node.As(bob);
        using var stranger = Stranger(node);
        var (key, token) = (Random(), Random());
        await using var socket = await ChatSocket.ReadyAsync(node.SocketPort, bob);

        Assert.Equal("401 send_refused", await SendAsync(stranger, bob, key));
        await SetAsync(own, new SendPolicy(key));
        Assert.Equal("204", await SendAsync(stranger, bob, key));
        Assert.Equal("401 send_refused", await SendAsync(stranger, bob, token));
        await ChangeAsync(own, new DeliveryTokens(Add: [token]));
        Assert.Equal("204", await SendAsync(stranger, bob, token));
        Assert.Equal("401 send_refused", await SendAsync(stranger, bob, null));
        await SetAsync(own, new SendPolicy(Anyone: true));
        Assert.Equal("204", await SendAsync(stranger, bob, null));

        for (var i = 0; i < 3; i++)
        {
            var delivered = await socket.NextDeliveryAsync();
            Assert.True(delivered.Envelope.SenderAccount.IsEmpty);
            Assert.Equal(ContentType.Sealed, delivered.Envelope.Type);
        }
    }

    [Fact]
    public async Task A_sealed_message_is_fetched_and_reported_as_every_other_and_names_nobody()
    {
        await using var node = await LoopbackNode.StartAsync();
        var bob = await node.NewDeviceAsync();
        using var own = node.As(bob);
        using var stranger = Stranger(node);
        var key = Random();
        await SetAsync(own, new SendPolicy(key));
        Assert.Equal("204", await SendAsync(stranger, bob, key));

        var message = Assert.Single((await (await own.GetAsync(new Uri("/v1/messages", UriKind.Relative), Ct)).ReadAsync<ReceivedMessages>()).Messages);

        Assert.Equal((null, null), (message.SenderAccount, message.SenderDevice));
        var report = new ReportMessage(message.Id, message.ReportToken!, null, "spam"u8.ToArray());
        Assert.Equal("204", await (await own.PostAsync("/v1/senders/reports", report)).OutcomeAsync());
        Assert.Null(Assert.Single(await node.Get<Reports>().ListAsync(Ct)).Account);
    }

    [Fact]
    public async Task M4_a_revoked_token_is_refused_at_once_and_the_others_stay_good()
    {
        await using var node = await LoopbackNode.StartAsync();
        var bob = await node.NewDeviceAsync();
        using var own = node.As(bob);
        using var stranger = Stranger(node);
        var (one, other) = (Random(), Random());
        await ChangeAsync(own, new DeliveryTokens(Add: [one, other]));
        Assert.Equal("204", await SendAsync(stranger, bob, one));

        await ChangeAsync(own, new DeliveryTokens(Remove: [one]));

        Assert.Equal("401 send_refused", await SendAsync(stranger, bob, one));
        Assert.Equal("204", await SendAsync(stranger, bob, other));
    }

    [Fact]
    public async Task A_change_at_one_node_is_in_force_at_the_other_within_a_second()
    {
        var stores = await TemporaryServers.NewStoresAsync();
        string[] settings = [.. stores.Select(setting => $"--{setting.Name}={setting.Value}")];
        await using var one = await LoopbackNode.StartAsync(settings);
        await using var two = await LoopbackNode.StartAsync([.. settings, .. SecretsOf(one)]);
        var bob = await one.NewDeviceAsync();
        using var own = one.As(bob);
        using var stranger = Stranger(two);
        var token = Random();
        await ChangeAsync(own, new DeliveryTokens(Add: [token]));
        Assert.Equal("204", await SendAsync(stranger, bob, token));

        await ChangeAsync(own, new DeliveryTokens(Remove: [token]));
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Ct);

        Assert.Equal("401 send_refused", await SendAsync(stranger, bob, token));
    }

    [Fact]
    public async Task M5_unknown_account_wrong_right_and_closed_door_are_one_answer_in_bytes()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (open, closed) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var own = node.As(open);
        using var stranger = Stranger(node);
        await SetAsync(own, new SendPolicy(Random()));
        var nobody = closed with { Address = new(Ids.New(), 1) };

        var answers = new List<string>();
        foreach (var (to, right) in new[] { (open, Random()), (open, new byte[16]), (closed, Random()), (closed, new byte[16]), (nobody, Random()), (nobody, []), (open, null) })
        {
            var response = await stranger.PostAsync("/v1/sealed/messages", Message(to, right));
            var headers = response.Headers.Where(header => header.Key is not "Date").OrderBy(header => header.Key)
                .Select(header => $"{header.Key}: {string.Join(',', header.Value)}");
            answers.Add($"{(int)response.StatusCode} {string.Join('|', headers)} {await response.TextAsync()}");
        }

        Assert.Single(answers.Distinct());
        Assert.Contains("send_refused", answers[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task M3_a_client_that_names_itself_on_an_anonymous_endpoint_is_told_and_nothing_is_sent()
    {
        await using var node = await LoopbackNode.StartAsync();
        var (alice, bob) = (await node.NewDeviceAsync(), await node.NewDeviceAsync());
        using var own = node.As(bob);
        await SetAsync(own, new SendPolicy(Anyone: true));
        using var named = node.As(alice);

        Assert.Equal("400 credentials_refused", await SendAsync(named, bob, null));
        Assert.Equal("400 credentials_refused", await (await named.PostAsync("/v1/sealed/many", Content(Many([bob], [[]])), Ct)).OutcomeAsync());

        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Fact]
    public async Task T6_who_floods_under_one_right_is_held_back_alone()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var bob = await node.NewDeviceAsync();
        using var own = node.As(bob);
        using var stranger = Stranger(node);
        var (flooder, friend) = (Random(), Random());
        await ChangeAsync(own, new DeliveryTokens(Add: [flooder, friend]));

        var outcomes = new List<string>();
        for (var i = 0; i < 420; i++)
        {
            outcomes.Add(await SendAsync(stranger, bob, flooder));
        }

        Assert.Contains("429 rate_limited", outcomes);
        Assert.InRange(outcomes.Count(outcome => outcome is "204"), 400, 415);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal("204", await SendAsync(stranger, bob, friend));
        }
    }

    [Fact]
    public async Task T5_a_message_for_a_thousand_accounts_is_charged_for_each_of_them_and_reaches_all_or_none()
    {
        await using var node = await LoopbackNode.StartAsync("--Limits:Scale=1");
        var members = new List<ChatDevice>();
        for (var i = 0; i < 1000; i++)
        {
            members.Add(await node.NewDeviceAsync());
        }

        var rights = members.ConvertAll(_ => Random());
        for (var i = 0; i < members.Count; i++)
        {
            await node.Get<SendPolicies>().SetAsync(members[i].Address.Account, rights[i], anyone: false, Ct);
        }

        using var stranger = Stranger(node);
        var wrong = new List<byte[]>(rights) { [999] = Random() };
        Assert.Equal("401 send_refused", await (await stranger.PostAsync("/v1/sealed/many", Content(Many(members, wrong)), Ct)).OutcomeAsync());
        Assert.Equal(0, await node.Get<IMessageQueue>().CountAsync(Ct));
        Assert.Equal("204", await (await stranger.PostAsync("/v1/sealed/many", Content(Many(members, rights)), Ct)).OutcomeAsync());

        Assert.Equal(1000, await node.Get<IMessageQueue>().CountAsync(Ct));
        await using var last = await ChatSocket.ConnectAsync(node.SocketPort, members[999]);
        Assert.Equal(Body, Open(await last.NextDeliveryAsync(), members[999]));

        // The bucket has 3,000: after three times a thousand the fourth is refused, though hardly a request was made.
        await stranger.PostAsync("/v1/sealed/many", Content(Many(members, wrong)), Ct);
        var fourth = await stranger.PostAsync("/v1/sealed/many", Content(Many(members, rights)), Ct);
        Assert.Equal("429 rate_limited", await fourth.OutcomeAsync());
        Assert.NotNull(fourth.Headers.RetryAfter);
        Assert.Equal(1000, await node.Get<IMessageQueue>().CountAsync(Ct));
    }

    [Theory, EveryStore]
    public async Task T5_what_a_thousand_recipients_share_is_stored_once_and_48_bytes_of_key_for_each(Stores stores)
    {
        var settings = stores is Stores.Shared ? await TemporaryServers.NewStoresAsync() : [];
        await using var node = await LoopbackNode.StartAsync([.. settings.Select(setting => $"--{setting.Name}={setting.Value}")]);
        var members = new List<ChatDevice>();
        for (var i = 0; i < 1000; i++)
        {
            members.Add(await node.NewDeviceAsync());
            await node.Get<SendPolicies>().SetAsync(members[i].Address.Account, null, anyone: true, Ct);
        }

        using var stranger = Stranger(node);
        var many = Many(members, members.ConvertAll(_ => Array.Empty<byte>()), new byte[18_000]);
        Assert.Equal("204", await (await stranger.PostAsync("/v1/sealed/many", Content(many), Ct)).OutcomeAsync());

        var parts = MultiRecipientMessage.Parse(many.Message.Span);
        var (bodies, heads) = await QueueContent.ReadAsync(node, stores);
        var shared = Assert.Single(bodies);
        Assert.Equal(1000, heads.Count);
        Assert.InRange(shared.Length, 18_000, 19_000);
        Assert.All(heads, head => Assert.InRange(head.Length, 48, 48 + MaxFramingBytes));
        Assert.All(parts.Recipients, part => Assert.Single(heads, head => head.AsSpan().IndexOf(parts.EnvelopeFor(part).AsSpan(1, 48)) >= 0));
    }

    [Fact]
    public async Task T5_more_recipients_than_there_may_be_are_refused_before_anything_is_looked_up()
    {
        await using var node = await LoopbackNode.StartAsync();
        var crowd = Enumerable.Range(0, 1025).Select(_ => new ChatDevice(new(Ids.New(), 1), 7, 1, "")).ToList();
        using var stranger = Stranger(node);

        var refused = await stranger.PostAsync("/v1/sealed/many", Content(Many(crowd, crowd.ConvertAll(_ => Random()))), Ct);

        Assert.Equal("400 malformed", await refused.OutcomeAsync());
    }

    [Theory, EveryStore]
    public async Task Whoever_is_there_and_whoever_comes_later_get_the_bytes_that_they_would_get_alone(Stores stores)
    {
        var settings = stores is Stores.Shared ? await TemporaryServers.NewStoresAsync() : [];
        await using var node = await LoopbackNode.StartAsync([.. settings.Select(setting => $"--{setting.Name}={setting.Value}")]);
        ChatDevice[] members = [await node.NewDeviceAsync(), await node.NewDeviceAsync()];
        foreach (var member in members)
        {
            await node.Get<SendPolicies>().SetAsync(member.Address.Account, null, anyone: true, Ct);
        }

        using var stranger = Stranger(node);
        await using var there = await ChatSocket.ReadyAsync(node.SocketPort, members[0]);
        var many = Many(members, [[], []]);
        Assert.Equal("204", await (await stranger.PostAsync("/v1/sealed/many", Content(many), Ct)).OutcomeAsync());
        await using var later = await ChatSocket.ConnectAsync(node.SocketPort, members[1]);

        var parts = MultiRecipientMessage.Parse(many.Message.Span);
        foreach (var (socket, member) in new[] { (there, members[0]), (later, members[1]) })
        {
            var delivered = (await socket.NextDeliveryAsync()).Envelope;
            var part = parts.Recipients.Single(part => part.Account.Uuid == member.Address.Account);
            Assert.Equal(parts.EnvelopeFor(part), delivered.Content.ToByteArray());
            Assert.Equal((many.Id, 1ul, ContentType.Sealed), (delivered.Id, delivered.Timestamp, delivered.Type));
        }
    }

    [Theory]
    [InlineData("no body", "400 malformed")]
    [InlineData("json", "415 unsupported_media_type")]
    [InlineData("too few rights", "400 malformed")]
    [InlineData("a cut", "400 malformed")]
    [InlineData("another version", "400 malformed")]
    [InlineData("no recipient", "400 malformed")]
    [InlineData("too large", "413 too_large")]
    public async Task A_malformed_message_for_many_is_refused(string mistake, string outcome)
    {
        await using var node = await LoopbackNode.StartAsync();
        var bob = await node.NewDeviceAsync();
        using var stranger = Stranger(node);
        var many = Many([bob], [[]]);
        var message = many.Message.ToByteArray();
        many.Message = ByteString.CopyFrom(mistake switch
        {
            "no body" => [],
            "a cut" => message[..40],
            "another version" => [0x99, .. message[1..]],
            "no recipient" => [message[0], 0, .. new byte[64]],
            "too large" => [.. message, .. new byte[300 * 1024]],
            _ => message,
        });
        if (mistake is "too few rights")
        {
            many.Rights.Clear();
        }

        using var content = Content(many);
        if (mistake is "json")
        {
            content.Headers.ContentType = new("application/json");
        }

        Assert.Equal(outcome, await (await stranger.PostAsync("/v1/sealed/many", content, Ct)).OutcomeAsync());
    }

    [Theory, InlineData(2), InlineData(3)]
    public async Task Only_sealed_contents_come_from_nobody(int type)
    {
        await using var node = await LoopbackNode.StartAsync();
        var bob = await node.NewDeviceAsync();
        using var stranger = Stranger(node);
        var message = Message(bob, null);

        var response = await stranger.PostAsync("/v1/sealed/messages", message with { Devices = [message.Devices[0] with { Type = type }] });

        Assert.Equal("400 malformed", await response.OutcomeAsync());
    }

    // Beside the key: version, message id, times, type, report token, and the protobuf around them.
    private const int MaxFramingBytes = 100;

    private static readonly byte[] Body = "for all of you"u8.ToArray();

    private readonly Dictionary<Guid, PrivateKey> _identities = [];
    private readonly PrivateKey _sender = PrivateKey.Generate(RandomSource.System);

    private static HttpClient Stranger(LoopbackNode node) => new() { BaseAddress = new Uri($"http://127.0.0.1:{node.ApiPort}") };

    private static byte[] Random() => RandomNumberGenerator.GetBytes(SendPolicies.RightBytes);

    private static IEnumerable<string> SecretsOf(LoopbackNode node) =>
        new[] { ("TokenKey", "token.key"), ("IdentifierKey", "identifier.key"), ("OtpKey", "otp.key") }.Select(secret =>
            $"--Secrets:{secret.Item1}={Convert.ToBase64String(File.ReadAllBytes(Path.Combine(node.Folder, secret.Item2)))}");

    private static SealedMessage Message(ChatDevice to, byte[]? right) => new(
        Guid.CreateVersion7(), to.Address.Account, [new DeviceMessage(to.Address.Device, to.RegistrationId, 6, Body)], 1, right);

    private static async Task<string> SendAsync(HttpClient http, ChatDevice to, byte[]? right) =>
        await (await http.PostAsync("/v1/sealed/messages", Message(to, right))).OutcomeAsync();

    private static async Task SetAsync(HttpClient http, SendPolicy policy) =>
        Assert.Equal("204", await (await http.SendAsync(HttpMethod.Put, "/v1/senders/policy", policy)).OutcomeAsync());

    private static async Task ChangeAsync(HttpClient http, DeliveryTokens tokens) =>
        Assert.Equal("204", await (await http.PostAsync("/v1/senders/tokens", tokens)).OutcomeAsync());

    private static ByteArrayContent Content(SealedMany many) =>
        new(many.ToByteArray()) { Headers = { ContentType = new("application/x-protobuf") } };

    private SealedMany Many(IReadOnlyList<ChatDevice> to, IReadOnlyList<byte[]> rights, byte[]? body = null)
    {
        var recipients = to.Select(device => new MultiRecipient(
            ServiceId.OfAccount(device.Address.Account),
            IdentityOf(device).PublicKey,
            [new RecipientDevice(device.Address.Device, device.RegistrationId)]));
        var many = new SealedMany
        {
            Id = ByteString.CopyFrom(Guid.CreateVersion7().ToByteArray(bigEndian: true)),
            Timestamp = 1,
            Message = ByteString.CopyFrom(MultiRecipientMessage.Seal(
                new SealedContent(Signal.CiphertextType.PlaintextContent, Certificate(), body ?? Body), [.. recipients], [], _sender, RandomSource.System)),
        };
        many.Rights.AddRange(rights.Select(right => ByteString.CopyFrom(right)));
        return many;
    }

    private byte[] Open(Deliver delivered, ChatDevice at) => SealedEnvelope.Open(
        delivered.Envelope.Content.Span, IdentityOf(at), new ProtocolAddress(ServiceId.OfAccount(at.Address.Account), at.Address.Device),
        [_root.PublicKey], 1).Message.ToArray();

    private readonly PrivateKey _root = PrivateKey.Generate(RandomSource.System);

    private SenderCertificate Certificate()
    {
        using var signer = SenderSigner.Create(_root, 1);
        return SenderCertificate.Issue(
            ServiceId.OfAccount(Guid.CreateVersion7()), 1, _sender.PublicKey, ulong.MaxValue, signer.Certificate, signer.Key, RandomSource.System);
    }

    private PrivateKey IdentityOf(ChatDevice device)
    {
        if (!_identities.TryGetValue(device.Address.Account, out var identity))
        {
            _identities[device.Address.Account] = identity = PrivateKey.Generate(RandomSource.System);
        }

        return identity;
    }
}
