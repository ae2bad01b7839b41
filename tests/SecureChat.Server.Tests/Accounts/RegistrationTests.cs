using System.Security.Cryptography;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Keys;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Accounts;

public sealed class RegistrationTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task Registering_again_keeps_the_account_and_removes_everything_of_its_devices(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        using var tablet = await ada.LinkAsync(node);
        foreach (var old in (Member[])[ada, tablet])
        {
            var keys = new PublishKeys(OneTimeKeys: [new OneTimeKey(1, old.Person.IdentityKey)], KyberOneTimeKeys: [old.Person.Sign(Person.KyberKey())]);
            Assert.Equal("204", await (await old.Http.SendAsync(HttpMethod.Put, "/v1/keys", keys)).OutcomeAsync());
            await node.Get<IMessageQueue>().AppendAsync(
                [SomeMail.To(new(old.Account, old.Session.Device), new byte[50], TimeProvider.System.GetUtcNow().AddYears(1))], null, Ct);
            Assert.NotEmpty(await MailAsync(node, old));
        }

        Assert.Equal((4, 2, 2), await CountAsync(node, ada.Account));
        await Person.ForgetWaitAsync(node, "ada@example.org");
        var newPhone = new Person();

        var session = await newPhone.SignUpAsync(node, "ada@example.org");

        Assert.Equal(ada.Account, session.Account);
        Assert.False(await ada.IsSignedInAsync());
        Assert.False(await tablet.IsSignedInAsync());
        foreach (var old in (Member[])[ada, tablet])
        {
            var refreshed = await node.Http.PostAsync("/v1/auth/refresh", new Refresh(old.Session.RefreshToken));
            Assert.Equal("401 unauthorized", await refreshed.OutcomeAsync());
            Assert.Empty(await MailAsync(node, old));
        }

        // The new device's own, and no one-time key of the old ones.
        Assert.Equal((0, 1, 1), await CountAsync(node, ada.Account));
        var fetched = await (await node.Http.PostAsync("/v1/keys/fetch", new FetchKeys(session.Account))).ReadAsync<KeyBundles>();
        Assert.Equal(newPhone.IdentityKey, fetched.IdentityKey);
        Assert.Null(Assert.Single(fetched.Devices).OneTimeKey);
        using var now = node.As(session.AccessToken);
        Assert.Single((await DeviceTests.ListAsync(new Member(newPhone, session, now))).Devices);
    }

    [Theory, EveryStore]
    public async Task An_account_that_cannot_get_its_keys_leaves_nothing_behind_and_gives_its_invite_back(Stores stores)
    {
        await using var node = await Node.StartAsync(
            stores, ("Accounts:Registration", "Invite"), ("Logging:LogLevel:Microsoft", "None"));
        var invite = await node.Get<Invites>().CreateAsync(uses: 1, TimeSpan.FromDays(1), Ct);
        await node.Get<Database>().ExecuteAsync($"ALTER TABLE device_keys RENAME TO keys_away", Ct);

        var broken = await InvitedAsync(node, invite);
        await node.Get<Database>().ExecuteAsync($"ALTER TABLE keys_away RENAME TO device_keys", Ct);
        var left = new[]
        {
            await RowsAsync(node, $"SELECT COUNT(*) FROM accounts"), await RowsAsync(node, $"SELECT COUNT(*) FROM devices"),
            await RowsAsync(node, $"SELECT COUNT(*) FROM refresh_tokens"), await RowsAsync(node, $"SELECT used FROM invites"),
        };
        var mended = await InvitedAsync(node, invite);

        Assert.Equal(("500 internal", "200"), (broken, mended));
        Assert.Equal([0, 0, 0, 0], left);
    }

    [Fact]
    public async Task Keys_with_a_flipped_bit_are_refused_and_leave_no_account_behind()
    {
        await using var node = await Node.StartAsync();
        var ada = new Person();
        var good = ada.NewDevice();

        foreach (var bad in (NewDevice[])
            [
                good with { SignedPreKey = Flipped(good.SignedPreKey) },
                good with { LastResortKey = Flipped(good.LastResortKey) },
                good with { SignedPreKey = good.SignedPreKey with { Key = new Person().IdentityKey } },
                good with { SignedPreKey = new Person().Sign(good.SignedPreKey.Key) },
            ])
        {
            var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
            var answer = await node.Http.PostAsync("/v1/auth/register", new Register(ada.IdentityKey, bad, challenge, code));
            Assert.Equal("422 bad_signature", await answer.OutcomeAsync());
            node.Clock.Advance(TimeSpan.FromHours(1));
        }

        var accounts = await node.Get<Database>().QueryAsync<long>(
            $"SELECT COUNT(*) FROM accounts", Ct);
        Assert.Equal([0], accounts);
    }

    [Fact]
    public async Task Fields_out_of_range_are_refused()
    {
        await using var node = await Node.StartAsync();
        var ada = new Person();
        var good = ada.NewDevice();

        foreach (var (identity, bad) in ((byte[], NewDevice)[])
            [
                (ada.IdentityKey, good with { RegistrationId = 0 }),
                (ada.IdentityKey, good with { RegistrationId = 16384 }),
                (ada.IdentityKey, good with { Name = new byte[226] }),
                (ada.IdentityKey, good with { Capabilities = ["not ok"] }),
                (ada.IdentityKey, good with { SignedPreKey = good.SignedPreKey with { KeyId = -1 } }),
                (ada.IdentityKey, good with { SignedPreKey = good.SignedPreKey with { Key = [] } }),
                (ada.IdentityKey, good with { LastResortKey = good.LastResortKey with { Signature = new byte[63] } }),
                (ada.IdentityKey[1..], good),
                ([], good),
            ])
        {
            var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
            var answer = await node.Http.PostAsync("/v1/auth/register", new Register(identity, bad, challenge, code));
            Assert.Equal("400 malformed", await answer.OutcomeAsync());
            node.Clock.Advance(TimeSpan.FromHours(1));
        }
    }

    [Theory, EveryStore]
    public async Task A8_an_invite_makes_as_many_accounts_as_it_has_uses(Stores stores)
    {
        await using var node = await Node.StartAsync(stores, ("Accounts:Registration", "Invite"));
        var invite = await node.Get<Invites>().CreateAsync(uses: 3, TimeSpan.FromDays(1), Ct);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => await InvitedAsync(node, invite)));

        Assert.Equal(3, outcomes.Count(outcome => outcome is "200"));
        Assert.Equal(17, outcomes.Count(outcome => outcome is "403 wrong_code"));
    }

    [Fact]
    public async Task An_invite_ends_by_time_and_by_revocation()
    {
        await using var node = await Node.StartAsync(("Accounts:Registration", "Invite"));
        var invites = node.Get<Invites>();
        var revoked = await invites.CreateAsync(5, TimeSpan.FromDays(1), Ct);
        Assert.Equal("200", await InvitedAsync(node, revoked.ToLowerInvariant().Replace("-", " ", StringComparison.Ordinal)));
        var listed = Assert.Single(await invites.ListAsync(Ct));
        Assert.Equal((5, 1), (listed.Uses, listed.Used));

        await invites.RevokeAsync(listed.Name, Ct);
        var expired = await invites.CreateAsync(5, TimeSpan.FromDays(1), Ct);
        node.Clock.Advance(TimeSpan.FromHours(25));

        Assert.Equal("403 wrong_code", await InvitedAsync(node, revoked));
        Assert.Equal("403 wrong_code", await InvitedAsync(node, expired));
    }

    [Fact]
    public async Task Where_invites_are_asked_for_a_known_identifier_needs_none()
    {
        await using var node = await Node.StartAsync(("Accounts:Registration", "Invite"));
        var ada = new Person();
        Assert.Equal("403 invite_required", await (await ada.TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
        node.Clock.Advance(TimeSpan.FromMinutes(5));
        var invite = await node.Get<Invites>().CreateAsync(1, TimeSpan.FromDays(1), Ct);
        var (challenge, code) = await Person.RequestCodeAsync(node, "ada@example.org");
        var request = new Register(ada.IdentityKey, ada.NewDevice(), challenge, code, "mistyped");
        Assert.Equal("403 wrong_code", await (await node.Http.PostAsync("/v1/auth/register", request)).OutcomeAsync());
        var first = await (await node.Http.PostAsync("/v1/auth/register", request with { Invite = invite })).ReadAsync<Session>();
        node.Clock.Advance(TimeSpan.FromMinutes(5));

        var second = await ada.SignUpAsync(node, "ada@example.org");

        Assert.Equal(first.Account, second.Account);
    }

    [Fact]
    public async Task A_closed_server_takes_nobody_new()
    {
        await using var node = await Node.StartAsync(("Accounts:Registration", "Closed"));
        var invite = await node.Get<Invites>().CreateAsync(1, TimeSpan.FromDays(1), Ct);

        Assert.Equal("403 registration_closed", await InvitedAsync(node, invite));
        Assert.Equal("403 registration_closed", await (await new Person().TrySignUpAsync(node, "ada@example.org")).OutcomeAsync());
    }

    private static async Task<string> InvitedAsync(Node node, string invite)
    {
        var person = new Person();
        return await (await node.Http.PostAsync(
            "/v1/auth/register", new Register(person.IdentityKey, person.NewDevice(), Invite: invite))).OutcomeAsync();
    }

    private static Task<IReadOnlyList<StoredMail>> MailAsync(Node node, Member member) =>
        node.Get<IMessageQueue>().ReadAsync(new(member.Account, member.Session.Device), 0, 10, Ct);

    // Rows of the account: one-time keys, lasting keys, refresh tokens.
    private static async Task<(long, long, long)> CountAsync(Node node, Guid account) =>
    (
        await RowsAsync(node, $"SELECT COUNT(*) FROM one_time_keys WHERE account = {account}"),
        await RowsAsync(node, $"SELECT COUNT(*) FROM device_keys WHERE account = {account}"),
        await RowsAsync(node, $"SELECT COUNT(*) FROM refresh_tokens WHERE account = {account}"));

    private static Task<long> RowsAsync(Node node, Sql sql) => node.Get<Database>().FirstOrDefaultAsync<long>(sql, Ct);

    private static SignedKey Flipped(SignedKey key)
    {
        var signature = key.Signature.ToArray();
        signature[RandomNumberGenerator.GetInt32(64)] ^= (byte)(1 << RandomNumberGenerator.GetInt32(8));
        return key with { Signature = signature };
    }
}
