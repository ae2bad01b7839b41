using System.Net;
using System.Net.Http.Json;
using SecureChat.Client.Backups;
using SecureChat.Client.Connection;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol;
using SecureChat.Protocol.Backups;

namespace SecureChat.Client.Tests.Backups;

/// <summary>A server that hands out another backup than the last one.</summary>
public sealed class MaliciousBackupTests
{
    private static CancellationToken Ct => World.Ct;

    [Fact]
    public async Task K9_an_old_backup_handed_out_as_new_is_refused_by_whoever_knows_of_a_newer_one()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        var old = await KeepAsync(world, key);
        await alice.SendAsync(bob, "after the first backup");
        var newest = await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        old.HandOut(world);

        var again = await Assert.ThrowsAsync<BackupException>(() => alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct));
        var own = await Assert.ThrowsAsync<BackupException>(() => alice.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct));
        var fresh = await world.PersonAsync();
        var noted = await Assert.ThrowsAsync<BackupException>(() => fresh.Client.RestoreFromServerAsync(key, newest.Version, null, Ct));

        Assert.Equal(2, newest.Version);
        Assert.All(new[] { again, own, noted }, failure => Assert.Equal(BackupFault.RolledBack, failure.Fault));
        Assert.Empty(await fresh.Client.ContactsAsync(Ct));
    }

    [Fact]
    public async Task K9_an_old_backup_under_a_new_number_and_chunks_of_two_backups_are_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        var old = await KeepAsync(world, key);
        await alice.SendAsync(bob, "after the first backup");
        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        var recent = await KeepAsync(world, key);

        (old with { State = old.State with { Version = 2 } }).HandOut(world);
        var renumbered = await Assert.ThrowsAsync<BackupException>(() => alice.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct));
        (recent with { Chunk = old.Chunk }).HandOut(world);
        var mixed = await Assert.ThrowsAsync<BackupException>(() => alice.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct));
        recent.HandOut(world);
        var whole = await alice.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct);

        Assert.Equal(BackupFault.RolledBack, renumbered.Fault);
        Assert.Contains(mixed.Fault, new[] { BackupFault.WrongKey, BackupFault.Damaged });
        Assert.Equal(2, whole.Version);
    }

    [Fact]
    public async Task A_backup_that_the_server_has_lost_is_told_and_can_be_begun_anew()
    {
        await using var world = await World.StartAsync();
        var (alice, _) = await world.FriendsAsync();
        using var key = RecoveryKey.Generate();
        await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct);
        world.Server.Network.Forge = request => request.Method == HttpMethod.Get && request.RequestUri!.AbsolutePath == "/v1/backups"
            ? new HttpResponseMessage(HttpStatusCode.NotFound) { Content = JsonContent.Create(new { code = "not_found", title = "There is nothing." }) }
            : null;

        var lost = await Assert.ThrowsAsync<BackupException>(() => alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct));
        world.Server.Network.Forge = _ => null;
        await alice.Client.DeleteBackupAsync(key, Ct);
        var gone = await Assert.ThrowsAsync<BackupException>(() => alice.Client.RestoreFromServerAsync(key, atLeast: 0, null, Ct));
        var anew = await alice.Client.BackUpToServerAsync(key, startAnew: true, null, Ct);

        Assert.Equal((BackupFault.Gone, BackupFault.Gone, 1), (lost.Fault, gone.Fault, anew.Version));
    }

    [Fact]
    public async Task Of_two_devices_that_write_at_once_one_is_told_to_try_again()
    {
        await using var world = await World.StartAsync();
        var (alice, _) = await world.FriendsAsync();
        var laptop = await world.LinkedAsync(alice);
        using var key = RecoveryKey.Generate();
        var isFirst = true;
        Task<BackupMade>? other = null;
        world.Server.Network.OnRequest = request =>
        {
            if (isFirst && request.Method == HttpMethod.Put && request.RequestUri!.AbsolutePath == "/v1/backups")
            {
                isFirst = false;
                other = Task.Run(() => laptop.Client.BackUpToServerAsync(key, startAnew: false, null, Ct), Ct);
                other.Wait(Ct);
            }

            return Client.Testing.Fault.None;
        };

        var late = await Assert.ThrowsAsync<BackupException>(() => alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct));

        Assert.Equal(BackupFault.Superseded, late.Fault);
        Assert.Equal(1, (await other!).Version);
        Assert.Equal(2, (await alice.Client.BackUpToServerAsync(key, startAnew: false, null, Ct)).Version);
    }

    // What the server answers to a restore now.
    private static async Task<Kept> KeepAsync(World world, RecoveryKey key)
    {
        using var api = new ServerApi(world.Server.Address, world.Server.Network);
        using var signing = key.NewSigningKey();
        var requests = new SignedRequests(api, signing, world.Clock);
        var state = await requests.GetAsync<BackupState>("/v1/backups", Ct);
        return new Kept(state, await requests.GetBytesAsync($"/v1/backups/chunks/0?version={state.Version}", Ct));
    }

    private sealed record Kept(BackupState State, byte[] Chunk)
    {
        public void HandOut(World world) => world.Server.Network.Forge = request => request.Method != HttpMethod.Get ? null
            : request.RequestUri!.AbsolutePath == "/v1/backups" ? new HttpResponseMessage(HttpStatusCode.OK) { Content = JsonContent.Create(State, ProtocolJson.Default.BackupState) }
            : request.RequestUri.AbsolutePath.StartsWith("/v1/backups/chunks", StringComparison.Ordinal) ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(Chunk) }
            : null;
    }
}
