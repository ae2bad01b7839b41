using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>What the detectors do at the doors, and to whom.</summary>
public sealed class AnomalyEndpointsTests
{
    private const string Attacker = "192.0.2.66";
    private const string Neighbour = "192.0.2.7";
    private const string Elsewhere = "198.51.100.7";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Codes_that_nobody_enters_cost_their_network_work_and_at_last_are_refused()
    {
        await using var node = await StartAsync();
        for (var i = 0; i < Detectors.UnusedCodes.Prove; i++)
        {
            Assert.Equal("200", await (await AskAsync(node, Attacker, $"v{i}@example.org")).OutcomeAsync());
        }

        var asked = await AskAsync(node, Attacker, "one-more@example.org");
        var proof = await WorkAsync(asked);
        var admitted = await AskAsync(node, Attacker, "one-more@example.org", proof);
        var again = await AskAsync(node, Attacker, "yet-more@example.org", proof);
        var elsewhere = await AskAsync(node, Elsewhere, "ada@example.org");
        await AnomaliesTests.ObserveAsync(node.Get<Anomalies>(), Detectors.UnusedCodes, [192, 0, 2], 150);
        var refused = await AskAsync(node, Attacker, "last@example.org", await WorkAsync(asked));

        Assert.Equal(
            ("428 proof_of_work_required", "200", "428 proof_of_work_required", "200", "429 rate_limited"),
            (await asked.OutcomeAsync(), await admitted.OutcomeAsync(), await again.OutcomeAsync(), await elsewhere.OutcomeAsync(),
                await refused.OutcomeAsync()));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromMinutes(1), TimeSpan.FromHours(6));
    }

    [Fact]
    public async Task A_code_that_is_entered_counts_for_its_network()
    {
        await using var node = await StartAsync();
        for (var i = 0; i < 30; i++)
        {
            await new Person().SignUpAsync(node, $"colleague{i}@example.org");
        }

        Assert.DoesNotContain(node.Get<Anomalies>().Suspects.All(), one => one.Actor.Detector == Detectors.UnusedCodes);
    }

    [Theory, EveryStore]
    public async Task Codes_to_one_range_of_numbers_take_work_when_half_is_spent_and_stop_when_all_is(Stores stores)
    {
        await using var node = await Node.StartAsync(
            stores, ("Limits:Scale", "1"), ("Limits:Overrides:otp:Burst", "1000"), ("Otp:MaxPerRangePerDay", "8"));
        var outcomes = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            var request = new OtpRequest(Phone: $"+491511234567{i}");
            var answer = await node.Http.PostAsync("/v1/auth/otp", request);
            outcomes.Add(await answer.OutcomeAsync());
            if (outcomes[^1] is "428 proof_of_work_required")
            {
                answer = await PostAsync(node.Http, "/v1/auth/otp", request, Attacker, await WorkAsync(answer));
                outcomes.Add(await answer.OutcomeAsync());
            }

            if (answer.IsSuccessStatusCode)
            {
                await node.Outbox.CodeAsync((await answer.ReadAsync<OtpChallenge>()).Challenge);
            }
        }

        var other = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+4915212345670"));
        var mail = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));

        Assert.Equal(["200", "200", "200", "428 proof_of_work_required", "200", "429 rate_limited"], outcomes);
        Assert.Equal(("200", "200"), (await other.OutcomeAsync(), await mail.OutcomeAsync()));
    }

    [Fact]
    public async Task T21_nobody_can_have_a_victim_refused_by_acting_in_its_name_or_beside_it()
    {
        await using var node = await StartAsync();
        using var victim = await Member.SignUpAsync(node, "victim@example.org");
        using var friend = await Member.SignUpAsync(node, "friend@example.org");
        var forged = $"{victim.Session.AccessToken[..^20]}{new string('A', 20)}";
        for (var i = 0; i < 10_000; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/devices");
            request.Headers.Authorization = new("Bearer", forged);
            request.Headers.Add("X-Forwarded-For", Attacker);
            using var refused = await node.Http.SendAsync(request, Ct);
            Assert.Equal(401, (int)refused.StatusCode);
        }

        var anomalies = node.Get<Anomalies>();
        await anomalies.FlushAsync(Ct);
        var attack = await PostAsync(node.Http, "/v1/auth/register", new Register(victim.Person.IdentityKey, victim.Person.NewDevice(), new string('a', 22), "123456"), Attacker);

        Assert.Equal("428 proof_of_work_required", await attack.OutcomeAsync());
        Assert.All(anomalies.Suspects.All(), one => Assert.Equal(LimitScope.Address, one.Actor.Detector.Actor));
        Assert.True((await PostAsync(victim.Http, "/v1/keys/fetch", new FetchKeys(friend.Account), Neighbour)).IsSuccessStatusCode);
        Assert.True((await PostAsync(victim.Http, "/v1/usernames/lookup", new UsernameHash(new byte[32]), Neighbour)).IsSuccessStatusCode);
        Assert.True((await PostAsync(victim.Http, "/v1/auth/ws-ticket", new { }, Neighbour)).IsSuccessStatusCode);
        Assert.Equal("204", await (await PostAsync(victim.Http, "/v1/messages", await FirstAsync(victim, friend), Neighbour)).OutcomeAsync());
        var refreshed = await PostAsync(node.Http, "/v1/auth/refresh", new Refresh(victim.Session.RefreshToken), Neighbour);
        Assert.Equal("200", await refreshed.OutcomeAsync());
    }

    [Fact]
    public async Task New_accounts_from_a_network_that_made_many_take_work_or_an_invite_and_old_ones_do_not()
    {
        await using var node = await StartAsync();
        var old = new Person();
        await old.SignUpAsync(node, "old@example.org");
        await AnomaliesTests.ObserveAsync(node.Get<Anomalies>(), Detectors.SignUps, RateLimiter.Network(null), 60);

        node.Clock.Advance(TimeSpan.FromMinutes(1));
        var asked = await new Person().TrySignUpAsync(node, "new@example.org");
        var again = await old.TrySignUpAsync(node, "old@example.org");
        var invite = await node.Get<Invites>().CreateAsync(1, TimeSpan.FromDays(1), Ct);
        var (guest, second) = (new Person(), new Person());
        var invited = await SignUpAsync(node, guest, "guest@example.org", invite);
        var late = await SignUpAsync(node, second, "second@example.org", invite);

        Assert.Equal(
            ("428 proof_of_work_required", "200", "200", "428 proof_of_work_required"),
            (await asked.OutcomeAsync(), await again.OutcomeAsync(), await invited.OutcomeAsync(), await late.OutcomeAsync()));
    }

    [Fact]
    public async Task Guessing_names_costs_the_account_that_guesses_and_no_other()
    {
        await using var node = await StartAsync(("Limits:Overrides:look-up:Burst", "1000"));
        using var scanner = await Member.SignUpAsync(node, "scanner@example.org");
        using var other = await Member.SignUpAsync(node, "other@example.org");
        for (var i = 0; i < Detectors.NameScan.Prove; i++)
        {
            await scanner.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(RandomNumberGenerator.GetBytes(32)));
        }

        var asked = await scanner.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(new byte[32]));
        var worked = await PostAsync(scanner.Http, "/v1/usernames/lookup", new UsernameHash(new byte[32]), Attacker, await WorkAsync(asked));
        var beside = await other.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(new byte[32]));

        Assert.Equal(("428 proof_of_work_required", "200", "200"), (await asked.OutcomeAsync(), await worked.OutcomeAsync(), await beside.OutcomeAsync()));
    }

    [Fact]
    public async Task Whoever_is_slowed_down_pays_four_times_of_the_limit()
    {
        await using var node = await StartAsync(("Limits:Overrides:look-up:Burst", "100"));
        using var member = await Member.SignUpAsync(node, "ada@example.org");
        await AnomaliesTests.ObserveAsync(
            node.Get<Anomalies>(), Detectors.NameScan, member.Account.ToByteArray(bigEndian: true), Detectors.NameScan.Slow);

        var answer = await member.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(new byte[32]));

        Assert.StartsWith("\"look-up\";r=96;", Assert.Single(answer.Headers.GetValues("RateLimit")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Strangers_who_sweep_keys_are_judged_by_network_and_members_beside_them_by_account()
    {
        await using var node = await StartAsync(("Limits:Overrides:fetch-keys:Burst", "10000"));
        using var member = await Member.SignUpAsync(node, "ada@example.org");
        for (var i = 0; i < 1100; i++)
        {
            await PostAsync(node.Http, "/v1/keys/fetch", new FetchKeys(Ids.New()), Attacker);
        }

        var stranger = await PostAsync(node.Http, "/v1/keys/fetch", new FetchKeys(member.Account), Neighbour);
        var beside = await PostAsync(member.Http, "/v1/keys/fetch", new FetchKeys(member.Account), Neighbour);

        Assert.Equal(("428 proof_of_work_required", "200"), (await stranger.OutcomeAsync(), await beside.OutcomeAsync()));
    }

    [Fact]
    public async Task Writing_first_to_many_takes_work_and_conversations_that_there_are_go_on()
    {
        await using var node = await StartAsync();
        using var spammer = await Member.SignUpAsync(node, "spammer@example.org");
        using var friend = await Member.SignUpAsync(node, "friend@example.org");
        for (var i = 0; i < Detectors.FanOut.Prove; i++)
        {
            node.Get<Anomalies>().Observe(Detectors.FanOut, spammer.Account.ToByteArray(bigEndian: true), Ids.New());
        }

        await node.Get<Anomalies>().FlushAsync(Ct);
        await AnomaliesTests.ObserveAsync(node.Get<Anomalies>(), Detectors.FanOut, spammer.Account.ToByteArray(bigEndian: true), 30);
        var asked = await spammer.Http.PostAsync("/v1/messages", await FirstAsync(spammer, friend));
        var worked = await PostAsync(spammer.Http, "/v1/messages", await FirstAsync(spammer, friend), Attacker, await WorkAsync(asked));
        var usual = await spammer.Http.PostAsync("/v1/messages", await FirstAsync(spammer, friend, type: 2));

        Assert.Equal(("428 proof_of_work_required", "204", "204"), (await asked.OutcomeAsync(), await worked.OutcomeAsync(), await usual.OutcomeAsync()));

        // What is sealed may be the first of a session, too, unless it is for one's own devices (of which there is no other here).
        var hidden = await spammer.Http.PostAsync("/v1/messages", await FirstAsync(spammer, friend, type: 6));
        var toItself = await spammer.Http.PostAsync("/v1/messages", await FirstAsync(spammer, spammer, type: 6));
        Assert.Equal(("428 proof_of_work_required", "409 mismatched_devices"), (await hidden.OutcomeAsync(), await toItself.OutcomeAsync()));
    }

    private static Task<Node> StartAsync(params (string, string)[] settings) => Node.StartAsync(
        [
            ("Limits:Scale", "1"), ("Server:TrustedProxies:0", "10.0.0.0/8"), ("Limits:Overrides:otp:Burst", "1000"),
            ("Limits:Overrides:register:Burst", "1000"), .. settings,
        ]);

    private static async Task<HttpResponseMessage> AskAsync(Node node, string from, string email, string? proof = null)
    {
        var answer = await PostAsync(node.Http, "/v1/auth/otp", new OtpRequest(email), from, proof);
        await node.Get<Anomalies>().FlushAsync(Ct);
        return answer;
    }

    private static async Task<HttpResponseMessage> SignUpAsync(Node node, Person person, string email, string invite)
    {
        var (challenge, code) = await Person.RequestCodeAsync(node, email);
        return await node.Http.PostAsync("/v1/auth/register", new Register(person.IdentityKey, person.NewDevice(), challenge, code, invite));
    }

    internal static async Task<HttpResponseMessage> PostAsync<T>(HttpClient http, string path, T body, string from, string? proof = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, options: Node.Json) };
        request.Headers.Add("X-Forwarded-For", from);
        if (proof is not null)
        {
            request.Headers.Add("SecureChat-Proof", proof);
        }

        return await http.SendAsync(request, Ct);
    }

    // Does the work that an answer asks for.
    internal static async Task<string> WorkAsync(HttpResponseMessage asked)
    {
        using var problem = JsonDocument.Parse(await asked.TextAsync());
        var difficulty = problem.RootElement.GetProperty("difficulty").GetInt32();
        Assert.InRange(difficulty, 18, 22);
        return ProofOfWorkTests.Solve(problem.RootElement.GetProperty("challenge").GetString()!, difficulty);
    }

    private static async Task<SendMessage> FirstAsync(Member from, Member to, int type = 3)
    {
        var bundles = await (await from.Http.PostAsync("/v1/keys/fetch", new FetchKeys(to.Account))).ReadAsync<KeyBundles>();
        return new(
            Ids.New(), [new MessageRecipient(to.Account, [new DeviceMessage(1, bundles.Devices[0].RegistrationId, type, [1, 2, 3])])], 1_700_000_000_000);
    }
}
