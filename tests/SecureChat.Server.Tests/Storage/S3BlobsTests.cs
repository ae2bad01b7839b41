using Microsoft.Extensions.Logging.Abstractions;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Media;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

[assembly: AssemblyFixture(typeof(SecureChat.Tests.ObjectStore))]

namespace SecureChat.Server.Tests.Storage;

/// <summary>Settings of a server that keeps its files in a bucket there.</summary>
internal static class ObjectStoreOptions
{
    public static async Task<BlobOptions> OptionsAsync(this ObjectStore objects, CancellationToken ct) => new()
    {
        S3Endpoint = (await objects.EndpointAsync(ct)).OriginalString,
        S3Bucket = ObjectStore.Bucket,
        S3AccessKey = ObjectStore.Key,
        S3SecretKey = ObjectStore.Key,
    };

    public static async Task<(string Name, string Value)[]> SettingsAsync(this ObjectStore objects, CancellationToken ct)
    {
        var options = await objects.OptionsAsync(ct);
        return
        [
            ("Blobs:S3Endpoint", options.S3Endpoint), ("Blobs:S3Bucket", options.S3Bucket), ("Blobs:S3AccessKey", options.S3AccessKey),
            ("Blobs:S3SecretKey", options.S3SecretKey),
        ];
    }
}

/// <summary>Blobs as objects.</summary>
public sealed class S3BlobsTests(ObjectStore objects) : BlobStoreTests
{
    private readonly DirectoryInfo _spool = Directory.CreateTempSubdirectory("securechat-spool-");
    private readonly Stack<S3Blobs> _open = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Tests run at the same time in one bucket.
    private protected override string Area { get; } = "media" + Ids.New().ToString("N");

    [Fact]
    public async Task A_large_part_becomes_objects_of_8_MiB_at_most_and_is_read_across_them()
    {
        var store = await OpenAsync();
        var content = FileSender.SomeBytes(20_000_000);
        await AppendAsync(store, 0, content[..5], whole: false);

        await AppendAsync(store, 5, content[5..], whole: true);

        Assert.Equal(content.Length, await store.LengthAsync(Blob, Ct));
        foreach (var (from, count) in new[] { (0, content.Length), (8_388_600, 100), (4, 16_777_220), (19_999_999, 1) })
        {
            Assert.Equal(content[from..(from + count)], await ReadAsync(store, from, count));
        }

        Assert.Empty(_spool.GetFiles());
    }

    [Fact]
    public async Task A_blob_of_too_many_objects_takes_no_more()
    {
        using var store = S3Blobs.Open(await objects.OptionsAsync(Ct), _spool.FullName, NullLogger<S3Blobs>.Instance, maxObjects: 2);
        await AppendAsync(store, 0, [1], whole: false);
        await AppendAsync(store, 1, [2], whole: false);

        await Assert.ThrowsAsync<BlobsFullException>(() => store.AppendAsync(Blob, 2, whole: false, Ct));
        Assert.Equal(2, await store.LengthAsync(Blob, Ct));
    }

    [Fact]
    public async Task A_file_goes_through_a_server_that_keeps_it_in_an_object_store()
    {
        await using var node = await MediaNode.StartAsync(await objects.SettingsAsync(Ct));
        var content = FileSender.SomeBytes(10_000_000);
        var (upload, download) = await node.Alice.StartAsync(content.Length);
        (await node.Alice.AppendAsync(upload, 0, content[..3_000_000])).Dispose();
        Assert.Equal("3000000", await node.Alice.OffsetAsync(upload));
        (await node.Alice.AppendAsync(upload, 3_000_000, content[3_000_000..])).Dispose();

        using var answer = await node.Alice.DownloadAsync(download);
        Assert.Equal(content, await answer.Content.ReadAsByteArrayAsync(Ct));
        Assert.Empty(node.Files());
        Assert.Equal("204", await node.Alice.FinishAsync(download, FileSender.Header(answer, "Media-Claim")));

        var name = "media/" + Convert.ToHexStringLower(Server.Media.Capability.TryParse(download.Split('/')[^1], out var id) ? id.Hash : []);
        Assert.Equal(0, await node.Node.Get<IBlobStore>().LengthAsync(name, Ct));
    }

    [Fact]
    public async Task An_object_store_that_is_away_is_told_as_such_and_nothing_is_lost()
    {
        await using var node = await MediaNode.StartAsync(
            ("Blobs:S3Endpoint", $"http://127.0.0.1:{ChildProcess.FreePort()}"), ("Blobs:S3Bucket", "files"),
            ("Blobs:S3AccessKey", "key"), ("Blobs:S3SecretKey", "secret"));
        var (upload, _) = await node.Alice.StartAsync(10);

        using var answer = await node.Alice.AppendAsync(upload, 0, new byte[10]);

        Assert.Equal("503 unavailable", await answer.OutcomeAsync());
    }

    private protected override async Task<IBlobStore> OpenAsync()
    {
        _open.Push(S3Blobs.Open(await objects.OptionsAsync(Ct), _spool.FullName, NullLogger<S3Blobs>.Instance));
        return _open.Peek();
    }

    public override ValueTask DisposeAsync()
    {
        while (_open.TryPop(out var store))
        {
            store.Dispose();
        }

        _spool.Delete(recursive: true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
