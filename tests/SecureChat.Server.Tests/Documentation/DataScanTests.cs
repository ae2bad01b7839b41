using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Backups;
using SecureChat.Protocol.Groups;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Push;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;
using SecureChat.Server.Keys;
using SecureChat.Server.Media;
using SecureChat.Server.Push;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Abuse;
using SecureChat.Server.Tests.Media;
using SecureChat.Server.Tests.Push;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Documentation;

/// <summary>Somebody uses everything; then everything that the server holds is looked through.</summary>
public sealed partial class DataScanTests
{
    private const string Email = "canary.bird@chat.example";
    private const string Address = "2001:db8:c0ff:ee77:1234:5678:9abc:def1";
    private const string Agent = "CanaryBrowser/7.7";

    // Where one machine has tables or memory instead: queues, presence and what nodes tell each other.
    private static readonly string[] OnlyShared = ["m", "b", "q", "s", "t", "queues", "push", "presence", "node", "anomalies"];

    // What nobody's doing brings about: stores and push services that are away or refuse, and what the framework tells of failures.
    private static readonly string[] OnlyOfFailures =
    [
        "Attempt", "Error", "Failure", "Kind", "Reason", "Seconds", "Setting", "Status", "Store",
        FrameworkLabels.ErrorType, FrameworkLabels.NetworkProtocolName,
    ];

    // What the exporter and the runtime add, whoever does what: every server shows it, see DataHeldTests.
    private static readonly string[] OfTheExporter =
    [
        FrameworkLabels.CpuMode, FrameworkLabels.GcHeapGeneration, FrameworkLabels.Le, FrameworkLabels.OtelScopeName, FrameworkLabels.ServiceInstanceId,
        FrameworkLabels.ServiceName, FrameworkLabels.ServiceVersion, FrameworkLabels.TelemetrySdkLanguage, FrameworkLabels.TelemetrySdkName,
        FrameworkLabels.TelemetrySdkVersion,
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task What_a_full_scan_finds_of_somebody_who_used_everything_is_what_is_published(Stores stores)
    {
        using var logs = new LogCapture();
        await using var pushes = await FakePushService.StartAsync();
        await using var node = await Node.StartAsync(
            stores is Stores.Embedded ? new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero)) : null,
            services => services.AddSingleton<ILoggerProvider>(logs),
            [
                .. stores is Stores.Shared ? await TemporaryServers.NewStoresAsync() : [], .. pushes.Settings, ("Limits:Scale", "1"),
                ("Server:TrustedProxies:0", "10.0.0.0/8"), ("Logging:LogLevel:Default", "Trace"), ("Logging:Console:LogLevel:Default", "None"),
            ]);
        node.Http.DefaultRequestHeaders.UserAgent.ParseAdd(Agent);
        node.Http.DefaultRequestHeaders.Add("X-Forwarded-For", Address);
        using var labels = new LabelScan(node);
        var scan = new StoreScan(node);
        await node.Get<Invites>().CreateAsync(uses: 1, TimeSpan.FromDays(1), Ct);
        using var ada = await SignUpAsync(node, scan);
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        ada.Http.DefaultRequestHeaders.Add("X-Forwarded-For", Address);
        bob.Http.DefaultRequestHeaders.Add("X-Forwarded-For", Address);
        using var tablet = await LinkAsync(node, ada, scan);

        await PublishAsync(node, ada, bob, scan);
        await SetUpAccountAsync(node, ada, scan);
        await TalkAsync(node, ada, bob, scan);
        await WakeAsync(node, ada, pushes);
        await FoundGroupAsync(node);
        await SendFilesAsync(node, ada);
        await BackUpAsync(node);
        await CallAsync(node, scan);
        await WorkAsync(node, bob);
        await RefreshAsync(node, ada, tablet, scan);
        await scan.LookAsync(Ct);
        for (var i = 0; stores is Stores.Shared && !scan.HotNames.Contains("anomalies") && i < 100; i++)
        {
            // A node begins to listen to the others a second after its start, and the clock is the real one.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct);
            await scan.LookAsync(Ct);
        }

        await AssertPublishedAsync(node, stores, scan, logs, labels);
        foreach (var canary in Canaries(ada))
        {
            Assert.False(scan.Holds(canary), $"Found: {Encoding.UTF8.GetString(canary)}");
            Assert.DoesNotContain(Encoding.UTF8.GetString(canary), logs.Text, StringComparison.OrdinalIgnoreCase);
        }

        // The scan would have found them: it does find what must be there.
        Assert.True(scan.Holds(ada.Account.ToByteArray(bigEndian: true)) && scan.Holds(ada.Person.IdentityKey));
        Assert.Empty(scan.UnknownFiles);
        Assert.All(FormsOf(ada.Account).Concat(FormsOf(bob.Account)), form =>
            Assert.DoesNotContain(scan.OfLimits, kept => kept.AsSpan().IndexOf(form) >= 0));
        Assert.Contains(scan.OfLimits, kept => Encoding.UTF8.GetString(kept).StartsWith("{limit:one-time-keys-pair}:", StringComparison.Ordinal));
    }

    private static async Task AssertPublishedAsync(Node node, Stores stores, StoreScan scan, LogCapture logs, LabelScan labels)
    {
        var held = await HeldAsync(node);
        AssertSame(held["directory"], scan.DirectoryFields);
        AssertSame(stores is Stores.Embedded ? held["queues"] : [], scan.QueueFields);
        AssertSame(held["blobs"].Select(field => field.Split('/')[0]), scan.BlobAreas);
        AssertSame(held["hotStore"].Except(stores is Stores.Embedded ? OnlyShared : []), scan.HotNames);

        // The framework names its own scheme, a constant, under the name of the slice that has it.
        AssertSame(
            held["logs"].Except(OnlyOfFailures), LogValue().Matches(OwnLines(logs)).Select(match => match.Groups[1].Value)
                .Except(["OriginalFormat", "AuthenticationScheme"]));
        AssertSame(held["metrics"].Except(OnlyOfFailures).Except(OfTheExporter), labels.Names());
    }

    private static IEnumerable<byte[]> FormsOf(Guid account) =>
    [
        account.ToByteArray(bigEndian: true), .. new[] { account.ToString(), account.ToString("N"), System.Buffers.Text.Base64Url.EncodeToString(account.ToByteArray(bigEndian: true)) }
            .Select(Encoding.UTF8.GetBytes),
    ];

    private static readonly byte[] Right = "canary right 16b"u8.ToArray();
    private static readonly byte[] LockToken = "canary lock token of 32 bytes .."u8.ToArray();

    private static List<byte[]> Canaries(Member member) =>
    [
        .. new[] { Email, Agent, Address, Address[..20], member.Session.AccessToken[^40..], member.Session.RefreshToken, "https://push.example/canary" }.Select(Encoding.UTF8.GetBytes),
        Right, LockToken, "canary of a call"u8.ToArray(), System.Net.IPAddress.Parse(Address).GetAddressBytes()[..8],
    ];

    private static async Task<Member> SignUpAsync(Node node, StoreScan scan)
    {
        var person = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(node, Email);
        var request = new Register(person.IdentityKey, person.NewDevice("name in cipher"u8.ToArray()), challenge, code is "123456" ? "654321" : "123456");
        Assert.Equal("403 wrong_code", await (await node.Http.PostAsync("/v1/auth/register", request)).OutcomeAsync());
        await scan.LookAsync(Ct);
        var session = await (await node.Http.PostAsync("/v1/auth/register", request with { Code = code })).ReadAsync<Session>();
        return new Member(person, session, node.As(session.AccessToken));
    }

    private static async Task<Member> LinkAsync(Node node, Member member, StoreScan scan)
    {
        var addresses = node.Get<ProvisioningAddresses>();
        await using var address = await addresses.OpenAsync(Ct);
        await member.Http.PostAsync("/v1/devices/link-code", new { });
        await scan.LookAsync(Ct);
        Assert.True(await addresses.PostAsync(address.Address, [1, 2, 3], Ct));
        await scan.LookAsync(Ct);
        return await member.LinkAsync(node);
    }

    private static async Task PublishAsync(Node node, Member ada, Member bob, StoreScan scan)
    {
        var keys = new PublishKeys(
            OneTimeKeys: [new(1, ada.Person.IdentityKey), new(2, ada.Person.IdentityKey)],
            KyberOneTimeKeys: [ada.Person.Sign(Person.KyberKey()), ada.Person.Sign(Person.KyberKey())]);
        Assert.Equal("204", await (await ada.Http.SendAsync(HttpMethod.Put, "/v1/keys", keys)).OutcomeAsync());
        await (await bob.Http.PostAsync("/v1/keys/fetch", new FetchKeys(ada.Account, 1))).ReadAsync<KeyBundles>();
        await node.Get<Database>().ExecuteAsync($"UPDATE device_keys SET signed_at = {1L} WHERE account = {ada.Account}", Ct);
        await node.Get<KeyReminders>().RemindOldAsync(Ct);
        await scan.LookAsync(Ct);
    }

    private static async Task SetUpAccountAsync(Node node, Member ada, StoreScan scan)
    {
        var name = RandomNumberGenerator.GetBytes(32);
        await PutAsync(ada, "/v1/account/discoverable", new Discoverable(true));
        await (await ada.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([name]))).ReadAsync<UsernameHash>();
        await scan.LookAsync(Ct);
        await PutAsync(ada, "/v1/devices/list", new PublishDeviceList([1, 2, 3]));
        await PutAsync(ada, "/v1/account/username", new ConfirmUsername(name, [7, 7]));
        await PutAsync(ada, "/v1/account/registration-lock", new SetRegistrationLock(LockToken));
        for (var i = 0; i < 10; i++)
        {
            var account = await node.Get<AccountStore>().FindAsync(ada.Account, Ct);
            await node.Get<RegistrationLock>().TryAsync(account!, RandomNumberGenerator.GetBytes(32), Ct);
        }

        await PutAsync(ada, "/v1/senders/policy", new SendPolicy(Right));
        await ada.Http.PostAsync("/v1/senders/tokens", new DeliveryTokens(Add: [RandomNumberGenerator.GetBytes(16)]));
        await PutAsync(ada, "/v1/senders/blocks", new BlockSender(Guid.CreateVersion7(), true));
        await PutAsync(ada, "/v1/push", new PutPush(UnifiedPush: new UnifiedPushEndpoint("https://push.example/canary")));
        await (await ada.Http.PostAsync("/v1/auth/ws-ticket", new { })).ReadAsync<SocketTicket>();
    }

    private static async Task TalkAsync(Node node, Member ada, Member bob, StoreScan scan)
    {
        var (mailbox, now) = (node.Get<Mailbox>(), node.Clock?.GetUtcNow() ?? TimeProvider.System.GetUtcNow());
        var phone = new DeviceAddress(bob.Account, 1);
        var registration = Assert.Single(
            await node.Get<AccountDirectory>().DevicesAsync(bob.Account, Ct), device => device.Device == 1).RegistrationId;
        var message = new SendMessage(
            Guid.CreateVersion7(), [new MessageRecipient(bob.Account, [new DeviceMessage(1, registration, 2, [1, 2, 3])])], 1);
        Assert.Equal("204", await (await ada.Http.PostAsync("/v1/messages", message)).OutcomeAsync());
        var received = (await (await bob.Http.GetAsync(new Uri("/v1/messages", UriKind.Relative), Ct)).ReadAsync<ReceivedMessages>()).Messages;
        var first = received.Single(one => one.Id == message.Id);
        Assert.Equal("204", await (await bob.Http.PostAsync("/v1/messages/ack", new AckMessages([first.Position]))).OutcomeAsync());
        var report = new ReportMessage(first.Id, first.ReportToken!, first.SenderAccount, "spam"u8.ToArray());
        Assert.Equal("204", await (await bob.Http.PostAsync("/v1/senders/reports", report)).OutcomeAsync());

        // As a message for many leaves it, and a wake-up that is being sent.
        var shared = new SharedBody(RandomNumberGenerator.GetBytes(500), 1);
        await mailbox.ShareAsync(shared, now + mailbox.Life, Ct);
        Assert.True(await mailbox.PostAsync([SomeMail.To(phone, RandomNumberGenerator.GetBytes(100), now + mailbox.Life) with { Shared = shared }], Ct));
        await node.Get<IPushOutbox>().ScheduleAsync(phone, now, Ct);
        await node.Get<IPushOutbox>().ScheduleAsync(phone with { Device = 9 }, now + TimeSpan.FromHours(1), Ct);
        await node.Get<IPushOutbox>().ClaimAsync(1, TimeSpan.FromSeconds(10), Ct);
        await node.Get<IMessageQueue>().ExpireAsync(Ct);
        var connection = await mailbox.AttachAsync(phone, new Listener(), Ct);
        await scan.LookAsync(Ct);
        await mailbox.DetachAsync(connection, Ct);
    }

    private static async Task FoundGroupAsync(Node node)
    {
        var (members, link) = (new KeyHolder(node.Http, node.Get<TimeProvider>()), new KeyHolder(node.Http, node.Get<TimeProvider>()));
        var group = new PutGroup(
            1, RandomNumberGenerator.GetBytes(Limits.MinGroupStateBytes), new GroupLink(link.PublicKey, RandomNumberGenerator.GetBytes(50)), null,
            members.PublicKey);
        Assert.Equal("204", await (await members.SendAsync(HttpMethod.Put, "/v1/groups/state", group)).OutcomeAsync());
        var ask = new AskToJoin(RandomNumberGenerator.GetBytes(50));
        Assert.Equal("204", await (await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", ask)).OutcomeAsync());
    }

    private static async Task SendFilesAsync(Node node, Member ada)
    {
        var sender = new FileSender(ada.Http, node.Http);
        await sender.StartAsync(1000);
        var (_, download) = await sender.UploadAsync(FileSender.SomeBytes(1000), downloads: 10);
        Assert.IsType<byte[]>(await sender.ReadAsync(download));

        // As the sweep does when a file ends; nothing else that is of interest here would be left of one that did.
        node.Get<UnfetchedShare>().Note(wasFetched: false);
        await node.Get<UnfetchedShare>().ShareAsync(Ct);
    }

    private static async Task BackUpAsync(Node node)
    {
        var (owner, upload) = (new KeyHolder(node.Http, node.Get<TimeProvider>()), Ids.New());
        await owner.PutBytesAsync($"/v1/backups/chunks/{upload}/0", RandomNumberGenerator.GetBytes(500));
        var backup = new PutBackup(1, upload, 1, RandomNumberGenerator.GetBytes(50));
        Assert.Equal("204", await (await owner.SendAsync(HttpMethod.Put, "/v1/backups", backup)).OutcomeAsync());
    }

    private static async Task CallAsync(Node node, StoreScan scan)
    {
        var room = RoomClient.NewCapability();
        await using var ada = await RoomClient.JoinAsync(node, room);
        await using var bob = await RoomClient.JoinAsync(node, room);
        await bob.SendAsync(RoomClient.Signal(0, "canary of a call"));
        Assert.Equal(bob.Peer, await ada.NextJoinedAsync());
        Assert.Equal("canary of a call", (await ada.NextSignalAsync()).Content);
        await scan.LookAsync(Ct);
        Assert.False(scan.Holds(room));
    }

    private static async Task WakeAsync(Node node, Member ada, FakePushService pushes)
    {
        using var eve = await Member.SignUpAsync(node, "eve@chat.example");
        await PutAsync(eve, "/v1/push", new PutPush(UnifiedPush: new UnifiedPushEndpoint($"{pushes.Url}/eve")));
        var registration = Assert.Single(await node.Get<AccountDirectory>().DevicesAsync(eve.Account, Ct)).RegistrationId;
        var urgent = new SendMessage(
            Guid.CreateVersion7(), [new MessageRecipient(eve.Account, [new DeviceMessage(1, registration, 2, [1, 2, 3])])], 1, Urgent: true);
        Assert.Equal("204", await (await ada.Http.PostAsync("/v1/messages", urgent)).OutcomeAsync());
        await pushes.WaitAsync(1);
    }

    // What a server notes of somebody who looks around, for a while and then for too long, and of whoever proves work.
    private static async Task WorkAsync(Node node, Member bob)
    {
        Assert.Equal("404 not_found", await (await node.Http.GetAsync(new Uri("/nothing", UriKind.Relative), Ct)).OutcomeAsync());
        for (var i = 0; i < Detectors.NameScan.Prove + 5; i++)
        {
            await bob.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(RandomNumberGenerator.GetBytes(32)));
        }

        await node.Get<Anomalies>().FlushAsync(Ct);
        Assert.Equal(
            "428 proof_of_work_required",
            await (await bob.Http.PostAsync("/v1/accounts/lookup", new LookUpIdentifier("nobody@chat.example"))).OutcomeAsync());
        var work = node.Get<ProofOfWork>();
        var caller = RandomNumberGenerator.GetBytes(16);
        Assert.True(await work.RedeemAsync(ProofOfWorkTests.Solve(work.Challenge("otp", caller, 8), 8), "otp", caller, Ct));
        await node.Get<Anomalies>().FlushAsync(Ct);
    }

    private static async Task RefreshAsync(Node node, Member ada, Member tablet, StoreScan scan)
    {
        await (await node.Http.PostAsync("/v1/auth/refresh", new Refresh(ada.Session.RefreshToken))).ReadAsync<Session>();
        Assert.Equal("204", await (await tablet.Http.PostAsync("/v1/auth/logout", new { })).OutcomeAsync());
        await scan.LookAsync(Ct);
    }

    private static async Task PutAsync<T>(Member member, string path, T body)
    {
        var answer = await member.Http.SendAsync(HttpMethod.Put, path, body);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.TextAsync()}");
    }

    private static void AssertSame(IEnumerable<string> published, IEnumerable<string> found)
    {
        var (more, less) = (found.Except(published).ToList(), published.Except(found).ToList());
        Assert.True(more.Count + less.Count is 0, $"Found and not published: [{string.Join(", ", more)}]. Published and not found: [{string.Join(", ", less)}].");
    }

    private static string OwnLines(LogCapture logs) =>
        string.Join('\n', logs.Text.Split('\n').Where(line => line.StartsWith("SecureChat.Server.", StringComparison.Ordinal)));

    private static async Task<Dictionary<string, List<string>>> HeldAsync(Node node)
    {
        using var page = JsonDocument.Parse(await node.Http.GetStringAsync(new Uri("/.well-known/data-held.json", UriKind.Relative), Ct));
        return page.RootElement.EnumerateObject().Where(part => part.Value.ValueKind is JsonValueKind.Array).ToDictionary(
            part => part.Name, part => part.Value.EnumerateArray().Select(entry => entry.GetProperty("field").GetString()!).ToList());
    }

    [GeneratedRegex(@"\[\{?([A-Z][A-Za-z]*)\}?, ")]
    private static partial Regex LogValue();

    private sealed class Listener : IMailListener
    {
        public bool OnMail(long position, long previous, ReadOnlyMemory<byte> envelope) => false;

        public void OnWaiting()
        {
        }

        public void OnLive(ReadOnlyMemory<byte> envelope)
        {
        }

        public void OnDisplaced()
        {
        }
    }
}
