using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Protocol.Senders;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Server.Tests.Attacks;

/// <summary>
/// How long answers take that must not be told apart, in an order drawn under a fixed seed, from a warm server in this process. How many
/// of each kind says <c>CHAT_TEST_TIMINGS</c>; the published figures are with 2000:
/// <c>CHAT_TEST_TIMINGS=2000 dotnet run -c Release --project tests/SecureChat.Server.Tests -- --filter-class "*RefusalTiming" --show-live-output on</c>
/// </summary>
/// <remarks>A hundred are enough to see that the wait is gone: what it hides are tenths of the whole distribution.</remarks>
public sealed class RefusalTiming(ITestOutputHelper output)
{
    // Of all pairs and both tests together, so that of a hundred honest runs one is measured again, and of ten thousand one fails.
    private const double Significant = 0.01;

    private static readonly int Samples =
        int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_TIMINGS") ?? "100", CultureInfo.InvariantCulture);

    private static readonly int WarmUp = Math.Clamp(Samples / 5, 20, 200);
    private const int GroupSize = 20;

    private static readonly Guid Placeholder = Guid.CreateVersion7();
    private static readonly PrivateKey Sender = PrivateKey.Generate(RandomSource.System);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M7_sealed_refusals_to_one_account_take_the_same_time()
    {
        await using var node = await Node.StartAsync();
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        using var closed = await Member.SignUpAsync(node, "closed@chat.example");
        await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(Random()));
        var revoked = Random();
        await bob.Http.PostAsync("/v1/senders/tokens", new DeliveryTokens(Add: [revoked]));
        Assert.Equal("204", await (await bob.Http.PostAsync("/v1/senders/tokens", new DeliveryTokens(Remove: [revoked]))).OutcomeAsync());
        using var five = await Member.SignUpAsync(node, "five@chat.example");
        await five.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(Random()));
        for (var i = 0; i < 4; i++)
        {
            (await five.LinkAsync(node)).Dispose();
        }

        await MeasureAsync(
            "sealed, one account",
            node.Http,
            ("unknown account", () => Sealed(Guid.CreateVersion7())),
            ("wrong key", () => Sealed(bob.Account)),
            ("closed door", () => Sealed(closed.Account)),
            ("revoked token", () => Sealed(bob.Account, revoked)),
            ("five devices", () => Sealed(five.Account)));
    }

    [Fact]
    public async Task M7_sealed_refusals_to_many_accounts_take_the_same_time()
    {
        await using var node = await Node.StartAsync();
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        using var closed = await Member.SignUpAsync(node, "closed@chat.example");
        await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(Random()));
        var friends = new List<Guid>();
        for (var i = 0; i < GroupSize - 1; i++)
        {
            using var friend = await Member.SignUpAsync(node, $"friend{i}@chat.example");
            await friend.Http.SendAsync(HttpMethod.Put, "/v1/senders/policy", new SendPolicy(Anyone: true));
            friends.Add(friend.Account);
        }

        var template = Many(friends);
        await MeasureAsync(
            $"sealed, {GroupSize} accounts of which one is",
            node.Http,
            ("unknown account", () => Many(template, Guid.CreateVersion7())),
            ("wrong key", () => Many(template, bob.Account)),
            ("closed door", () => Many(template, closed.Account)));
    }

    [Fact]
    public async Task M7_refusals_of_messages_by_name_take_the_same_time()
    {
        await using var node = await Node.StartAsync(("Tokens:AccessLife", "01:00:00"));
        using var alice = await Member.SignUpAsync(node, "alice@chat.example");
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        Assert.Equal("204", await (await bob.Http.SendAsync(HttpMethod.Put, "/v1/senders/blocks", new BlockSender(alice.Account, true))).OutcomeAsync());
        await MeasureAsync(
            "by name",
            alice.Http,
            ("unknown account", () => Named(Guid.CreateVersion7())),
            ("blocked sender", () => Named(bob.Account)));
    }

    [Fact]
    public async Task M7_codes_and_lookups_take_the_same_time_whoever_is_there()
    {
        await using var node = await Node.StartAsync(("Tokens:AccessLife", "01:00:00"), ("Limits:Anomalies", "Watch"), ("Otp:MaxPerDay", "100000"));
        using var alice = await Member.SignUpAsync(node, "alice@chat.example");
        var (known, asked) = (new Queue<string>(), 0);
        for (var i = 0; i < 2 * (Samples + WarmUp); i++)
        {
            known.Enqueue($"known{i}@chat.example");
        }

        foreach (var address in known)
        {
            await new Person().SignUpAsync(node, address);
        }

        node.SkipDays(2);
        await MeasureAsync(
            "one-time code",
            node.Http,
            ("known address", () => Post("/v1/auth/otp", new OtpRequest(known.Dequeue()))),
            ("unknown address", () => Post("/v1/auth/otp", new OtpRequest($"other{asked++}@chat.example"))));
        using var bob = await Member.SignUpAsync(node, "bob@chat.example");
        await MeasureAsync(
            "look-up by address",
            bob.Http,
            ("hidden account", () => Post("/v1/accounts/lookup", new LookUpIdentifier("alice@chat.example"))),
            ("no account", () => Post("/v1/accounts/lookup", new LookUpIdentifier("alicf@chat.example"))));
        var name = RandomNumberGenerator.GetBytes(32);
        using var carol = await Member.SignUpAsync(node, "carol@chat.example");
        await carol.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([name]));
        Assert.Equal("200", await (await carol.Http.SendAsync(HttpMethod.Put, "/v1/account/username", new ConfirmUsername(name, [7]))).OutcomeAsync());
        await MeasureAsync(
            "look-up by username",
            bob.Http,
            ("hit", () => Post("/v1/usernames/lookup", new UsernameHash(name))),
            ("miss", () => Post("/v1/usernames/lookup", new UsernameHash(RandomNumberGenerator.GetBytes(32)))));
    }

    private static HttpRequestMessage Post<T>(string path, T body) =>
        new(HttpMethod.Post, path) { Content = JsonContent.Create(body, options: Node.Json) };

    private static byte[] Random() => RandomNumberGenerator.GetBytes(16);

    private static HttpRequestMessage Sealed(Guid to, byte[]? right = null) => Post(
        "/v1/sealed/messages", new SealedMessage(Guid.CreateVersion7(), to, [new DeviceMessage(1, 1, 6, [1, 2, 3])], 1, right ?? Random()));

    private static HttpRequestMessage Named(Guid to) => Post(
        "/v1/messages", new SendMessage(Guid.CreateVersion7(), [new MessageRecipient(to, [new DeviceMessage(1, 1, 2, [1, 2, 3])])], 1));

    private static HttpRequestMessage Many(byte[] template, Guid last)
    {
        var body = template.ToArray();
        last.TryWriteBytes(body.AsSpan(body.AsSpan().IndexOf(Placeholder.ToByteArray(bigEndian: true))), bigEndian: true, out _);
        var content = new ByteArrayContent(body) { Headers = { ContentType = new("application/x-protobuf") } };
        return new HttpRequestMessage(HttpMethod.Post, "/v1/sealed/many") { Content = content };
    }

    // Made once: only one recipient changes from request to request.
    internal static byte[] Many(IReadOnlyList<Guid> friends)
    {
        Guid[] to = [.. friends, Placeholder];
        var recipients = to.Select(account => new MultiRecipient(ServiceId.OfAccount(account), Sender.PublicKey, [new RecipientDevice(1, 1)]));
        var root = PrivateKey.Generate(RandomSource.System);
        var server = ServerCertificate.Issue(1, root.PublicKey, root, RandomSource.System);
        var certificate = SenderCertificate.Issue(
            ServiceId.OfAccount(Guid.CreateVersion7()), 1, Sender.PublicKey, ulong.MaxValue, server, root, RandomSource.System);
        var many = new SealedMany
        {
            Id = ByteString.CopyFrom(Guid.CreateVersion7().ToByteArray(bigEndian: true)),
            Timestamp = 1,
            Message = ByteString.CopyFrom(MultiRecipientMessage.Seal(
                new SealedContent(CiphertextType.PlaintextContent, certificate, new byte[100]), [.. recipients], [], Sender, RandomSource.System)),
        };
        many.Rights.AddRange(to.Select(_ => ByteString.CopyFrom(Random())));
        return many.ToByteArray();
    }

    // A busy machine may spoil one measurement; what can be told apart can be told apart again.
    private async Task MeasureAsync(string what, HttpClient http, params (string Name, Func<HttpRequestMessage> Make)[] kinds)
    {
        var apart = await ComparedAsync(what, http, kinds, "refusals");
        if (apart.Count > 0)
        {
            apart = await ComparedAsync(what, http, kinds, "refusals again");
        }

        Assert.Empty(apart);
    }

    // The pairs that differ.
    private async Task<List<string>> ComparedAsync(
        string what, HttpClient http, (string Name, Func<HttpRequestMessage> Make)[] kinds, string seed)
    {
        var times = await TimedAsync(http, kinds, seed);
        var report = new StringBuilder();
        for (var i = 0; i < kinds.Length; i++)
        {
            double[] sorted = [.. times[i].Order()];
            report.AppendLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {what} | {kinds[i].Name} | {sorted.Length} | {sorted.Average():F0} | {sorted[sorted.Length / 2]:F0} | {sorted[sorted.Length * 99 / 100]:F0} |"));
        }

        var (apart, comparisons) = (new List<string>(), kinds.Length * (kinds.Length - 1));
        for (var i = 0; i < kinds.Length; i++)
        {
            for (var j = i + 1; j < kinds.Length; j++)
            {
                var (welch, smirnov) = (Statistics.Welch(times[i], times[j]), Statistics.KolmogorovSmirnov(times[i], times[j]));
                var line = string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {what} | {kinds[i].Name} / {kinds[j].Name} | {welch.T:F2} | {welch.P:F3} | {smirnov.D:F4} | {smirnov.P:F3} |");
                report.AppendLine(line);
                if (Math.Min(welch.P, smirnov.P) < Significant / comparisons)
                {
                    apart.Add(line);
                }
            }
        }

        output.WriteLine(report.ToString());
        return apart;
    }

    // Each request is made before its clock starts.
    private static async Task<List<double>[]> TimedAsync(HttpClient http, (string Name, Func<HttpRequestMessage> Make)[] kinds, string seed)
    {
        var times = kinds.Select(_ => new List<double>(Samples)).ToArray();
        var seen = new HashSet<string>();
        foreach (var kind in Shuffled(kinds.Length, seed))
        {
            using var request = kinds[kind].Make();
            await request.Content!.LoadIntoBufferAsync(Ct);
            var began = Stopwatch.GetTimestamp();
            using var answer = await http.SendAsync(request, Ct);
            var took = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
            seen.Add($"{(int)answer.StatusCode}, {(await answer.TextAsync()).Length} bytes");
            times[kind].Add(took);
        }

        Assert.Single(seen);
        Array.ForEach(times, kind => kind.RemoveRange(0, WarmUp));
        return times;
    }

    // The same order in every run: Fisher and Yates under a stream of hashes.
    private static int[] Shuffled(int kinds, string seed)
    {
        var order = Enumerable.Range(0, kinds * (Samples + WarmUp)).Select(i => i % kinds).ToArray();
        for (var i = order.Length - 1; i > 0; i--)
        {
            var drawn = BitConverter.ToUInt32(SHA256.HashData(Encoding.ASCII.GetBytes($"{seed} {i}")));
            var j = (int)(drawn % (uint)(i + 1));
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}
