using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Documentation;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed partial class OtpTests
{
    [Theory, EveryStore]
    public async Task A2_of_200_parallel_submits_of_the_right_code_one_makes_an_account(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var ada = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        var request = new Register(ada.IdentityKey, ada.NewDevice(), challenge, code);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
            await (await node.Http.PostAsync("/v1/auth/register", request)).OutcomeAsync()));

        Assert.Equal(1, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(199, outcomes.Count(outcome => outcome is "403 wrong_code"));
    }

    [Theory, EveryStore]
    public async Task A2_after_five_wrong_tries_the_right_code_is_refused(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var ada = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        var wrong = code is "123456" ? "654321" : "123456";

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("403 wrong_code", await SubmitAsync(node, ada, challenge, wrong));
        }

        Assert.Equal("403 wrong_code", await SubmitAsync(node, ada, challenge, code));
    }

    [Fact]
    public async Task The_fifth_try_may_still_be_the_right_one()
    {
        await using var node = await Node.StartAsync();
        var ada = new Person();
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        for (var i = 0; i < 4; i++)
        {
            await SubmitAsync(node, ada, challenge, code is "123456" ? "654321" : "123456");
        }

        Assert.Equal("200", await SubmitAsync(node, ada, challenge, code));
    }

    [Theory, EveryStore]
    public async Task A2_a_code_is_good_for_its_own_challenge_only(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        var (other, otherCode) = await Person.RequestCodeAsync(node, "bob@example.org");
        Assert.SkipWhen(code == otherCode, "The two codes are equal by chance.");

        Assert.Equal("403 wrong_code", await SubmitAsync(node, new Person(), other, code));
        Assert.Equal("403 wrong_code", await SubmitAsync(node, new Person(), challenge, otherCode));
    }

    [Fact]
    public async Task A2_a_code_expires_after_ten_minutes()
    {
        await using var node = await Node.StartAsync();
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");

        node.Clock.Advance(TimeSpan.FromSeconds(601));

        Assert.Equal("403 wrong_code", await SubmitAsync(node, new Person(), challenge, code));
    }

    [Theory, EveryStore]
    public async Task A_code_is_kept_only_as_a_keyed_hash_that_is_bound_to_its_challenge(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");

        var kept = await node.Get<IHotStore>().GetAsync($"otp:{challenge}", TestContext.Current.CancellationToken);
        var held = new StoreScan(node);
        await held.LookAsync(TestContext.Current.CancellationToken);

        var hash = HMACSHA256.HashData(node.Get<Secrets>().OtpKey, Encoding.UTF8.GetBytes($"{challenge}:{code}"));
        Assert.Equal(hash, kept![32..]);
        Assert.Equal(32 + hash.Length, kept!.Length);
        Assert.False(held.Holds(Encoding.ASCII.GetBytes(code)));
        Assert.True(held.Holds(hash));
    }

    [Fact]
    public async Task A3_asking_again_must_wait_longer_each_time()
    {
        await using var node = await Node.StartAsync();
        var waits = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            var answer = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org")))
                .ReadAsync<OtpChallenge>();
            waits.Add(answer.ResendAfter);
            var tooSoon = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("Ada@Example.org"));
            Assert.Equal("429 rate_limited", await tooSoon.OutcomeAsync());
            Assert.InRange(tooSoon.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, answer.ResendAfter);
            node.Clock.Advance(TimeSpan.FromSeconds(answer.ResendAfter + 1));
        }

        Assert.Equal([30, 60, 120, 240], waits);
    }

    [Fact]
    public async Task M7_the_answer_is_the_same_in_bytes_whether_an_account_exists_or_not()
    {
        await using var node = await Node.StartAsync();
        await new Person().SignUpAsync(node, "ada@example.org");
        node.SkipDays(2);

        var known = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("ada@example.org"));
        var unknown = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest("eve@example.org"));

        Assert.Equal(await RedactedAsync(known), await RedactedAsync(unknown));
        Assert.Equal(known.Content.Headers.ContentLength, unknown.Content.Headers.ContentLength);
    }

    [Theory]
    [InlineData("""{"email":"not an address"}""", "422 invalid_identifier")]
    [InlineData("""{"email":"a@b@c"}""", "422 invalid_identifier")]
    [InlineData("""{"email":"a@example.org\r\nBcc: b@example.org"}""", "422 invalid_identifier")]
    [InlineData("""{"phone":"015112345678"}""", "422 invalid_identifier")]
    [InlineData("""{"phone":"+1"}""", "422 invalid_identifier")]
    [InlineData("""{"email":"a@example.org","phone":"+4915112345678"}""", "422 invalid_identifier")]
    [InlineData("{}", "422 invalid_identifier")]
    [InlineData("""{"email":1}""", "400 malformed")]
    [InlineData("""{"email":"a@example.org","email":"b@example.org"}""", "400 malformed")]
    [InlineData("", "400 malformed")]
    public async Task Malformed_identifiers_are_refused(string body, string expected)
    {
        await using var node = await Node.StartAsync();

        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        var answer = await node.Http.PostAsync(new Uri("/v1/auth/otp", UriKind.Relative), content, TestContext.Current.CancellationToken);

        Assert.Equal(expected, await answer.OutcomeAsync());
    }

    [Theory, EveryStore]
    public async Task Spellings_of_one_number_are_one_identifier(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+49 1511 2345678"));

        var again = await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(Phone: "+4915112345678"));

        Assert.Equal("429 rate_limited", await again.OutcomeAsync());
    }

    private static async Task<string> SubmitAsync(Node node, Person person, string challenge, string code) =>
        await (await node.Http.PostAsync(
            "/v1/auth/register", new Register(person.IdentityKey, person.NewDevice(), challenge, code))).OutcomeAsync();

    private static async Task<string> RedactedAsync(HttpResponseMessage response)
    {
        var headers = string.Join('\n', response.Headers.Where(header => header.Key is not "Date").Select(header => $"{header.Key}: {string.Join(',', header.Value)}"));
        return $"{(int)response.StatusCode}\n{headers}\n{Challenge().Replace(await response.TextAsync(), "challenge")}";
    }

    [GeneratedRegex("[A-Za-z0-9_-]{22}")]
    private static partial Regex Challenge();
}
