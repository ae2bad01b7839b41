using System.Globalization;
using System.Net;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Abuse;

public sealed class RateLimitTests
{
    [Fact]
    public async Task A_refusal_says_which_limit_it_was_and_how_long_to_wait()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        for (var i = 0; i < 10; i++)
        {
            var granted = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest($"p{i}@example.org"));
            Assert.Equal("200", await granted.OutcomeAsync());
            Assert.Equal("\"otp\";q=10;w=600", Assert.Single(granted.Headers.GetValues("RateLimit-Policy")));
            Assert.Equal($"\"otp\";r={9 - i};t={60 * (i + 1)}", Assert.Single(granted.Headers.GetValues("RateLimit")));
        }

        var refused = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("one-more@example.org"));

        Assert.Equal("429 rate_limited", await refused.OutcomeAsync());
        Assert.Equal(60, refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        Assert.Equal("\"otp\";r=0;t=60", Assert.Single(refused.Headers.GetValues("RateLimit")));
        node.Clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal("200", await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("one-more@example.org"))).OutcomeAsync());
    }

    [Fact]
    public async Task A_request_over_the_limit_is_refused_before_its_body_is_read()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "0.1"));
        await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));

        using var nonsense = new StringContent("{", System.Text.Encoding.UTF8, "application/json");
        var refused = await node.Http.PostAsync(
            new Uri("/v1/auth/otp", UriKind.Relative), nonsense, TestContext.Current.CancellationToken);

        Assert.Equal("429 rate_limited", await refused.OutcomeAsync());
    }

    [Fact]
    public async Task A_limit_has_the_figures_that_the_operator_gave_it()
    {
        await using var node = await Node.StartAsync(
            ("Limits:Scale", "1"), ("Limits:Overrides:otp:Burst", "1"), ("Limits:Overrides:OTP:Every", "00:00:20"),
            ("Limits:Overrides:PUBLIC_READ:Burst", "1"));

        var granted = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));
        var refused = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("bob@example.org"));
        var keys = await node.Http.GetAsync(new Uri("/.well-known/jwks.json", UriKind.Relative), Ct);

        Assert.Equal("\"otp\";q=1;w=20", Assert.Single(granted.Headers.GetValues("RateLimit-Policy")));
        Assert.Equal(("429 rate_limited", 20), (await refused.OutcomeAsync(), (int)refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds));
        Assert.Equal("\"public-read\";q=1;w=1", Assert.Single(keys.Headers.GetValues("RateLimit-Policy")));
    }

    [Fact]
    public void No_two_limits_share_a_name() => Assert.Distinct(RateLimits.All.Select(limit => limit.Name));

    [Theory]
    [InlineData("2001:db8:1:2::3", "2001:db8:1:2:ffff::1", true)]
    [InlineData("2001:db8:1:2::3", "2001:db8:1:3::3", false)]
    [InlineData("192.0.2.1", "192.0.2.254", true)]
    [InlineData("192.0.2.1", "192.0.3.1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.9", true)]
    public void A8_a_client_shares_a_bucket_with_its_whole_prefix(string one, string other, bool shared) =>
        Assert.Equal(shared, RateLimiter.Network(IPAddress.Parse(one)).AsSpan().SequenceEqual(RateLimiter.Network(IPAddress.Parse(other))));

    [Fact]
    public async Task Names_in_the_hot_store_change_every_hour_of_every_limit_and_of_codes()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        var (hot, account) = ((MemoryHotStore)node.Get<IHotStore>(), Ids.New());

        var before = await NamesAfterUseAsync();
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromHours(1));
        var after = await NamesAfterUseAsync();

        Assert.Equal(RateLimits.All.Count + 4, before.Count);
        Assert.Equal(before.Count, after.Count);
        Assert.Equal(["{otp-budget}", "{otp-sent}", "{otp-wait}"], before.Select(name => name.Split(':')[0]).Where(name => name[1] is 'o').Order());
        Assert.Equal("otp-budget:all", Assert.Single(before.Intersect(after)));

        async Task<HashSet<string>> NamesAfterUseAsync()
        {
            foreach (var limit in RateLimits.All)
            {
                Assert.Equal(TimeSpan.Zero, await node.Get<RateLimiter>().TakeAsync(limit, account, limit.Least, Ct));
            }

            Assert.Equal("200", await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+4915112345678"))).OutcomeAsync());
            Assert.Equal(hot.Names.Count(name => name.StartsWith("otp:", StringComparison.Ordinal)), await Eventually.IsAsync(
                hot.Names.Count(name => name.StartsWith("otp:", StringComparison.Ordinal)), () => Task.FromResult(node.Outbox.Count)));
            await hot.ExpireAsync(Ct);

            // The challenge of a code is random, and the request's own limit is that of its network.
            var network = node.Get<HourlyNames>().Of("limit:otp:", RateLimiter.Network(null), TimeSpan.FromMinutes(10)).Now;
            return [.. hot.Names.Where(name => name.Contains("limit:", StringComparison.Ordinal) || name.Contains("otp-", StringComparison.Ordinal))
                .Where(name => name != network)];
        }
    }

    [Fact]
    public async Task A_quota_of_more_than_an_hour_does_not_start_again_with_its_name_however_long_nobody_looked()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"));
        var (limiter, account) = (node.Get<RateLimiter>(), Ids.New());
        Assert.Equal(TimeSpan.Zero, await limiter.TakeAsync(RateLimits.LookUp, account, 100, Ct));
        Assert.Equal(TimeSpan.Zero, await limiter.TakeAsync(RateLimits.OneTimeKeysOfPair, account, 4, Ct));

        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromMinutes(90));
        Assert.True(await limiter.TakeAsync(RateLimits.OneTimeKeysOfPair, account, 4, Ct) > TimeSpan.Zero);
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromHours(18.5));

        Assert.True(await limiter.TakeAsync(RateLimits.LookUp, account, 85, Ct) > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, await limiter.TakeAsync(RateLimits.LookUp, account, 83, Ct));
        Assert.Equal(TimeSpan.Zero, await limiter.TakeAsync(RateLimits.OneTimeKeysOfPair, account, 4, Ct));
    }

    [Fact]
    public async Task Two_nodes_draw_from_one_bucket_in_one_round_trip_each()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        (string, string)[] stores =
        [
            ("Storage:Postgres", await TemporaryServers.NewPostgresDatabaseAsync()), ("Storage:Redis", redis.ConnectionString),
            ("Limits:Scale", "1"), ("Secrets:IdentifierKey", Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32))),
        ];
        await using var one = await Node.StartAsync(clock: null, stores);
        await using var other = await Node.StartAsync(clock: null, stores);
        await using var store = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var (server, subject) = (store.GetServers()[0], Ids.New());
        await one.Get<RateLimiter>().TakeAsync(RateLimits.LookUp, subject, 0, Ct);

        await server.ExecuteAsync("CONFIG", "RESETSTAT");
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(TimeSpan.Zero, await (i % 2 is 0 ? one : other).Get<RateLimiter>().TakeAsync(RateLimits.RequestOtp, subject, 1, Ct));
        }

        for (var i = 0; i < 100; i++)
        {
            await (i % 2 is 0 ? one : other).Get<RateLimiter>().TakeAsync(RateLimits.LookUp, subject, 1, Ct);
        }

        var eleventh = await other.Get<RateLimiter>().TakeAsync(RateLimits.RequestOtp, subject, 1, Ct);
        var calls = (await server.InfoAsync("commandstats")).SelectMany(group => group)
            .Where(line => line.Key is "cmdstat_evalsha" or "cmdstat_eval").Sum(line => int.Parse(line.Value.Split('=', ',')[1], CultureInfo.InvariantCulture));

        Assert.InRange(eleventh, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

        // The second node may have had to hand the script over once, and both have work of their own.
        Assert.InRange(calls, 111, 130);
    }

    [Fact]
    public async Task Without_the_hot_store_people_keep_talking_and_guessing_stops()
    {
        await using var redis = await TemporaryRedis.StartAsync(Ct);
        await using var node = await Node.StartAsync(
            clock: null, ("Storage:Postgres", await TemporaryServers.NewPostgresDatabaseAsync()),
            ("Storage:Redis", redis.ConnectionString), ("Limits:Scale", "1"));
        using var alice = await Member.SignUpAsync(node, "alice@chat.example");

        await redis.KillAsync(Ct);

        var own = await alice.Http.GetAsync(new Uri("/v1/devices", UriKind.Relative), Ct);
        var guess = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("bob@chat.example"));
        Assert.Equal(("200", "503 unavailable"), (await own.OutcomeAsync(), await guess.OutcomeAsync()));
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;
}
