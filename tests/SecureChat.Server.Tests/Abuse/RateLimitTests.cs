using System.Net;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Tests.Support;

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

    [Theory]
    [InlineData("2001:db8:1:2::3", "2001:db8:1:ffff::1", true)]
    [InlineData("2001:db8:1:2::3", "2001:db8:2:2::3", false)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    public void An_IPv6_client_shares_a_bucket_with_its_whole_prefix(string one, string other, bool shared) =>
        Assert.Equal(shared, RateLimiter.Network(IPAddress.Parse(one)).AsSpan().SequenceEqual(RateLimiter.Network(IPAddress.Parse(other))));
}
