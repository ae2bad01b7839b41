using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Media;

/// <summary>The relay as a free file host, view-once files seen twice, uploads hijacked, disks filled.</summary>
public sealed class AttackTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/media/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("/v1/media/short")]
    [InlineData("/v1/media/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("/v1/media/uploads/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task T7_An_address_without_the_right_capability_is_nothing(string path)
    {
        await using var node = await MediaNode.StartAsync();
        await node.Alice.UploadAsync(new byte[10]);

        using var answer = path.Contains("uploads", StringComparison.Ordinal)
            ? await node.Alice.AppendAsync(path, 0, new byte[1])
            : await node.Alice.DownloadAsync(path);

        Assert.Equal("404 not_found", await answer.OutcomeAsync());
    }

    [Fact]
    public async Task T7_The_second_download_of_a_view_once_file_is_refused()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[10]);

        Assert.Equal(new byte[10], await node.Alice.ReadAsync(download));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
        await node.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task T7_After_its_life_a_file_is_gone_from_the_disk()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[10], life: 1, downloads: 1000);

        await node.PassAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task T7_One_claim_does_not_serve_a_file_to_many()
    {
        await using var node = await MediaNode.StartAsync();
        const int Size = 4 << 20;
        var (_, download) = await node.Alice.UploadAsync(new byte[Size]);
        using var first = await node.Alice.DownloadAsync(download);
        var claim = FileSender.Header(first, "Media-Claim");

        long served = Size;
        while (served <= 4 * Size && await node.Alice.ReadAsync(download, claim) is byte[] again)
        {
            served += again.Length;
        }

        Assert.True(served <= 2 * Size, $"{served} bytes were served of {Size}");
    }

    [Theory, EveryStore]
    public async Task T8_Of_50_parallel_downloads_one_gets_a_view_once_file(Stores stores)
    {
        await using var node = await StartAsync(stores);
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var alice = new FileSender(account, stranger);
        var content = FileSender.SomeBytes(1_000_000);

        foreach (var (range, from) in new[] { (null, 0), ("bytes=0-", 0), ("bytes=400000-", 400_000) })
        {
            var (_, download) = await alice.UploadAsync(content);
            var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => alice.ReadAsync(download, range: range)));

            Assert.Equal(content[from..], Assert.Single(answers, answer => answer is byte[]));
            Assert.Equal(49, answers.Count(answer => answer is "410 gone"));
        }
    }

    [Theory, EveryStore]
    public async Task T8_Of_50_parallel_requests_with_one_claim_two_get_the_file(Stores stores)
    {
        await using var node = await StartAsync(stores);
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var alice = new FileSender(account, stranger);
        var content = FileSender.SomeBytes(4 << 20);
        var (_, download) = await alice.UploadAsync(content);
        using var first = await alice.DownloadAsync(download, range: "bytes=0-9");
        var claim = FileSender.Header(first, "Media-Claim");

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => alice.ReadAsync(download, claim)));

        // Twice the file and 1 MiB: that is what one claim is good for.
        Assert.Equal(2, answers.Count(answer => answer is byte[] whole && whole.AsSpan().SequenceEqual(content)));
        Assert.Equal(48, answers.Count(answer => answer is "410 gone"));
    }

    [Fact]
    public async Task T9_A_part_under_a_foreign_key_is_refused_and_changes_nothing()
    {
        await using var node = await MediaNode.StartAsync();
        using var other = await MediaNode.NewMemberAsync(node.Node);
        var (upload, download) = await node.Alice.StartAsync(10);
        (await node.Alice.AppendAsync(upload, 0, [1])).Dispose();
        var guesses = new[]
        {
            $"{upload[..^1]}{(upload[^1] is 'A' ? 'B' : 'A')}",
            download.Replace("/v1/media/", "/v1/media/uploads/", StringComparison.Ordinal),
        };

        foreach (var guess in guesses)
        {
            using var foreign = await new FileSender(other.Http, other.Http).AppendAsync(guess, 1, [2]);
            Assert.Equal("404 not_found", await foreign.OutcomeAsync());
        }

        Assert.Equal("1", await node.Alice.OffsetAsync(upload));
    }

    [Theory]
    [InlineData("../../directory.db")]
    [InlineData("..%2f..%2fdirectory.db")]
    [InlineData("%2e%2e%2f%2e%2e%2fdirectory.db")]
    [InlineData("..%5c..%5cdirectory.db")]
    [InlineData("%252e%252e%252fdirectory.db")]
    [InlineData("....//....//directory.db")]
    [InlineData("/etc/passwd")]
    [InlineData("%00")]
    [InlineData("..;/directory.db")]
    [InlineData("%c0%ae%c0%ae%c0%afdirectory.db")]
    [InlineData("media%2f0f")]
    public async Task T9_No_path_leads_out_of_the_folder(string path)
    {
        await using var node = await LoopbackNode.StartAsync();

        foreach (var request in new[] { $"GET /v1/media/{path}", $"PATCH /v1/media/uploads/{path}" })
        {
            var answer = await RawAsync(
                node.ApiPort,
                $"{request} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 1\r\n"
                + "Content-Type: application/offset+octet-stream\r\nConnection: close\r\n\r\nx");
            Assert.Matches("^HTTP/1.1 (404|405|400) ", answer);
            Assert.DoesNotContain("SQLite format", answer, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(Path.Combine(node.Folder, "blobs")));
    }

    [Fact]
    public async Task T9_Ten_gigabytes_are_refused_before_a_byte_is_stored()
    {
        await using var node = await MediaNode.StartAsync();

        using var answer = await node.Alice.AnnounceAsync(10L << 30);

        Assert.Equal("413 too_large", await answer.OutcomeAsync());
        Assert.Empty(node.Files());
        Assert.Equal(0, await node.Node.Get<Database>().FirstOrDefaultAsync<long>($"SELECT COUNT(*) FROM media", Ct));
    }

    [Fact]
    public async Task T9_A_part_that_is_longer_than_declared_is_refused()
    {
        await using var node = await LoopbackNode.StartAsync();
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var alice = new FileSender(account, stranger);
        var (upload, _) = await alice.StartAsync(1000);
        var head = $"PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            + "Content-Type: application/offset+octet-stream\r\nConnection: close\r\n";

        var declared = await RawAsync(node.ApiPort, $"{head}Content-Length: 1001\r\n\r\n{new string('x', 1001)}");
        var chunked = await RawAsync(node.ApiPort, $"{head}Transfer-Encoding: chunked\r\n\r\n3e9\r\n{new string('x', 1001)}\r\n0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", declared, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 413 ", chunked, StringComparison.Ordinal);
        var stored = Directory.GetFiles(Path.Combine(node.Folder, "blobs", "media")).Sum(file => new FileInfo(file).Length);
        Assert.InRange(stored, 0, 1000);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public async Task T9_Nothing_is_decompressed(string encoding)
    {
        await using var node = await MediaNode.StartAsync();
        using var bomb = new MemoryStream();
        await using (var gzip = new GZipStream(bomb, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            await gzip.WriteAsync(new byte[10_000_000], Ct);
        }

        var (upload, download) = await node.Alice.StartAsync(bomb.Length);
        using var encoded = await node.Alice.AppendAsync(upload, 0, bomb.ToArray(), ("Content-Encoding", encoding));
        using var plain = await node.Alice.AppendAsync(upload, 0, bomb.ToArray());

        Assert.Equal("415 unsupported_media_type", await encoded.OutcomeAsync());
        Assert.Equal("204", await plain.OutcomeAsync());
        Assert.Equal(bomb.ToArray(), await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task T9_Uploads_that_are_left_alone_are_gone_at_their_deadline()
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, _) = await node.Alice.StartAsync(1000);
        (await node.Alice.AppendAsync(upload, 0, new byte[500])).Dispose();

        await node.PassAsync(TimeSpan.FromMinutes(59));
        Assert.Single(node.Files());
        await node.PassAsync(TimeSpan.FromMinutes(1));

        Assert.Empty(node.Files());
        Assert.Equal("410", await node.Alice.OffsetAsync(upload));
    }

    [Fact]
    public async Task T9_A_body_that_only_trickles_is_cut_off_and_what_came_is_kept()
    {
        await using var node = await LoopbackNode.StartAsync("--Media:SlowestBytesPerSecond=1000000");
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var alice = new FileSender(account, stranger);
        var (upload, _) = await alice.StartAsync(1000);
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", node.ApiPort, Ct);
        var stream = client.GetStream();

        await stream.WriteAsync(Head(upload, 0, 1000), Ct);
        await stream.WriteAsync(new byte[10], Ct);
        var end = await ReadToEndAsync(stream);

        Assert.DoesNotContain(" 204 ", end, StringComparison.Ordinal);
        Assert.Equal("10", await alice.OffsetAsync(upload));
    }

    [Fact]
    public async Task T9_Who_comes_back_on_a_new_connection_does_not_wait_for_the_old_one()
    {
        await using var node = await LoopbackNode.StartAsync();
        using var account = node.As(await node.NewDeviceAsync());
        using var stranger = new HttpClient { BaseAddress = account.BaseAddress };
        var alice = new FileSender(account, stranger);
        var content = FileSender.SomeBytes(1000);
        var (upload, download) = await alice.StartAsync(1000);
        using var dead = new TcpClient();
        await dead.ConnectAsync("127.0.0.1", node.ApiPort, Ct);
        await dead.GetStream().WriteAsync(Head(upload, 0, 1000), Ct);
        await dead.GetStream().WriteAsync(content.AsMemory(0, 300), Ct);
        Assert.Equal("300", await Eventually.IsAsync("300", () => Stored(node)));

        Assert.Equal("300", await alice.OffsetAsync(upload));
        using var rest = await alice.AppendAsync(upload, 300, content[300..]);

        Assert.Equal("204", await rest.OutcomeAsync());
        Assert.Equal(content, await alice.ReadAsync(download));
    }

    private static async Task<LoopbackNode> StartAsync(Stores stores) => await LoopbackNode.StartAsync(
        stores is Stores.Embedded ? [] : [.. (await TemporaryServers.NewStoresAsync()).Select(setting => $"--{setting.Name}={setting.Value}")]);

    // Of the file itself: to ask over HTTP would end the part that comes.
    private static Task<string> Stored(LoopbackNode node)
    {
        var folder = new DirectoryInfo(Path.Combine(node.Folder, "blobs", "media"));
        var length = folder.Exists ? folder.GetFiles().Sum(file => file.Length) : 0;
        return Task.FromResult(length.ToString(CultureInfo.InvariantCulture));
    }

    private static byte[] Head(string upload, int offset, int length) => Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n"
        + $"Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n"));

    private static async Task<string> RawAsync(int port, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Ct);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), Ct);
        return await ReadToEndAsync(client.GetStream());
    }

    // A refusal before the body was read may end in a reset of the connection.
    private static async Task<string> ReadToEndAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer, Ct) is var read and > 0)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (IOException)
        {
            // What was said before is enough.
        }

        return text.ToString();
    }
}
