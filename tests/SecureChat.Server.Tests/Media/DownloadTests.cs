using Microsoft.Extensions.Time.Testing;
using SecureChat.Protocol;
using SecureChat.Server.Media;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;
using SecureChat.Signal.Media;

namespace SecureChat.Server.Tests.Media;

/// <summary>Who has the id downloads, as often as the uploader allowed, and goes on where a connection broke.</summary>
public sealed class DownloadTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_download_is_plain_bytes_that_no_browser_shows_and_nobody_caches()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync("<script>alert(1)</script>"u8.ToArray());

        using var answer = await node.Alice.DownloadAsync(download);

        Assert.Equal("application/octet-stream", FileSender.Header(answer, "Content-Type"));
        Assert.Equal("attachment", FileSender.Header(answer, "Content-Disposition"));
        Assert.Equal("no-store", FileSender.Header(answer, "Cache-Control"));
        Assert.Equal("nosniff", FileSender.Header(answer, "X-Content-Type-Options"));
        Assert.Contains("sandbox", FileSender.Header(answer, "Content-Security-Policy"), StringComparison.Ordinal);
        Assert.Equal("25", FileSender.Header(answer, "Content-Length"));
    }

    [Theory]
    [InlineData("bytes=0-", 0, 100)]
    [InlineData("bytes=10-19", 10, 20)]
    [InlineData("bytes=99-", 99, 100)]
    [InlineData("bytes=90-500", 90, 100)]
    [InlineData("bytes=-10", 90, 100)]
    [InlineData("bytes=-500", 0, 100)]
    public async Task A_range_is_sent_as_asked(string range, int from, int to)
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content);

        using var answer = await node.Alice.DownloadAsync(download, range: range);

        Assert.Equal("206", await answer.OutcomeAsync());
        Assert.Equal($"bytes {from}-{to - 1}/100", FileSender.Header(answer, "Content-Range"));
        Assert.Equal(content[from..to], await answer.Content.ReadAsByteArrayAsync(Ct));
    }

    [Theory]
    [InlineData("bytes=100-")]
    [InlineData("bytes=20-10")]
    [InlineData("bytes=-0")]
    [InlineData("bytes=0-1,5-6")]
    [InlineData("lines=0-")]
    [InlineData("bytes")]
    [InlineData("bytes=99999999999999999999-")]
    public async Task A_range_that_the_file_does_not_have_is_refused_and_costs_no_download(string range)
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content);

        using var answer = await node.Alice.DownloadAsync(download, range: range);

        Assert.Equal("416 bad_range", await answer.OutcomeAsync());
        Assert.Equal("bytes */100", FileSender.Header(answer, "Content-Range"));
        Assert.Equal(content, await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task A_file_is_downloaded_as_often_as_its_uploader_allowed()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content, downloads: 3);

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(content, await node.Alice.ReadAsync(download));
        }

        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task A_claim_goes_on_where_it_was_and_is_good_for_that_file_alone()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content);
        var (_, other) = await node.Alice.UploadAsync(content);
        using var first = await node.Alice.DownloadAsync(download, range: "bytes=0-9");
        var claim = FileSender.Header(first, "Media-Claim");

        Assert.Equal("410 gone", await node.Alice.ReadAsync(other, claim));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download, "not a claim"));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download, new string('A', 32)));
        Assert.Equal(content[10..], await node.Alice.ReadAsync(download, claim, "bytes=10-"));
    }

    [Fact]
    public async Task A_claim_that_is_not_used_for_two_minutes_ends_and_its_file_goes()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content);
        using var first = await node.Alice.DownloadAsync(download, range: "bytes=0-9");
        var claim = FileSender.Header(first, "Media-Claim");

        await node.PassAsync(TimeSpan.FromSeconds(119));
        Assert.Equal(content[10..20], await node.Alice.ReadAsync(download, claim, "bytes=10-19"));
        await node.PassAsync(TimeSpan.FromSeconds(119));
        Assert.Single(node.Files());
        Assert.Equal(content[20..30], await node.Alice.ReadAsync(download, claim, "bytes=20-29"));
        await node.PassAsync(TimeSpan.FromSeconds(121));

        Assert.Equal("410 gone", await node.Alice.ReadAsync(download, claim, "bytes=30-"));
        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task A_file_that_was_sent_whole_for_the_last_time_can_be_resumed_for_two_minutes_and_then_is_off_the_disk()
    {
        await using var node = await MediaNode.StartAsync();
        var content = FileSender.SomeBytes(100);
        var (_, download) = await node.Alice.UploadAsync(content);
        using var whole = await node.Alice.DownloadAsync(download);
        var claim = FileSender.Header(whole, "Media-Claim");
        await whole.Content.ReadAsByteArrayAsync(Ct);

        await node.PassAsync(TimeSpan.FromSeconds(119));
        Assert.Equal(content[50..], await node.Alice.ReadAsync(download, claim, "bytes=50-"));
        await node.PassAsync(TimeSpan.FromSeconds(121));

        Assert.Equal("410 gone", await node.Alice.ReadAsync(download, claim, "bytes=50-"));
        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task A_client_that_says_it_has_everything_ends_its_download_and_after_the_last_the_file_goes_at_once()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[100], downloads: 2);
        using var first = await node.Alice.DownloadAsync(download);
        using var second = await node.Alice.DownloadAsync(download);
        var (one, two) = (FileSender.Header(first, "Media-Claim"), FileSender.Header(second, "Media-Claim"));

        Assert.Equal("204", await node.Alice.FinishAsync(download, one));
        Assert.Equal("410 gone", await node.Alice.FinishAsync(download, one));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(download, one));
        Assert.Single(node.Files());
        Assert.Equal("204", await node.Alice.FinishAsync(download, two));

        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task A_life_is_counted_from_the_end_of_the_upload_and_ends_two_hours_after_its_start()
    {
        await using var node = await MediaNode.StartAsync();
        var (early, short_) = await node.Alice.StartAsync(10, life: 30, downloads: 9);
        var (late, long_) = await node.Alice.StartAsync(10, life: 120, downloads: 9);
        node.Node.Clock.Advance(TimeSpan.FromMinutes(50));
        (await node.Alice.AppendAsync(early, 0, new byte[10])).Dispose();
        (await node.Alice.AppendAsync(late, 0, new byte[10])).Dispose();

        await node.PassAsync(TimeSpan.FromMinutes(29));
        Assert.Equal(new byte[10], await node.Alice.ReadAsync(short_));
        await node.PassAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("410 gone", await node.Alice.ReadAsync(short_));
        await node.PassAsync(TimeSpan.FromMinutes(39));
        Assert.Equal(new byte[10], await node.Alice.ReadAsync(long_));
        await node.PassAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("410 gone", await node.Alice.ReadAsync(long_));
        Assert.Empty(node.Files());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_clock_that_is_set_back_prolongs_no_life(bool restart)
    {
        var folder = Directory.CreateTempSubdirectory("securechat-test-").FullName;
        var clock = new ClockThatCanBeSet();
        var node = await Node.StartAsync(clock, ("Storage:DataFolder", folder));
        using var member = await MediaNode.NewMemberAsync(node);
        var (_, download) = await new FileSender(member.Http, node.Http).UploadAsync(new byte[10], life: 10, downloads: 9);

        clock.Shift = -TimeSpan.FromHours(1);
        if (restart)
        {
            await node.DisposeAsync();
            node = await Node.StartAsync(clock, ("Storage:DataFolder", folder));
        }

        var reader = new FileSender(node.Http, node.Http);
        clock.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(new byte[10], await reader.ReadAsync(download));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("410 gone", await reader.ReadAsync(download));
        await node.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Time_since_the_start_counts_before_anybody_asks_for_it()
    {
        var clock = new ClockThatCanBeSet();
        await using var node = await Node.StartAsync(clock);
        using var member = await MediaNode.NewMemberAsync(node);
        var made = clock.GetUtcNow();
        await new FileSender(member.Http, node.Http).UploadAsync(new byte[10], life: 10, downloads: 9);
        clock.Shift = -TimeSpan.FromHours(1);

        var started = new MediaClock(node.Get<Database>(), clock);
        clock.Advance(TimeSpan.FromMinutes(9));

        Assert.Equal(made + TimeSpan.FromMinutes(9), await started.NowAsync(Ct));
    }

    [Fact]
    public async Task Downloads_that_were_used_stay_used_after_a_restart()
    {
        var folder = Directory.CreateTempSubdirectory("securechat-test-").FullName;
        var settings = new[] { ("Storage:DataFolder", folder) };
        string download, claim;
        await using (var before = await MediaNode.StartAsync(settings))
        {
            (_, download) = await before.Alice.UploadAsync(new byte[10]);
            using var answer = await before.Alice.DownloadAsync(download, range: "bytes=0-1");
            claim = FileSender.Header(answer, "Media-Claim");
        }

        await using (var after = await MediaNode.StartAsync(settings))
        {
            Assert.Equal("410 gone", await after.Alice.ReadAsync(download));
            Assert.Equal(new byte[8], await after.Alice.ReadAsync(download, claim, "bytes=2-"));
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_file_that_the_disk_has_lost_is_gone_and_no_failure_of_the_server()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[10]);
        File.Delete(Assert.Single(node.Files()));

        Assert.Equal("410 gone", await node.Alice.ReadAsync(download));
    }

    [Fact]
    public async Task Credentials_are_refused_so_that_no_download_names_an_account()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[10]);

        using var answer = await node.Member.Http.GetAsync(new Uri(download, UriKind.Relative), Ct);

        Assert.Equal("400 credentials_refused", await answer.OutcomeAsync());
        Assert.Equal(new byte[10], await node.Alice.ReadAsync(download));
    }

    [Fact]
    public void What_the_format_makes_is_what_the_relay_takes()
    {
        Assert.Equal(Limits.MaxMediaContentBytes, MediaFormat.MaxContentLength);
        Assert.InRange(MediaFormat.FileLength(MediaFormat.MaxContentLength), 1, Limits.MaxMediaBytes);
    }

    [Fact]
    public async Task Looking_without_taking_is_not_possible()
    {
        await using var node = await MediaNode.StartAsync();
        var (_, download) = await node.Alice.UploadAsync(new byte[10]);

        using var answer = await node.Alice.HeadAsync(download);

        Assert.Equal(405, (int)answer.StatusCode);
    }

    [Fact]
    public async Task The_directory_holds_no_key_id_or_claim_that_opens_anything()
    {
        await using var node = await MediaNode.StartAsync();
        var (upload, download) = await node.Alice.UploadAsync(new byte[10], downloads: 2);
        using var answer = await node.Alice.DownloadAsync(download);
        var secrets = new[] { upload.Split('/')[^1], download.Split('/')[^1], FileSender.Header(answer, "Media-Claim") };
        var db = node.Node.Get<Database>();

        var bytes = (await db.QueryAsync<dynamic>($"SELECT media.*, claim FROM media JOIN media_claims ON media.blob = media_claims.blob", Ct))
            .SelectMany(row => ((IDictionary<string, object?>)row).Values.OfType<byte[]>()).SelectMany(value => value).ToArray();

        Assert.Equal(64, bytes.Length);
        Assert.All(secrets, secret => Assert.Equal(-1, bytes.AsSpan().IndexOf(System.Buffers.Text.Base64Url.DecodeFromChars(secret))));
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, Assert.Single(node.Files()), StringComparison.Ordinal));
    }

    /// <summary>The date can be set; uptime goes on.</summary>
    private sealed class ClockThatCanBeSet() : FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero))
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }
}
