using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Server.Groups;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Groups;

/// <summary>Group state that the server keeps for members whom it does not know.</summary>
public sealed class GroupTests
{
    private const string State = "/v1/groups/state";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task Members_replace_the_state_version_by_version_and_nothing_of_the_old_one_stays(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var member = Holder(node);
        var (first, second) = (Padded(), Padded(8192));

        Assert.Equal("404 not_found", await (await member.GetAsync(State)).OutcomeAsync());
        Assert.Equal("204", await PutAsync(member, 1, first));
        Assert.Equal("204", await PutAsync(member, 2, second));

        var state = await (await member.GetAsync(State)).ReadAsync<GroupState>();
        Assert.Equal(2, state.Version);
        Assert.Equal(second, state.State);
        Assert.Empty((await (await member.GetAsync($"{State}?after=2")).ReadAsync<GroupState>()).State);
        Assert.Equal(second, (await (await member.GetAsync($"{State}?after=1")).ReadAsync<GroupState>()).State);
        Assert.Equal([1L], await node.Get<Database>().QueryAsync<long>($"SELECT COUNT(*) FROM group_states", Ct));
    }

    [Theory, EveryStore]
    public async Task Of_fifty_who_write_one_version_at_once_exactly_one_succeeds(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var member = Holder(node);

        foreach (var version in new[] { 1, 2 })
        {
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => PutAsync(member, version, Padded())));

            Assert.Single(outcomes, outcome => outcome is "204");
            Assert.Equal(49, outcomes.Count(outcome => outcome is "409 version_conflict"));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(9)]
    public async Task Another_version_than_the_next_is_refused_with_the_stored_one(int version)
    {
        await using var node = await Node.StartAsync();
        var member = Holder(node);
        await PutAsync(member, 1, Padded());

        var refused = await member.SendAsync(HttpMethod.Put, State, new PutGroup(version, Padded()));

        Assert.Equal(version is 0 ? "400 malformed" : "409 version_conflict", await refused.OutcomeAsync());
        Assert.True(version is 0 || (await refused.TextAsync()).Contains("\"version\":1", StringComparison.Ordinal));
    }

    [Theory, EveryStore]
    public async Task A_group_that_moves_to_a_new_key_leaves_nothing_under_the_old_one(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (before, after, link) = (Holder(node), Holder(node), Holder(node));
        await PutAsync(before, 1, Padded(), link);
        await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin(Random(10)));
        var state = Padded();

        var moved = await before.SendAsync(HttpMethod.Put, State, new PutGroup(2, state, new(link.PublicKey, Random(9)), after.PublicKey));

        Assert.Equal("204", await moved.OutcomeAsync());
        Assert.Equal("404 not_found", await (await before.GetAsync(State)).OutcomeAsync());
        Assert.Equal("409 version_conflict", await PutAsync(before, 3, Padded()));
        var read = await (await after.GetAsync(State)).ReadAsync<GroupState>();
        Assert.Equal((2, 0), (read.Version, read.JoinRequests));
        Assert.Equal(state, read.State);
        Assert.Equal("200", await (await link.GetAsync("/v1/groups/preview")).OutcomeAsync());
    }

    [Fact]
    public async Task A_group_does_not_move_onto_another_and_loses_nothing_by_trying()
    {
        await using var node = await Node.StartAsync();
        var (group, other) = (Holder(node), Holder(node));
        var state = Padded();
        await PutAsync(group, 1, state);
        await PutAsync(other, 1, Padded());

        var moved = await group.SendAsync(HttpMethod.Put, State, new PutGroup(2, Padded(), null, other.PublicKey));

        Assert.Equal("409 version_conflict", await moved.OutcomeAsync());
        Assert.Equal(state, (await (await group.GetAsync(State)).ReadAsync<GroupState>()).State);
    }

    [Fact]
    public async Task A_thousand_members_fit_and_more_bytes_than_there_may_be_do_not()
    {
        await using var node = await Node.StartAsync();
        var member = Holder(node);

        // Id, role, profile key, signature and who added them: a thousand members, padded.
        var members = Enumerable.Range(0, 1000).SelectMany(_ => Random(16 + 1 + 32 + 64 + 16 + 8 + 100)).ToArray();
        var state = Padded(256 * 1024);
        members.CopyTo(state, 0);
        Assert.Equal("204", await PutAsync(member, 1, state));
        Assert.Equal(state, (await (await member.GetAsync(State)).ReadAsync<GroupState>()).State);
        Assert.Equal("204", await PutAsync(member, 2, Padded(Limits.MaxGroupStateBytes)));
        Assert.Equal("413 too_large", await PutAsync(member, 3, Random(Limits.MaxGroupStateBytes + 1)));
        Assert.Equal("413 too_large", await PutAsync(member, 3, Random(Limits.MaxGroupStateBytes + 100_000)));
    }

    [Theory, EveryStore]
    public async Task Who_has_the_link_sees_its_preview_and_may_ask_to_join(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (member, link) = (Holder(node), Holder(node));
        var (preview, ask) = (Random(30), Random(40));
        await member.SendAsync(HttpMethod.Put, State, new PutGroup(1, Padded(), new(link.PublicKey, preview)));

        Assert.Equal(preview, (await (await link.GetAsync("/v1/groups/preview")).ReadAsync<GroupPreview>()).Preview);
        Assert.Equal("404 not_found", await (await link.GetAsync(State)).OutcomeAsync());
        Assert.Equal("204", await (await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin(ask))).OutcomeAsync());
        Assert.Equal(1, (await (await member.GetAsync(State)).ReadAsync<GroupState>()).JoinRequests);
        var waiting = (await (await member.GetAsync("/v1/groups/requests")).ReadAsync<JoinRequests>()).Requests;
        Assert.Equal(ask, Assert.Single(waiting).Request);
        Assert.Equal("404 not_found", await (await link.GetAsync("/v1/groups/requests")).OutcomeAsync());
        Assert.Equal("204", await (await member.DeleteAsync($"/v1/groups/requests/{waiting[0].Id}")).OutcomeAsync());
        Assert.Empty((await (await member.GetAsync("/v1/groups/requests")).ReadAsync<JoinRequests>()).Requests);

        // A link that the next state does not name is dead.
        await PutAsync(member, 2, Padded());
        Assert.Equal("404 not_found", await (await link.GetAsync("/v1/groups/preview")).OutcomeAsync());
        Assert.Equal("404 not_found", await (await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin(ask))).OutcomeAsync());
    }

    [Fact]
    public async Task More_than_a_hundred_requests_do_not_wait_however_many_ask_at_once()
    {
        await using var node = await Node.StartAsync();
        var (member, link) = (Holder(node), Holder(node));
        await PutAsync(member, 1, Padded(), link);

        var outcomes = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            outcomes.AddRange(await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
                await (await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin(Random(8)))).OutcomeAsync())));
        }

        Assert.Equal(Limits.MaxJoinRequests, outcomes.Count(outcome => outcome is "204"));
        Assert.Equal(20, outcomes.Count(outcome => outcome is "507 queue_full"));
    }

    [Fact]
    public async Task What_nobody_asks_for_is_deleted_and_what_is_read_stays()
    {
        await using var node = await Node.StartAsync();
        var (idle, read, link) = (Holder(node), Holder(node), Holder(node));
        await PutAsync(idle, 1, Padded());
        await PutAsync(read, 1, Padded(), link);
        await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin(Random(10)));

        node.SkipDays(60);
        await read.GetAsync(State);
        node.SkipDays(31);
        await node.Get<GroupStore>().ReapAsync(Ct);

        Assert.Equal("404 not_found", await (await idle.GetAsync(State)).OutcomeAsync());
        Assert.Equal(0, (await (await read.GetAsync(State)).ReadAsync<GroupState>()).JoinRequests);
    }

    [Fact]
    public async Task A_deleted_group_is_gone_and_only_its_version_can_be_deleted()
    {
        await using var node = await Node.StartAsync();
        var member = Holder(node);
        await PutAsync(member, 1, Padded());

        Assert.Equal("409 version_conflict", await (await member.DeleteAsync($"{State}?version=2")).OutcomeAsync());
        Assert.Equal("204", await (await member.DeleteAsync($"{State}?version=1")).OutcomeAsync());

        Assert.Equal("404 not_found", await (await member.GetAsync(State)).OutcomeAsync());
    }

    private static KeyHolder Holder(Node node) => new(node.Http, node.Get<TimeProvider>());

    private static byte[] Padded(int length = Limits.MinGroupStateBytes) => Random(length);

    private static byte[] Random(int length) => RandomNumberGenerator.GetBytes(length);

    private static async Task<string> PutAsync(KeyHolder member, long version, byte[] state, KeyHolder? link = null) =>
        await (await member.SendAsync(
            HttpMethod.Put, State, new PutGroup(version, state, link is null ? null : new(link.PublicKey, [7])))).OutcomeAsync();
}
