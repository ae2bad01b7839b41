using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Storage;

/// <summary>What every blob store does.</summary>
public abstract class BlobStoreTests : IAsyncDisposable
{
    /// <summary>The blob that tests write.</summary>
    private protected string Blob => Area + "/0123abcd";

    private protected virtual string Area => "media";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Another instance on the same store: the process after a crash.</summary>
    private protected abstract Task<IBlobStore> OpenAsync();

    [Fact]
    public async Task What_was_appended_is_read_back_at_any_offset()
    {
        var store = await OpenAsync();
        var content = new byte[200_000];
        Random(content);

        Assert.Equal(0, await store.LengthAsync(Blob, Ct));
        foreach (var (from, to) in new[] { (0, 1), (1, 130_000), (130_000, 200_000) })
        {
            await AppendAsync(store, from, content[from..to], whole: from is 1);
            Assert.Equal(to, await store.LengthAsync(Blob, Ct));
        }

        foreach (var (from, count) in new[] { (0, 200_000), (0, 1), (129_990, 20), (199_999, 1), (5, 100_000) })
        {
            Assert.Equal(content[from..(from + count)], await ReadAsync(store, from, count));
        }
    }

    [Fact]
    public async Task More_than_there_is_cannot_be_read()
    {
        var store = await OpenAsync();
        await AppendAsync(store, 0, [1, 2, 3], whole: false);

        Assert.Null(await store.ReadAsync(Blob, 0, 4, Ct));
        Assert.Null(await store.ReadAsync(Blob, 2, 2, Ct));
        Assert.Null(await store.ReadAsync("media/ffff", 0, 1, Ct));
    }

    [Fact]
    public async Task A_whole_part_that_is_not_kept_leaves_nothing()
    {
        var store = await OpenAsync();
        await AppendAsync(store, 0, [1, 2, 3], whole: false);

        await using (var append = await store.AppendAsync(Blob, 3, whole: true, Ct))
        {
            await append.WriteAsync([new byte[100_000]], Ct);
        }

        Assert.Equal(3, await store.LengthAsync(Blob, Ct));
        await AppendAsync(store, 3, [4], whole: true);
        Assert.Equal(new byte[] { 1, 2, 3, 4 }, await ReadAsync(store, 0, 4));
    }

    [Fact]
    public async Task A_whole_part_of_a_process_that_died_is_not_there_for_the_next()
    {
        var store = await OpenAsync();
        await AppendAsync(store, 0, [1, 2, 3], whole: false);
        var lost = await store.AppendAsync(Blob, 3, whole: true, Ct);
        await lost.WriteAsync([new byte[100_000]], Ct);

        var next = await OpenAsync();

        Assert.Equal(3, await next.LengthAsync(Blob, Ct));
        await AppendAsync(next, 3, [4], whole: false);
        Assert.Equal(new byte[] { 1, 2, 3, 4 }, await ReadAsync(next, 0, 4));
        await lost.DisposeAsync();
    }

    [Fact]
    public async Task What_is_removed_is_gone_and_removing_nothing_is_fine()
    {
        var store = await OpenAsync();
        await AppendAsync(store, 0, [1, 2, 3], whole: false);

        await store.RemoveAsync(Blob, Ct);
        await store.RemoveAsync(Blob, Ct);

        Assert.Equal(0, await store.LengthAsync(Blob, Ct));
        Assert.Null(await store.ReadAsync(Blob, 0, 1, Ct));
    }

    [Fact]
    public async Task What_is_old_is_removed_and_what_is_new_stays()
    {
        var store = await OpenAsync();
        await AppendAsync(store, 0, [1, 2, 3], whole: false);
        var now = TimeProvider.System.GetUtcNow();

        Assert.Equal(0, await store.RemoveOlderAsync(Area, now - TimeSpan.FromHours(1), Ct));
        Assert.Equal(3, await store.LengthAsync(Blob, Ct));
        Assert.Equal(0, await store.RemoveOlderAsync("backups", now + TimeSpan.FromHours(1), Ct));
        Assert.Equal(1, await store.RemoveOlderAsync(Area, now + TimeSpan.FromHours(1), Ct));
        Assert.Equal(0, await store.LengthAsync(Blob, Ct));
    }

    public abstract ValueTask DisposeAsync();

    private static void Random(byte[] content) => System.Security.Cryptography.RandomNumberGenerator.Fill(content);

    private protected async Task AppendAsync(IBlobStore store, long offset, byte[] part, bool whole)
    {
        await using var append = await store.AppendAsync(Blob, offset, whole, Ct);
        await append.WriteAsync([part.AsMemory(0, part.Length / 2), part.AsMemory(part.Length / 2)], Ct);
        await append.KeepAsync(Ct);
    }

    private protected async Task<byte[]> ReadAsync(IBlobStore store, long offset, int count)
    {
        await using var content = (await store.ReadAsync(Blob, offset, count, Ct))!;
        var bytes = new byte[count];
        await content.ReadExactlyAsync(bytes, Ct);
        return bytes;
    }
}

/// <summary>Blobs as files.</summary>
public sealed class FileBlobsTests : BlobStoreTests
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-blobs-");

    [Fact]
    public async Task A_full_disk_is_told_as_such()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux has a disk that is always full: /dev/full.");
        Directory.CreateDirectory(Path.Combine(_folder.FullName, Area));
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, Blob), "/dev/full");
        var store = await OpenAsync();
        var length = await store.LengthAsync(Blob, TestContext.Current.CancellationToken);
        await using var append = await store.AppendAsync(Blob, length, whole: false, TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<BlobsFullException>(
            () => append.WriteAsync([new byte[10]], TestContext.Current.CancellationToken).AsTask());
    }

    private protected override Task<IBlobStore> OpenAsync() =>
        Task.FromResult<IBlobStore>(new FileBlobs(_folder.FullName, survivesPowerLoss: true));

    public override ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
