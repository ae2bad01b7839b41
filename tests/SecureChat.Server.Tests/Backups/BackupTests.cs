using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Protocol.Backups;
using SecureChat.Server.Backups;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Backups;

/// <summary>Encrypted backups without an account.</summary>
public sealed class BackupTests
{
    private const string Backup = "/v1/backups";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, EveryStore]
    public async Task Who_has_the_recovery_key_stores_a_backup_in_chunks_and_gets_it_back(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var owner = Holder(node);
        var manifest = Random(100);
        byte[][] chunks = [Random(Limits.MaxBackupChunkBytes), Random(5000)];

        Assert.Equal("204", await StoreAsync(owner, 1, chunks, manifest));

        var state = await (await owner.GetAsync(Backup)).ReadAsync<BackupState>();
        Assert.Equal((1, 2, chunks.Sum(chunk => (long)chunk.Length)), (state.Version, state.Chunks, state.Bytes));
        Assert.Equal(manifest, state.Manifest);
        for (var i = 0; i < chunks.Length; i++)
        {
            Assert.Equal(chunks[i], await (await owner.GetAsync($"{Backup}/chunks/{i}?version=1")).Content.ReadAsByteArrayAsync(Ct));
        }

        Assert.Equal("404 not_found", await (await Holder(node).GetAsync(Backup)).OutcomeAsync());
        Assert.Equal("404 not_found", await (await Holder(node).GetAsync($"{Backup}/chunks/0?version=1")).OutcomeAsync());
    }

    [Theory, EveryStore]
    public async Task The_next_version_replaces_the_one_before_and_no_byte_of_that_stays(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var owner = Holder(node);
        await StoreAsync(owner, 1, [Random(4000), Random(4000), Random(4000)], Random(10));
        var next = Random(700);

        Assert.Equal("204", await StoreAsync(owner, 2, [next], Random(10)));

        Assert.Equal("404 not_found", await (await owner.GetAsync($"{Backup}/chunks/0?version=1")).OutcomeAsync());
        Assert.Equal(next, await (await owner.GetAsync($"{Backup}/chunks/0?version=2")).Content.ReadAsByteArrayAsync(Ct));
        Assert.Equal([700L], await node.Get<Database>().QueryAsync<long>($"SELECT bytes FROM backup_chunks", Ct));
        Assert.Equal([700L], FilesOf(node).Select(file => file.Length));
    }

    [Theory, EveryStore]
    public async Task K9_two_devices_that_write_one_version_never_mix_and_one_of_them_is_told(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        var owner = Holder(node);
        await StoreAsync(owner, 1, [Random(10)], Random(10));

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
            (Outcome: await StoreAsync(owner, 2, [Same(i), Same(i)], [(byte)i]), Device: i)));

        var winner = Assert.Single(outcomes, outcome => outcome.Outcome is "204").Device;
        Assert.All(outcomes.Where(outcome => outcome.Device != winner), outcome => Assert.True(outcome.Outcome is "409 version_conflict" or "404 not_found", outcome.Outcome));
        Assert.Equal([(byte)winner], (await (await owner.GetAsync(Backup)).ReadAsync<BackupState>()).Manifest);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(Same(winner), await (await owner.GetAsync($"{Backup}/chunks/{i}?version=2")).Content.ReadAsByteArrayAsync(Ct));
        }

        static byte[] Same(int device) => [.. Enumerable.Repeat((byte)device, 500)];
    }

    [Fact]
    public async Task K9_an_old_version_cannot_be_put_in_place_of_a_newer_one()
    {
        await using var node = await Node.StartAsync();
        var owner = Holder(node);
        await StoreAsync(owner, 1, [Random(10)], Random(10));
        await StoreAsync(owner, 2, [Random(10)], Random(10));

        foreach (var version in new[] { 1, 2, 4 })
        {
            var refused = await owner.SendAsync(HttpMethod.Put, Backup, new PutBackup(version, Ids.New(), 1, []));
            Assert.Equal("409 version_conflict", await refused.OutcomeAsync());
            Assert.Contains("\"version\":2", await refused.TextAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_version_with_missing_chunks_is_refused_and_a_stored_one_is_not_written_into()
    {
        await using var node = await Node.StartAsync();
        var (owner, upload) = (Holder(node), Ids.New());
        await owner.PutBytesAsync($"{Backup}/chunks/{upload}/1", Random(10));

        Assert.Equal("404 not_found", await (await owner.SendAsync(HttpMethod.Put, Backup, new PutBackup(1, upload, 2, []))).OutcomeAsync());
        Assert.Equal("404 not_found", await (await owner.GetAsync(Backup)).OutcomeAsync());
        await owner.PutBytesAsync($"{Backup}/chunks/{upload}/0", Random(10));
        Assert.Equal("204", await (await owner.SendAsync(HttpMethod.Put, Backup, new PutBackup(1, upload, 2, []))).OutcomeAsync());
        Assert.Equal("403 forbidden", await (await owner.PutBytesAsync($"{Backup}/chunks/{upload}/0", Random(10))).OutcomeAsync());
    }

    [Fact]
    public async Task A_chunk_that_is_sent_again_takes_the_place_of_the_first()
    {
        await using var node = await Node.StartAsync();
        var (owner, upload, second) = (Holder(node), Ids.New(), Random(20));
        await owner.PutBytesAsync($"{Backup}/chunks/{upload}/0", Random(10));
        await owner.PutBytesAsync($"{Backup}/chunks/{upload}/0", second);

        await owner.SendAsync(HttpMethod.Put, Backup, new PutBackup(1, upload, 1, []));

        Assert.Equal(second, await (await owner.GetAsync($"{Backup}/chunks/0?version=1")).Content.ReadAsByteArrayAsync(Ct));
        Assert.Single(FilesOf(node));
    }

    [Fact]
    public async Task More_than_the_quota_of_one_backup_is_refused_whatever_it_is_called()
    {
        await using var node = await Node.StartAsync(("Backups:MaxMiB", "3"));
        var (owner, other) = (Holder(node), Holder(node));
        var chunk = Random(Limits.MaxBackupChunkBytes);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("204", await (await owner.PutBytesAsync($"{Backup}/chunks/{Ids.New()}/{i}", chunk)).OutcomeAsync());
        }

        Assert.Equal("413 too_large", await (await owner.PutBytesAsync($"{Backup}/chunks/{Ids.New()}/0", chunk)).OutcomeAsync());
        Assert.Equal("413 too_large", await (await other.PutBytesAsync($"{Backup}/chunks/{Ids.New()}/0", [.. chunk, 0])).OutcomeAsync());
        Assert.Equal("204", await (await other.PutBytesAsync($"{Backup}/chunks/{Ids.New()}/0", chunk)).OutcomeAsync());
    }

    [Fact]
    public async Task What_is_idle_unfinished_or_left_by_a_crash_is_deleted_and_what_is_used_stays()
    {
        await using var node = await Node.StartAsync();
        var (idle, used, unfinished) = (Holder(node), Holder(node), Holder(node));
        await StoreAsync(idle, 1, [Random(10)], []);
        await StoreAsync(used, 1, [Random(10)], []);
        await unfinished.PutBytesAsync($"{Backup}/chunks/{Ids.New()}/0", Random(10));
        await node.Get<Database>().ExecuteAsync($"""
            INSERT INTO backup_chunks (blob, backup, upload, number, bytes, is_stored, stored_day)
            VALUES ({Ids.New()}, {Random(32)}, {Ids.New()}, 0, 10, 0, 1)
            """, Ct);

        node.SkipDays(2);
        await node.Get<BackupStore>().ReapAsync(Ct);
        Assert.Equal(2, FilesOf(node).Length);
        node.SkipDays(118);
        await used.GetAsync(Backup);
        node.SkipDays(61);
        await node.Get<BackupStore>().ReapAsync(Ct);

        Assert.Equal("404 not_found", await (await idle.GetAsync(Backup)).OutcomeAsync());
        Assert.Equal("200", await (await used.GetAsync(Backup)).OutcomeAsync());
        Assert.Single(FilesOf(node));
        Assert.Equal([1L], await node.Get<Database>().QueryAsync<long>($"SELECT COUNT(*) FROM backup_chunks", Ct));
    }

    [Fact]
    public async Task A_deleted_backup_leaves_nothing()
    {
        await using var node = await Node.StartAsync();
        var owner = Holder(node);
        await StoreAsync(owner, 1, [Random(10)], Random(10));

        Assert.Equal("409 version_conflict", await (await owner.DeleteAsync($"{Backup}?version=7")).OutcomeAsync());
        Assert.Equal("204", await (await owner.DeleteAsync($"{Backup}?version=1")).OutcomeAsync());

        Assert.Equal("404 not_found", await (await owner.GetAsync(Backup)).OutcomeAsync());
        Assert.Empty(FilesOf(node));
    }

    private static KeyHolder Holder(Node node) => new(node.Http, node.Get<TimeProvider>());

    private static byte[] Random(int length) => RandomNumberGenerator.GetBytes(length);

    private static FileInfo[] FilesOf(Node node)
    {
        var folder = new DirectoryInfo(Path.Combine(
            node.Get<Microsoft.Extensions.Options.IOptions<StorageOptions>>().Value.DataFolder, "blobs", "backups"));
        return folder.Exists ? folder.GetFiles() : [];
    }

    private static async Task<string> StoreAsync(KeyHolder owner, long version, byte[][] chunks, byte[] manifest)
    {
        var upload = Ids.New();
        for (var i = 0; i < chunks.Length; i++)
        {
            await owner.PutBytesAsync($"{Backup}/chunks/{upload}/{i}", chunks[i]);
        }

        return await (await owner.SendAsync(HttpMethod.Put, Backup, new PutBackup(version, upload, chunks.Length, manifest))).OutcomeAsync();
    }
}
