using System.Net;
using System.Text.Json;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Keys;
using static SecureChat.Client.Tests.Support.World;

namespace SecureChat.Client.Tests.Groups;

/// <summary>A server, alone or with a member's help, that lies about who is in a group.</summary>
public sealed class GroupAttackTests
{
    [Fact]
    public async Task K4_a_member_that_no_admin_has_added_is_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var record = await bob.RecordAsync(group);
        using var ghost = IdentityKeyPair.Generate(RandomSource.System);

        // By the ghost itself, in the admin's name, and by a member who is no admin.
        await ServeAsync(world, bob, group, record, Added(record, ghost, Ids.New().ToBytes()), ghost);
        await ServeAsync(world, bob, group, record, Added(record, ghost, alice.Account.ToBytes()), ghost);
        using var carols = IdentityKeyPair.Parse((await SelfAsync(carol)).IdentityKeyPair.Span);
        await ServeAsync(world, bob, group, record, Added(record, ghost, carol.Account.ToBytes()), carols);

        var refused = await bob.EventAsync<GroupRefused>();
        Assert.Equal((group, GroupFault.Forged), (refused.Group, refused.Fault));
        Assert.Equal((1ul, 3), await SizeAsync(bob, group));
    }

    [Fact]
    public async Task K4_a_state_of_before_is_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var old = await bob.RecordAsync(group);
        await alice.Client.SetGroupNameAsync(group, "newer", Ct);
        await world.AgreeAsync(group, 2, bob);

        await ServeAsync(world, bob, group, old, old.History);

        await bob.EventAsync<GroupRefused>(told => told.Fault == GroupFault.RolledBack);
        Assert.Equal("newer", (await bob.Client.FindGroupAsync(group, Ct))!.Name);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task K4_a_state_that_is_kept_from_a_member_is_missed(bool hasSeenANewer)
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        var old = await bob.RecordAsync(group);
        if (hasSeenANewer)
        {
            await alice.Client.SetGroupNameAsync(group, "newer", Ct);
            await world.AgreeAsync(group, 2, bob, carol);
        }

        await bob.Client.DisconnectAsync(Ct);
        await alice.Client.RemoveMemberAsync(group, carol.Account, Ct);
        await alice.Client.SendAsync(group, "carol is gone", Ct);
        world.Server.Network.Forge = Serve(old, old.History);

        await bob.Client.ConnectAsync(Ct);

        await bob.EventAsync<GroupRefused>(told => told.Fault == GroupFault.RolledBack);
        await world.PassAsync(TimeSpan.FromMinutes(2));
        Assert.Single(bob.Events<GroupRefused>(), told => told.Fault == GroupFault.RolledBack);
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "carol is gone");
        world.Server.Network.Forge = _ => null;
        await bob.TextAsync("carol is gone");
    }

    [Fact]
    public async Task K4_two_states_of_one_number_are_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SetGroupNameAsync(group, "for all", Ct);
        await world.AgreeAsync(group, 2, bob, carol);
        var record = await bob.RecordAsync(group);
        var forked = record.Newest()!.State.Clone();
        forked.Name = "for bob alone";
        using var alices = IdentityKeyPair.Parse((await SelfAsync(alice)).IdentityKeyPair.Span);
        var history = new GroupHistory { Versions = { record.History.Versions[0], GroupRules.Sign(forked, alices.PrivateKey) } };

        await ServeAsync(world, bob, group, record, history);

        await bob.EventAsync<GroupRefused>(told => told.Fault == GroupFault.Forked);
        Assert.Equal("for all", (await bob.Client.FindGroupAsync(group, Ct))!.Name);
    }

    [Fact]
    public async Task K4_a_message_that_speaks_of_another_state_is_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await alice.Client.SetGroupNameAsync(group, "two", Ct);
        await world.AgreeAsync(group, 2, bob, carol);
        await alice.Client.DisconnectAsync(Ct);
        var record = await alice.RecordAsync(group);
        var forked = record.Newest()!.State.Clone();
        forked.Name = "alice's own";
        using var alices = IdentityKeyPair.Parse((await SelfAsync(alice)).IdentityKeyPair.Span);
        record.History.Versions[^1] = GroupRules.Sign(forked, alices.PrivateKey);
        await KeepAsync(alice, group, record);

        await alice.Client.ConnectAsync(Ct);
        await alice.Client.SendAsync(group, "from another world", Ct);

        var refused = await bob.EventAsync<GroupRefused>(told => told.Fault == GroupFault.Forked);
        Assert.Equal(alice.Account, refused.Account);
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "from another world");
    }

    [Fact]
    public async Task K4_what_somebody_outside_of_the_state_sends_is_refused_and_told()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var group = await world.GroupAsync(alice, bob, carol);
        await bob.Client.SendAsync(group, "inside", Ct);
        await carol.TextAsync("inside");
        await bob.Client.DisconnectAsync(Ct);
        await alice.Client.RemoveMemberAsync(group, bob.Account, Ct);
        await world.AgreeAsync(group, 2, alice, carol);

        await bob.Client.SendAsync(group, "outside", Ct);
        await bob.Client.ConnectAsync(Ct);

        var refused = await carol.EventAsync<GroupRefused>(told => told.Fault == GroupFault.NotAMember);
        Assert.Equal(bob.Account, refused.Account);
        Assert.DoesNotContain(carol.Events<MessageReceived>(), told => told.Message.Text == "outside");
    }

    [Fact]
    public async Task K4_a_state_or_a_message_of_one_group_is_worth_nothing_in_another()
    {
        await using var world = await World.StartAsync();
        var (alice, bob, carol) = await world.ThreeAsync();
        var (first, second) = (await world.GroupAsync(alice, bob, carol), await world.GroupAsync(alice, bob, carol));
        await alice.Client.SendAsync(first, "in the first", Ct);
        await alice.Client.SendAsync(second, "in the second", Ct);
        await bob.TextAsync("in the second");
        var (one, other) = (await alice.RecordAsync(first), await alice.RecordAsync(second));

        await ServeAsync(world, bob, second, other, one.History);
        await alice.Client.DisconnectAsync(Ct);
        other.Distribution = one.Distribution;
        await KeepAsync(alice, second, other);
        await alice.Client.ConnectAsync(Ct);
        await alice.Client.SendAsync(second, "under the key of the first", Ct);
        await alice.Client.SendAsync(first, "after it", Ct);
        await bob.TextAsync("after it");

        await bob.EventAsync<GroupRefused>(told => told.Group == second && told.Fault == GroupFault.Forged);
        Assert.DoesNotContain(bob.Events<MessageReceived>(), told => told.Message.Text == "under the key of the first");
    }

    /// <summary>The next version, with a ghost in it, in the name of an author.</summary>
    private static GroupVersion Added(GroupRecord record, IdentityKeyPair ghost, ByteString author)
    {
        var next = GroupRules.Next(record.Newest()!, author);
        next.Members.Add(new GroupMember
        {
            Account = Ids.New().ToBytes(),
            IdentityKey = ByteString.CopyFrom(ghost.PublicKey.Serialize()),
        });
        return next;
    }

    private static Task ServeAsync(
        World world, Person to, Guid group, GroupRecord record, GroupVersion next, IdentityKeyPair signer)
    {
        var history = record.History.Clone();
        history.Versions.Add(GroupRules.Sign(next, signer.PrivateKey));
        return ServeAsync(world, to, group, record, history);
    }

    private static async Task ServeAsync(World world, Person to, Guid group, GroupRecord record, GroupHistory history)
    {
        world.Server.Network.Forge = Serve(record, history);
        await to.Client.RefreshGroupAsync(group, Ct);
        world.Server.Network.Forge = _ => null;
    }

    /// <summary>A server that knows the secret, from somebody who was in the group.</summary>
    private static Func<HttpRequestMessage, HttpResponseMessage?> Serve(GroupRecord record, GroupHistory history)
    {
        var version = GroupVersion.Parser.ParseFrom(history.Versions[^1].Version).Version;
        using var secret = new GroupSecret(record.Secret.Span);
        var state = secret.Encrypt(
            history.ToByteArray(), record.Group.Span, version, (Limits.MinGroupStateBytes, Limits.MaxGroupStateBytes), RandomSource.System);
        var body = JsonSerializer.SerializeToUtf8Bytes(new GroupState((long)version, state, 0), ServerApi.Of<GroupState>());
        return request => request.Method == HttpMethod.Get && request.RequestUri!.AbsolutePath == "/v1/groups/state"
            ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } } }
            : null;
    }

    private static async Task KeepAsync(Person person, Guid group, GroupRecord record) =>
        await person.Options.Store.CommitAsync(
            [new RowChange(Tables.Groups.Name, Tables.Hex(group.ToBytes()), record.ToByteArray())], Ct);

    private static async Task<SelfRecord> SelfAsync(Person person) =>
        await Device.SelfAsync(new StoreTransaction(person.Options.Store), Ct);

    private static async Task<(ulong Version, int Members)> SizeAsync(Person person, Guid group)
    {
        var seen = (await person.Client.FindGroupAsync(group, Ct))!;
        return (seen.Version, seen.Members.Count);
    }
}
