using System.Security.Cryptography;
using System.Text;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Groups;

/// <summary>What each of a group's keys is good for, and what somebody with an old one or an old request can do.</summary>
public sealed class GroupKeysTests
{
    private const string State = "/v1/groups/state";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task Where_there_are_admins_members_read_and_admins_change(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (member, admin, link) = (Holder(node), Holder(node), Holder(node));
        var next = Padded();
        Assert.Equal("204", await PutAsync(member, new(1, Padded(), new(link.PublicKey, [7]), AdminKey: admin.PublicKey)));
        await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin([1]));
        var request = Assert.Single((await (await member.GetAsync("/v1/groups/requests")).ReadAsync<JoinRequests>()).Requests).Id;

        Assert.Equal("403 forbidden", await PutAsync(member, new(2, Padded(), AdminKey: admin.PublicKey)));
        Assert.Equal("403 forbidden", await (await member.DeleteAsync($"{State}?version=1")).OutcomeAsync());
        Assert.Equal("403 forbidden", await (await member.DeleteAsync($"/v1/groups/requests/{request}")).OutcomeAsync());
        Assert.Equal("204", await (await admin.DeleteAsync($"/v1/groups/requests/{request}")).OutcomeAsync());
        Assert.Equal("204", await PutAsync(admin, new(2, next, AdminKey: admin.PublicKey)));
        Assert.Equal(next, (await (await member.GetAsync(State)).ReadAsync<GroupState>()).State);

        Assert.Equal("204", await PutAsync(admin, new(3, Padded())));
        Assert.Equal("409 version_conflict", await PutAsync(admin, new(4, Padded())));
        Assert.Equal("204", await PutAsync(member, new(4, Padded())));
    }

    [Theory, EveryStore]
    public async Task An_admin_who_removes_a_member_leaves_them_nothing_to_read(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (removed, staying, admin) = (Holder(node), Holder(node), Holder(node));
        var next = Padded();
        await PutAsync(removed, new(1, Padded(), AdminKey: admin.PublicKey));

        Assert.Equal("204", await PutAsync(admin, new(2, next, NewKey: staying.PublicKey, AdminKey: admin.PublicKey)));

        Assert.Equal("404 not_found", await (await removed.GetAsync(State)).OutcomeAsync());
        Assert.Equal(next, (await (await staying.GetAsync(State)).ReadAsync<GroupState>()).State);
        Assert.Equal("403 forbidden", await PutAsync(staying, new(3, Padded())));
        Assert.Single(await node.Get<Database>().QueryAsync<long>($"SELECT version FROM group_states", Ct));
    }

    [Theory, EveryStore]
    public async Task A_key_of_another_group_is_refused_in_every_place_and_nothing_is_changed(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (one, other, admin, link) = (Holder(node), Holder(node), Holder(node), Holder(node));
        await PutAsync(one, new(1, Padded(), new(link.PublicKey, [1]), AdminKey: admin.PublicKey));
        await PutAsync(other, new(1, Padded()));

        Assert.Equal("409 version_conflict", await PutAsync(other, new(2, Padded(), new(link.PublicKey, [2]))));
        Assert.Equal("409 version_conflict", await PutAsync(other, new(2, Padded(), AdminKey: admin.PublicKey)));
        Assert.Equal("409 version_conflict", await PutAsync(other, new(2, Padded(), NewKey: one.PublicKey)));
        Assert.Equal("409 version_conflict", await PutAsync(Holder(node), new(1, Padded(), new(link.PublicKey, [2]))));

        Assert.Equal(1, (await (await other.GetAsync(State)).ReadAsync<GroupState>()).Version);
        Assert.Equal([1], (await (await link.GetAsync("/v1/groups/preview")).ReadAsync<GroupPreview>()).Preview);
    }

    [Theory, EveryStore]
    public async Task Of_two_groups_that_take_one_key_at_once_one_gets_it(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        for (var round = 0; round < 5; round++)
        {
            var (one, other, link) = (Holder(node), Holder(node), Holder(node));
            await PutAsync(one, new(1, Padded()));
            await PutAsync(other, new(1, Padded()));

            var outcomes = await Task.WhenAll(
                PutAsync(one, new(2, Padded(), new(link.PublicKey, [1]))), PutAsync(other, new(2, Padded(), new(link.PublicKey, [2]))));

            Assert.Equal(["204", "409 version_conflict"], outcomes.Order());
        }
    }

    [Theory, EveryStore]
    public async Task A_request_that_is_played_again_brings_back_nothing_that_is_gone(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var (member, moved, link) = (Holder(node), Holder(node), Holder(node));
        var make = await member.RequestAsync(HttpMethod.Put, State, new PutGroup(1, Padded(), new(link.PublicKey, [1])));
        var ask = await link.RequestAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin([1]));
        Assert.Equal("204", await (await member.SendAsync(await CopyAsync(make))).OutcomeAsync());
        Assert.Equal("204", await (await link.SendAsync(await CopyAsync(ask))).OutcomeAsync());
        Assert.Equal("401 bad_request_signature", await (await link.SendAsync(await CopyAsync(ask))).OutcomeAsync());

        Assert.Equal("204", await PutAsync(member, new(2, Padded(), NewKey: moved.PublicKey)));
        Assert.Equal("401 bad_request_signature", await (await member.SendAsync(await CopyAsync(make))).OutcomeAsync());

        Assert.Equal("404 not_found", await (await member.GetAsync(State)).OutcomeAsync());
        Assert.Equal("204", await (await moved.DeleteAsync($"{State}?version=2")).OutcomeAsync());
        Assert.Equal([0L], await node.Get<Database>().QueryAsync<long>($"SELECT COUNT(*) FROM group_states", Ct));
    }

    [Theory, InlineData(1), InlineData(2048), InlineData(4095), InlineData(5000), InlineData(12288)]
    public async Task A_state_whose_size_tells_something_is_refused(int size)
    {
        await using var node = await Node.StartAsync();

        Assert.Equal("400 malformed", await PutAsync(Holder(node), new(1, Padded(size))));
    }

    [Fact]
    public async Task What_was_replaced_or_deleted_is_on_the_disk_no_more()
    {
        await using var node = await Node.StartAsync();
        await using var connection = await node.Get<Database>().OpenAsync(Ct);
        var folder = Path.GetDirectoryName(connection.DataSource)!;
        await connection.CloseAsync();
        var (one, other) = (Holder(node), Holder(node));
        byte[] replaced = Canary("replaced"), current = Canary("current"), deleted = Canary("deleted");
        await PutAsync(one, new(1, replaced));
        await PutAsync(other, new(1, deleted));
        Assert.True(IsOnDisk(folder, replaced) && IsOnDisk(folder, deleted));

        await PutAsync(one, new(2, current));
        await other.DeleteAsync($"{State}?version=1");
        await node.Get<Database>().EmptyLogAsync(Ct);

        Assert.Equal((false, true, false), (IsOnDisk(folder, replaced), IsOnDisk(folder, current), IsOnDisk(folder, deleted)));
    }

    [Fact]
    public async Task No_row_holds_anything_of_the_account_that_made_the_group()
    {
        await using var node = await Node.StartAsync();
        using var ada = await Member.SignUpAsync(node, "ada@example.org");
        var (group, admin, link) = (Holder(node), Holder(node), Holder(node));
        await PutAsync(group, new(1, Padded(), new(link.PublicKey, [1]), AdminKey: admin.PublicKey));
        await link.SendAsync(HttpMethod.Post, "/v1/groups/requests", new AskToJoin([1]));

        var row = await OnlyRowAsync(node, $"SELECT * FROM group_states");
        var request = await OnlyRowAsync(node, $"SELECT * FROM join_requests");

        var bytes = row.Concat(request).Select(column => column.Value).OfType<byte[]>().SelectMany(value => value).ToArray();
        Assert.Equal(["admin", "id", "link", "preview", "state", "used_day", "version"], row.Keys.Order());
        Assert.Equal(["asked_day", "group_id", "id", "request"], request.Keys.Order());
        byte[][] secrets = [ada.Account.ToByteArray(bigEndian: true), group.PublicKey[1..], admin.PublicKey[1..], link.PublicKey[1..]];
        Assert.All(secrets, secret => Assert.Equal(-1, bytes.AsSpan().IndexOf(secret)));
    }

    private static KeyHolder Holder(Node node) => new(node.Http, node.Get<TimeProvider>());

    private static byte[] Padded(int size = Limits.MinGroupStateBytes) => RandomNumberGenerator.GetBytes(size);

    // Larger than a page, so that it fills pages that are freed whole.
    private static byte[] Canary(string name) =>
        Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"[canary {name,16}]", 4096))[..(64 * 1024)]);

    private static bool IsOnDisk(string folder, byte[] canary) => Directory.GetFiles(folder, "directory.db*").Any(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(canary.AsSpan(0, 48)) >= 0;
    });

    private static async Task<HttpRequestMessage> CopyAsync(HttpRequestMessage request)
    {
        var copy = new HttpRequestMessage(request.Method, request.RequestUri)
        {
            Content = new ByteArrayContent(await request.Content!.ReadAsByteArrayAsync(Ct)),
        };
        copy.Headers.Add(RequestSignature.Header, request.Headers.GetValues(RequestSignature.Header));
        return copy;
    }

    private static async Task<IDictionary<string, object?>> OnlyRowAsync(Node node, Sql sql) =>
        Assert.Single(await node.Get<Database>().QueryAsync<dynamic>(sql, Ct));

    private static async Task<string> PutAsync(KeyHolder holder, PutGroup group) =>
        await (await holder.SendAsync(HttpMethod.Put, State, group)).OutcomeAsync();
}
