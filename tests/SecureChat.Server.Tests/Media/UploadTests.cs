using System.Security.Cryptography;
using SecureChat.Server.Media;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Tests;

namespace SecureChat.Server.Tests.Media;

/// <summary>Resumable uploads: tus 1.0.0 with creation, expiration, termination and checksum.</summary>
public sealed class UploadTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_server_says_which_version_and_extensions_of_tus_it_speaks()
    {
        await using var node = await MediaNode.StartAsync();

        using var answer = await node.Alice.Stranger.SendAsync(new HttpRequestMessage(HttpMethod.Options, "/v1/media"), Ct);

        Assert.Equal("204", await answer.OutcomeAsync());
        Assert.Equal(
            "1.0.0 1.0.0 creation,expiration,termination,checksum sha1,sha256 104857600",
            string.Join(
                ' ',
                "Tus-Resumable Tus-Version Tus-Extension Tus-Checksum-Algorithm Tus-Max-Size".Split(' ')
                    .Select(name => FileSender.Header(answer, name))));
    }

    [Fact]
    public async Task A_file_comes_in_parts_and_leaves_as_it_came()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(300_000);
        var (upload, download) = await node.Alice.StartAsync(content.Length);

        Assert.Equal("404 not_found", await node.Alice.ReadAsync(download));
        foreach (var (from, to) in new[] { (0, 1), (1, 200_000), (200_000, 300_000) })
        {
            Assert.Equal(from.ToString(System.Globalization.CultureInfo.InvariantCulture), await node.Alice.OffsetAsync(upload));
            using var answer = await node.Alice.AppendAsync(upload, from, content[from..to]);
            Assert.Equal("204", await answer.OutcomeAsync());
            Assert.Equal(to.ToString(System.Globalization.CultureInfo.InvariantCulture), FileSender.Header(answer, "Upload-Offset"));
        }

        Assert.Equal("300000", await node.Alice.OffsetAsync(upload));
        Assert.Equal(content, await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task Asking_for_the_state_of_an_upload_tells_its_offset_length_terms_deadline_and_id()
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, download) = await node.Alice.StartAsync(1000, life: 30, downloads: 5);

        using var answer = await node.Alice.HeadAsync(upload);

        Assert.Equal("1000", FileSender.Header(answer, "Upload-Length"));
        Assert.Equal($"life {FileSender.Base64("30")},downloads {FileSender.Base64("5")}", FileSender.Header(answer, "Upload-Metadata"));
        Assert.Equal("Sun, 01 Mar 2026 13:00:00 GMT", FileSender.Header(answer, "Upload-Expires"));
        Assert.Equal("no-store", FileSender.Header(answer, "Cache-Control"));
        Assert.Equal(download, "/v1/media/" + FileSender.Header(answer, "Media-Id"));
    }

    [Fact]
    public async Task Another_version_of_tus_is_refused_and_told_ours()
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, _) = await node.Alice.StartAsync(10);

        using var answer = await node.Alice.AppendAsync(upload, 0, new byte[10], ("Tus-Resumable", "0.2.2"));

        Assert.Equal("412 tus_version", await answer.OutcomeAsync());
        Assert.Equal("1.0.0", FileSender.Header(answer, "Tus-Version"));
        Assert.Equal("0", await node.Alice.OffsetAsync(upload));
    }

    [Theory]
    [InlineData("5")]
    [InlineData("0")]
    [InlineData("99999999999")]
    public async Task A_part_at_another_offset_is_refused(string offset)
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, _) = await node.Alice.StartAsync(10);
        using var first = await node.Alice.AppendAsync(upload, 0, [1, 2, 3]);

        using var answer = await node.Alice.AppendAsync(upload, long.Parse(offset, null), [4]);

        Assert.Equal("409 wrong_offset", await answer.OutcomeAsync());
        Assert.Equal("3", await node.Alice.OffsetAsync(upload));
    }

    [Fact]
    public async Task A_part_that_does_not_match_its_checksum_is_thrown_away()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(200_000);
        var (upload, download) = await node.Alice.StartAsync(content.Length);
        var (first, second) = (content[..100_000], content[100_000..]);
        var right = $"sha256 {Convert.ToBase64String(SHA256.HashData(second))}";
        byte[] damaged = [.. second];
        damaged[500] ^= 1;
#pragma warning disable CA5350 // tus asks for SHA-1; it is a checksum there and no more.
        using var kept = await node.Alice.AppendAsync(
            upload, 0, first, ("Upload-Checksum", $"sha1 {Convert.ToBase64String(SHA1.HashData(first))}"));
#pragma warning restore CA5350

        using var refused = await node.Alice.AppendAsync(upload, 100_000, damaged, ("Upload-Checksum", right));

        Assert.Equal("204", await kept.OutcomeAsync());
        Assert.Equal("460 checksum_mismatch", await refused.OutcomeAsync());
        Assert.Equal("100000", await node.Alice.OffsetAsync(upload));
        using var again = await node.Alice.AppendAsync(upload, 100_000, second, ("Upload-Checksum", right));
        Assert.Equal("204", await again.OutcomeAsync());
        Assert.Equal(content, await node.Alice.ReadAsync(download));
    }

    [Theory]
    [InlineData("md5 1B2M2Y8AsgTpgAmY7PhCfg==")]
    [InlineData("sha256 1B2M2Y8AsgTpgAmY7PhCfg==")]
    [InlineData("sha1")]
    [InlineData("sha1 !")]
    public async Task A_checksum_that_cannot_be_read_is_refused(string checksum)
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, _) = await node.Alice.StartAsync(10);

        using var answer = await node.Alice.AppendAsync(upload, 0, new byte[10], ("Upload-Checksum", checksum));

        Assert.Equal("400 malformed", await answer.OutcomeAsync());
        Assert.Equal("0", await node.Alice.OffsetAsync(upload));
    }

    [Fact]
    public async Task A_client_that_can_only_post_overrides_the_method()
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, download) = await node.Alice.StartAsync(3);

        using var append = await PostAsync(node, upload, "PATCH", [1, 2, 3]);
        Assert.Equal("204", await append.OutcomeAsync());
        Assert.Equal(new byte[] { 1, 2, 3 }, await node.Alice.ReadAsync(download));
        using var other = await PostAsync(node, upload, "TRACE", []);
        Assert.Equal("405 method_not_allowed", await other.OutcomeAsync());
        using var remove = await PostAsync(node, upload, "DELETE", []);
        Assert.Equal("204", await remove.OutcomeAsync());
        Assert.Equal("410", await node.Alice.OffsetAsync(upload));
    }

    [Fact]
    public async Task Who_uploaded_a_file_can_take_it_back_while_it_comes_and_after()
    {
        await using var node = await MediaNode.StartAsync();
        var (half, _) = await node.Alice.StartAsync(1000);
        using var some = await node.Alice.AppendAsync(half, 0, new byte[10]);
        var (whole, download) = await node.Alice.UploadAsync(new byte[1000], downloads: 9);
        Assert.Equal(2, node.Files().Length);

        using var first = await node.Alice.RemoveAsync(half);
        using var second = await node.Alice.RemoveAsync(whole);

        Assert.Equal("204 204", $"{await first.OutcomeAsync()} {await second.OutcomeAsync()}");
        Assert.Empty(node.Files());
        Assert.Equal("410 410", $"{await node.Alice.OffsetAsync(half)} {await node.Alice.OffsetAsync(whole)}");
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
        using var late = await node.Alice.AppendAsync(half, 0, new byte[1000]);
        Assert.Equal("410 gone", await late.OutcomeAsync());
    }

    [Fact]
    public async Task Only_an_account_announces_uploads()
    {
        await using var node = await MediaNode.StartAsync();

        using var answer = await new FileSender(node.Node.Http, node.Node.Http).AnnounceAsync(10);

        Assert.Equal("401 unauthorized", await answer.OutcomeAsync());
    }

    [Theory]
    [InlineData("filename d29ybGQucG5n")]
    [InlineData("life MzA=,filetype aW1hZ2UvcG5n")]
    [InlineData("life MA==")]
    [InlineData("life MTIx")]
    [InlineData("life LTE=")]
    [InlineData("life")]
    [InlineData("life !")]
    [InlineData("life MzA=,life MzA=")]
    [InlineData("downloads MA==")]
    [InlineData("downloads MTAwMQ==")]
    [InlineData(",")]
    public async Task Terms_out_of_range_and_names_and_types_of_files_are_refused(string metadata)
    {
        await using var node = await MediaNode.StartAsync();

        using var answer = await node.Alice.AnnounceAsync(10, metadata: metadata);

        Assert.Equal("400 malformed", await answer.OutcomeAsync());
    }

    [Theory]
    [InlineData(0, "400 malformed")]
    [InlineData(-1, "400 malformed")]
    [InlineData(104_857_600, "201")]
    [InlineData(104_857_601, "413 too_large")]
    public async Task A_file_has_from_one_byte_to_100_MiB(long length, string outcome)
    {
        await using var node = await MediaNode.StartAsync();

        using var answer = await node.Alice.AnnounceAsync(length);

        Assert.Equal(outcome, await answer.OutcomeAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_restart_forgets_no_upload_and_keeps_none_too_long(bool inObjects)
    {
        await using var bucket = new ObjectStore();
        var folder = Directory.CreateTempSubdirectory("securechat-test-");
        var settings = new List<(string, string)> { ("Storage:DataFolder", folder.FullName) };
        if (inObjects)
        {
            settings.AddRange(await bucket.SettingsAsync(Ct));
        }

        var content = FileSender.SomeBytes(1000);
        string upload, download, dangling;
        await using (var before = await MediaNode.StartAsync([.. settings]))
        {
            (upload, download) = await before.Alice.StartAsync(content.Length, downloads: 2);
            (await before.Alice.AppendAsync(upload, 0, content[..400])).Dispose();
            (dangling, _) = await before.Alice.StartAsync(500);
            (await before.Alice.AppendAsync(dangling, 0, new byte[100])).Dispose();
        }

        await using var after = await MediaNode.StartAsync([.. settings]);
        Assert.Equal("400", await after.Alice.OffsetAsync(upload));
        (await after.Alice.AppendAsync(upload, 400, content[400..])).Dispose();
        Assert.Equal(content, await after.Alice.ReadAsync(download));
        await after.PassAsync(TimeSpan.FromMinutes(61));

        // Of what is there still, the one part that came before the restart and the one after are objects each.
        Assert.Equal(inObjects ? (0, 2) : (1, 0), (after.Files().Length, bucket.Objects().Length));
        Assert.Equal("410", await after.Alice.OffsetAsync(dangling));
        await after.PassAsync(TimeSpan.FromMinutes(60));
        Assert.Empty(after.Files().Concat(bucket.Objects()));
    }

    [Fact]
    public async Task Content_that_the_directory_does_not_know_is_deleted_after_the_longest_life()
    {
        await using var node = await MediaNode.StartAsync();
        await using (var stray = await node.Node.Get<IBlobStore>().AppendAsync("media/0f", 0, false, Ct))
        {
            await stray.WriteAsync([new byte[10]], Ct);
            await stray.KeepAsync(Ct);
        }

        var known = Assert.Single(node.Files());
        File.SetLastWriteTimeUtc(known, node.Node.Clock.GetUtcNow().UtcDateTime - TimeSpan.FromMinutes(122));
        await node.Node.Get<Uploads>().SweepStraysAsync(Ct);

        Assert.Empty(node.Files());
    }

    private static Task<HttpResponseMessage> PostAsync(MediaNode node, string upload, string method, byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, upload) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/offset+octet-stream");
        request.Headers.Add("Tus-Resumable", "1.0.0");
        request.Headers.Add("X-HTTP-Method-Override", method);
        request.Headers.Add("Upload-Offset", "0");
        return node.Alice.Stranger.SendAsync(request, Ct);
    }
}
