using Google.Protobuf;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Keys;
using static SecureChat.Client.Tests.Support.World;

namespace SecureChat.Client.Tests.Groups;

/// <summary>Whoever has a link asks, an admin lets them in, and nobody can ask in another's name.</summary>
public sealed class GroupLinkTests
{
    [Fact]
    public async Task A_stranger_with_the_link_asks_is_let_in_and_talks_with_all()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, _) = await world.ThreeAsync();
        var dave = await world.PersonAsync();
        var group = await world.GroupAsync(alice, bob);
        var link = await alice.Client.InviteToGroupAsync(group, reset: false, Ct);

        var shown = await dave.Client.AskToJoinAsync(link, Ct);
        var applicant = Assert.Single(await alice.Client.GroupApplicantsAsync(group, Ct));
        await alice.Client.ApproveAsync(applicant, Ct);
        await world.AgreeAsync(group, 3, bob, dave);
        await alice.Client.SendAsync(group, "welcome", Ct);
        await dave.TextAsync("welcome");
        await dave.Client.SendAsync(group, "thank you", Ct);

        Assert.Equal((group, "Friends"), (shown.Id, shown.Name));
        Assert.Equal((dave.Account, group), (applicant.Account, applicant.Group));
        Assert.Equal(group, (await bob.TextAsync("thank you")).Conversation);
        Assert.Empty(await alice.Client.GroupApplicantsAsync(group, Ct));
    }

    [Fact]
    public async Task A_link_outlives_changes_and_shows_them()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var link = await alice.Client.InviteToGroupAsync(group, reset: false, Ct);

        await alice.Client.SetGroupNameAsync(group, "Renamed", Ct);
        await alice.Client.SetGroupPictureAsync(group, new byte[] { 1, 2, 3 }, Ct);
        await alice.Client.RemoveMemberAsync(group, carol.Account, Ct);
        var shown = await carol.Client.AskToJoinAsync(link, Ct);

        Assert.Equal("Renamed", shown.Name);
        Assert.Equal([1, 2, 3], shown.Picture.ToArray());
        Assert.Equal(carol.Account, Assert.Single(await alice.Client.GroupApplicantsAsync(group, Ct)).Account);
        Assert.Equal(link, await alice.Client.InviteToGroupAsync(group, reset: false, Ct));
        await world.AgreeAsync(group, 5, bob);
        Assert.Equal(link, await bob.Client.InviteToGroupAsync(group, reset: false, Ct));
    }

    [Fact]
    public async Task A_link_that_was_reset_or_taken_away_leads_nowhere()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, _) = await world.ThreeAsync();
        var dave = await world.PersonAsync();
        var group = await world.GroupAsync(alice, bob);
        var first = await alice.Client.InviteToGroupAsync(group, reset: false, Ct);
        await dave.Client.AskToJoinAsync(first, Ct);

        var second = await alice.Client.InviteToGroupAsync(group, reset: true, Ct);

        Assert.Equal("not_found", (await Assert.ThrowsAsync<ServerException>(() => dave.Client.AskToJoinAsync(first, Ct))).Code);
        Assert.Empty(await alice.Client.GroupApplicantsAsync(group, Ct));
        Assert.Equal("Friends", (await dave.Client.PreviewGroupAsync(second, Ct)).Name);
        await alice.Client.RevokeGroupInviteAsync(group, Ct);
        Assert.Equal("not_found", (await Assert.ThrowsAsync<ServerException>(() => dave.Client.PreviewGroupAsync(second, Ct))).Code);
        Assert.False((await alice.Client.FindGroupAsync(group, Ct))!.HasLink);
        await Assert.ThrowsAsync<FormatException>(() => dave.Client.PreviewGroupAsync(second[..^1], Ct));
    }

    [Fact]
    public async Task Only_an_admin_makes_a_link_and_lets_people_in()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, _) = await world.ThreeAsync();
        var dave = await world.PersonAsync();
        var group = await world.GroupAsync(alice, bob);

        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.InviteToGroupAsync(group, reset: false, Ct));
        await dave.Client.AskToJoinAsync(await alice.Client.InviteToGroupAsync(group, reset: false, Ct), Ct);
        await world.AgreeAsync(group, 2, bob);
        var seen = Assert.Single(await bob.Client.GroupApplicantsAsync(group, Ct));

        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.InviteToGroupAsync(group, reset: true, Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bob.Client.ApproveAsync(seen, Ct));
        await alice.Client.DenyAsync(seen, Ct);
        Assert.Empty(await alice.Client.GroupApplicantsAsync(group, Ct));
        Assert.DoesNotContain(dave.Account, (await alice.Client.FindGroupAsync(group, Ct))!.Members.Keys);
    }

    [Fact]
    public async Task Who_asks_in_the_name_of_somebody_that_the_admin_knows_is_not_heard()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob);
        var link = await alice.Client.InviteToGroupAsync(group, reset: false, Ct);
        using var invite = GroupInvite.Parse(link);
        using var mallory = PrivateKey.Generate(RandomSource.System);
        using var key = invite.RequestKey();
        using var api = new ServerApi(alice.Options.Server, alice.Options.Network);
        var record = await alice.RecordAsync(group);
        var shown = invite.Read(invite.Preview(record.Newest()!.State, record.Secret.Span))!;
        var forged = invite.Ask(shown, Application(carol.Account.ToBytes(), mallory), mallory);

        await new SignedRequests(api, key, world.Clock).PostAsync("/v1/groups/requests", new Protocol.Groups.AskToJoin(forged), Ct);

        Assert.NotNull(invite.ReadRequest(record.Group, record.Secret.Span, forged));
        Assert.Empty(await alice.Client.GroupApplicantsAsync(group, Ct));
    }

    [Fact]
    public void A_request_is_of_one_group_one_link_and_one_identity()
    {
        using var invite = new GroupInvite(Ids.RandomBytes(GroupInvite.Size).Span);
        using var other = new GroupInvite(Ids.RandomBytes(GroupInvite.Size).Span);
        using var asking = PrivateKey.Generate(RandomSource.System);
        using var mallory = PrivateKey.Generate(RandomSource.System);
        var (secret, group) = (Ids.RandomBytes(32), Ids.RandomBytes(GroupRules.IdSize));
        var shown = invite.Read(invite.Preview(new GroupVersion { Group = group, Name = "Friends" }, secret.Span))!;
        var application = Application(Ids.RandomBytes(16), asking);

        var request = invite.Ask(shown, application, asking);

        Assert.Equal(application, invite.ReadRequest(group, secret.Span, request));
        Assert.Null(other.ReadRequest(group, secret.Span, request));
        Assert.Null(invite.ReadRequest(Ids.RandomBytes(GroupRules.IdSize), secret.Span, request));
        Assert.Null(invite.ReadRequest(group, Ids.RandomBytes(32).Span, request));
        Assert.Null(invite.ReadRequest(group, secret.Span, invite.Ask(shown, application, mallory)));
        Assert.Null(invite.ReadRequest(group, secret.Span, request[..20]));
        Assert.Null(other.Read(invite.Preview(new GroupVersion { Group = group }, secret.Span)));
        for (var at = 0; at < request.Length; at++)
        {
            var changed = request.ToArray();
            changed[at] ^= 1;
            Assert.Null(invite.ReadRequest(group, secret.Span, changed));
        }
    }

    private static GroupApplication Application(ByteString account, PrivateKey identity) => new()
    {
        Account = account,
        IdentityKey = ByteString.CopyFrom(identity.PublicKey.Serialize()),
        ProfileKey = Ids.RandomBytes(32),
        AskedAt = 1_800_000_000_000,
    };
}
