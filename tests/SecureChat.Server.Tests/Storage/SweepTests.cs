using SecureChat.Protocol.Accounts;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Storage;

/// <summary>Rows that have ended by themselves leave the directory, and no others do.</summary>
public sealed class SweepTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Invites_that_nobody_can_use_any_more_are_deleted()
    {
        await using var node = await Node.StartAsync(("Accounts:Registration", "Invite"));
        var (invites, person) = (node.Get<Invites>(), new Person());
        var used = await invites.CreateAsync(uses: 1, TimeSpan.FromDays(30), Ct);
        await invites.CreateAsync(uses: 5, TimeSpan.FromHours(2), Ct);
        await invites.CreateAsync(uses: 3, TimeSpan.FromDays(30), Ct);
        await (await node.Http.PostAsync(
            "/v1/auth/register", new Register(person.IdentityKey, person.NewDevice(), Invite: used))).ReadAsync<Session>();

        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromHours(3));
        var removed = await SweepAsync(node, "invites");

        Assert.Equal(2, removed);
        Assert.Equal(3, Assert.Single(await invites.ListAsync(Ct)).Uses);
    }

    [Fact]
    public async Task Refresh_tokens_that_ran_out_are_deleted()
    {
        await using var node = await Node.StartAsync(("Tokens:RefreshLife", "1.00:00:00"));
        var old = await new Person().SignUpAsync(node, "ada@chat.example");
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromHours(20));
        var fresh = await new Person().SignUpAsync(node, "bob@chat.example");
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromHours(5));

        var removed = await SweepAsync(node, "refresh_tokens");

        Assert.Equal(1, removed);
        Assert.Equal([fresh.Account], await node.Get<Database>().QueryAsync<Guid>($"SELECT account FROM refresh_tokens", Ct));
        Assert.NotEqual(old.Account, fresh.Account);
    }

    [Fact]
    public async Task Ended_credentials_are_kept_until_every_node_has_read_them_and_then_deleted()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@chat.example");
        await ada.Http.PostAsync("/v1/auth/logout", new { });

        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromSeconds(60));
        var early = await SweepAsync(node, "ended_credentials");
        node.Clock.AdjustTime(node.Clock.GetUtcNow() + TimeSpan.FromMinutes(5));
        var late = await SweepAsync(node, "ended_credentials");

        Assert.Equal((0, 1), (early, late));
        Assert.Empty(await node.Get<Database>().QueryAsync<long>($"SELECT epoch FROM ended_epochs", Ct));
    }

    private static Task<int> SweepAsync(Node node, string name) =>
        node.Get<IEnumerable<Sweep>>().Single(sweep => sweep.Name == name).RemoveAsync(Ct);
}
