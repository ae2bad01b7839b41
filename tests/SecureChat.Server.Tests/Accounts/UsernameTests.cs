using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed class UsernameTests
{
    [Theory, EveryStore]
    public async Task A_reserved_username_can_be_confirmed_and_found(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var hash = RandomNumberGenerator.GetBytes(32);

        var link = await TakeAsync(ada, hash);

        Assert.Equal(ada.Account, await FindAsync(bob, hash));
        var encrypted = await (await bob.Http.PostAsync("/v1/usernames/link", new UsernameLink(link))).ReadAsync<EncryptedUsername>();
        Assert.Equal([7, 7], encrypted.Encrypted);
        Assert.Equal("404 not_found", await (await bob.Http.PostAsync("/v1/usernames/link", new UsernameLink(Guid.Empty))).OutcomeAsync());
    }

    [Fact]
    public async Task M6_a_hit_and_a_miss_are_alike_in_bytes()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var hash = RandomNumberGenerator.GetBytes(32);
        await TakeAsync(ada, hash);

        var hit = await bob.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(hash));
        var miss = await bob.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(RandomNumberGenerator.GetBytes(32)));

        Assert.Equal(hit.StatusCode, miss.StatusCode);
        Assert.Equal($"{hit.Headers}{hit.Content.Headers}", $"{miss.Headers}{miss.Content.Headers}");
        Assert.Equal((await hit.TextAsync()).Length, (await miss.TextAsync()).Length);
    }

    [Theory, EveryStore]
    public async Task One_of_many_who_want_a_username_gets_it(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var people = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Member.SignUpAsync(node, $"p{i}@example.org")));
        var hash = RandomNumberGenerator.GetBytes(32);

        var outcomes = await Task.WhenAll(people.Select(async person =>
            await (await person.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([hash]))).OutcomeAsync()));

        Assert.Equal(1, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(7, outcomes.Count(outcome => outcome is "409 username_taken"));
        Array.ForEach(people, person => person.Dispose());
    }

    [Fact]
    public async Task The_first_free_candidate_is_reserved_for_five_minutes()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var (taken, free) = (RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(32));
        await TakeAsync(ada, taken);

        var reserved = await (await bob.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([taken, free])))
            .ReadAsync<UsernameHash>();

        Assert.Equal(free, reserved.Hash);
        Assert.Equal("409 username_taken", await ConfirmAsync(bob, taken));
        Assert.Equal("409 username_taken", await ConfirmAsync(ada, free));
        node.Clock.Advance(TimeSpan.FromSeconds(301));
        Assert.Equal("409 username_taken", await ConfirmAsync(bob, free));
    }

    [Theory, EveryStore]
    public async Task A_deleted_username_leads_nowhere_and_is_free_again(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var hash = RandomNumberGenerator.GetBytes(32);
        var link = await TakeAsync(ada, hash);

        await ada.Http.DeleteAsync(new Uri("/v1/account/username", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(Guid.Empty, await FindAsync(bob, hash));
        Assert.Equal("404 not_found", await (await bob.Http.PostAsync("/v1/usernames/link", new UsernameLink(link))).OutcomeAsync());
        await TakeAsync(bob, hash);
        Assert.Equal(bob.Account, await FindAsync(ada, hash));
    }

    [Theory, EveryStore]
    public async Task A_new_link_ends_the_old_one_unless_it_is_kept(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        Assert.Equal("404 not_found", await (await PutLinkAsync(ada, keep: false)).OutcomeAsync());
        var first = await TakeAsync(ada, RandomNumberGenerator.GetBytes(32));

        var kept = (await (await PutLinkAsync(ada, keep: true)).ReadAsync<UsernameLink>()).Link;
        var changed = (await (await PutLinkAsync(ada, keep: false)).ReadAsync<UsernameLink>()).Link;

        Assert.Equal(first, kept);
        Assert.NotEqual(first, changed);
        Assert.Equal("404 not_found", await (await ada.Http.PostAsync("/v1/usernames/link", new UsernameLink(first))).OutcomeAsync());
        await ada.Http.DeleteAsync(new Uri("/v1/account/username/link", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal("404 not_found", await (await ada.Http.PostAsync("/v1/usernames/link", new UsernameLink(changed))).OutcomeAsync());
    }

    [Theory]
    [InlineData("ada@example.org", null, "eve@example.org", null, "Ada@Example.org", null)]
    [InlineData(null, "+4915112345678", null, "+4915112345679", null, "+49 1511 2345678")]
    public async Task M6_an_address_finds_its_account_only_after_opting_in(
        string? email, string? phone, string? noEmail, string? noPhone, string? emailAgain, string? phoneAgain)
    {
        await using var node = await Node.StartAsync();
        var challenge = await (await node.Http.PostAsync("/v1/auth/otp", new OtpRequest(email, phone))).ReadAsync<OtpChallenge>();
        var person = new Person();
        var session = await (await node.Http.PostAsync("/v1/auth/register", new Register(
            person.IdentityKey, person.NewDevice(), challenge.Challenge, await node.Outbox.CodeAsync(challenge.Challenge)))).ReadAsync<Session>();
        using var ada = node.As(session.AccessToken);
        using var bob = await Member.SignUpAsync(node, "bob@example.org");
        var hidden = await bob.Http.PostAsync("/v1/accounts/lookup", new LookUpIdentifier(email, phone));
        var unknown = await bob.Http.PostAsync("/v1/accounts/lookup", new LookUpIdentifier(noEmail, noPhone));
        Assert.Equal(await hidden.TextAsync(), await unknown.TextAsync());

        await ada.SendAsync(HttpMethod.Put, "/v1/account/discoverable", new Discoverable(true));
        var found = await bob.Http.PostAsync("/v1/accounts/lookup", new LookUpIdentifier(emailAgain, phoneAgain));

        Assert.Equal(session.Account, (await found.ReadAsync<FoundAccount>()).Account);
    }

    [Fact]
    public async Task M6_lookups_have_a_daily_quota_per_account()
    {
        await using var node = await Node.StartAsync(("Limits:Scale", "1"), ("Limits:Anomalies", "Watch"));
        using var ada = await Member.SignUpAsync(node, "ada@example.org");

        var outcomes = new List<string>();
        for (var i = 0; i < 10_000; i++)
        {
            outcomes.Add(await (await ada.Http.PostAsync(
                "/v1/usernames/lookup", new UsernameHash(RandomNumberGenerator.GetBytes(32)))).OutcomeAsync());
        }

        Assert.Equal(100, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(9_900, outcomes.Count(outcome => outcome is "429 rate_limited"));
    }

    private static async Task<Guid> TakeAsync(Member member, byte[] hash)
    {
        await (await member.Http.PostAsync("/v1/account/username/reserve", new ReserveUsername([hash]))).ReadAsync<UsernameHash>();
        var confirmed = await member.Http.SendAsync(HttpMethod.Put, "/v1/account/username", new ConfirmUsername(hash, [7, 7]));
        return (await confirmed.ReadAsync<UsernameLink>()).Link;
    }

    private static async Task<string> ConfirmAsync(Member member, byte[] hash) => await (await member.Http.SendAsync(
        HttpMethod.Put, "/v1/account/username", new ConfirmUsername(hash, [7]))).OutcomeAsync();

    private static Task<HttpResponseMessage> PutLinkAsync(Member member, bool keep) =>
        member.Http.SendAsync(HttpMethod.Put, "/v1/account/username/link", new PutUsernameLink([8], keep));

    private static async Task<Guid> FindAsync(Member member, byte[] hash) =>
        (await (await member.Http.PostAsync("/v1/usernames/lookup", new UsernameHash(hash))).ReadAsync<FoundAccount>()).Account;
}
