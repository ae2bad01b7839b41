using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Abuse;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Media;

/// <summary>Room is reserved before the first byte, per account and for all together; and no file leads to an account.</summary>
public sealed class QuotaTests
{
    private const int Hundred = 100 << 20;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_account_uploads_so_many_bytes_a_day_and_no_more()
    {
        await using var node = await MediaNode.StartAsync(("Media:BytesPerDay", $"{Hundred + 1000}"));
        using var other = await MediaNode.NewMemberAsync(node.Node);
        await node.Alice.StartAsync(Hundred);

        using var tooMuch = await node.Alice.AnnounceAsync(1001);
        using var rest = await node.Alice.AnnounceAsync(1000);
        using var somebodyElse = await new FileSender(other.Http, node.Node.Http).AnnounceAsync(1001);

        Assert.Equal("429 quota_used_up", await tooMuch.OutcomeAsync());
        Assert.Equal(TimeSpan.FromHours(12), tooMuch.Headers.RetryAfter!.Delta);
        Assert.Equal("201 201", $"{await rest.OutcomeAsync()} {await somebodyElse.OutcomeAsync()}");
        node.Node.Clock.Advance(TimeSpan.FromHours(12));
        using var tomorrow = await (await AgainAsync(node)).AnnounceAsync(1001);
        Assert.Equal("201", await tomorrow.OutcomeAsync());
    }

    [Fact]
    public async Task What_was_reserved_and_never_came_is_given_back()
    {
        await using var node = await MediaNode.StartAsync(("Media:BytesPerDay", $"{Hundred}"));
        var (upload, _) = await node.Alice.StartAsync(Hundred);
        (await node.Alice.AppendAsync(upload, 0, new byte[1000])).Dispose();

        (await node.Alice.RemoveAsync(upload)).Dispose();
        using var tooMuch = await node.Alice.AnnounceAsync(Hundred - 999);
        using var rest = await node.Alice.AnnounceAsync(Hundred - 1000);

        Assert.Equal("429 quota_used_up", await tooMuch.OutcomeAsync());
        Assert.Equal("201", await rest.OutcomeAsync());
        await node.PassAsync(TimeSpan.FromMinutes(61));
        using var again = await (await AgainAsync(node)).AnnounceAsync(Hundred - 1000);
        Assert.Equal("201", await again.OutcomeAsync());
    }

    [Fact]
    public async Task An_account_has_so_many_unfinished_uploads_and_no_more()
    {
        await using var node = await MediaNode.StartAsync(("Media:UploadsInFlight", "2"));
        var (first, _) = await node.Alice.StartAsync(10);
        await node.Alice.StartAsync(10);

        using var third = await node.Alice.AnnounceAsync(10);
        (await node.Alice.AppendAsync(first, 0, new byte[10])).Dispose();
        using var afterOne = await node.Alice.AnnounceAsync(10);

        Assert.Equal("429 too_many_uploads", await third.OutcomeAsync());
        Assert.NotNull(third.Headers.RetryAfter);
        Assert.Equal("201", await afterOne.OutcomeAsync());
    }

    [Fact]
    public async Task Parallel_announcements_do_not_get_past_the_quota()
    {
        await using var node = await MediaNode.StartAsync(("Media:BytesPerDay", $"{Hundred}"), ("Media:UploadsInFlight", "100"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => node.Alice.AnnounceAsync(Hundred / 8)));

        Assert.Equal(8, answers.Count(answer => answer.IsSuccessStatusCode));
    }

    [Fact]
    public async Task All_files_together_have_so_much_room_and_no_more()
    {
        await using var node = await MediaNode.StartAsync(("Media:MaxStoredBytes", $"{Hundred}"));
        var (upload, _) = await node.Alice.StartAsync(Hundred);
        using var other = await MediaNode.NewMemberAsync(node.Node);
        var bob = new FileSender(other.Http, node.Node.Http);

        using var full = await bob.AnnounceAsync(1);
        (await node.Alice.RemoveAsync(upload)).Dispose();
        using var afterOne = await bob.AnnounceAsync(1);

        Assert.Equal("507 storage_full", await full.OutcomeAsync());
        Assert.Equal("201", await afterOne.OutcomeAsync());
    }

    [Theory, EveryStore]
    public async Task Nothing_leads_from_a_file_to_the_account_that_uploaded_it(Stores stores)
    {
        await using var node = await Node.StartAsync(stores);
        using var member = await MediaNode.NewMemberAsync(node);
        var alice = new FileSender(member.Http, node.Http);
        await alice.StartAsync(10);
        var (_, download) = await alice.UploadAsync(new byte[10]);
        Assert.Equal(new byte[10], await alice.ReadAsync(download));

        var rows = await RowsAsync(node);

        Assert.Equal(4, rows.Count);
        Assert.DoesNotContain(member.Account.ToByteArray(bigEndian: true), rows.SelectMany(row => row.Values).OfType<byte[]>());
        Assert.Single(rows, row => row.TryGetValue("charged_to", out var counter) && counter is not null);
        Assert.Single(rows, row => row.TryGetValue("state", out var state) && state is 1L && row["charged_to"] is null);
        Assert.DoesNotContain("media", await node.Get<Database>().TablesWithAsync("account", Ct));
    }

    private static async Task<List<IDictionary<string, object?>>> RowsAsync(Node node)
    {
        var db = node.Get<Database>();
        var all = new List<IDictionary<string, object?>>();
        foreach (var table in new[] { "media", "media_claims", "media_quotas" })
        {
            all.AddRange((await db.QueryAsync<dynamic>($"SELECT * FROM {Sql.Name(table)}", Ct)).Cast<IDictionary<string, object?>>());
        }

        return all;
    }

    // Access tokens end after ten minutes of the stepped clock.
    [Theory, InlineData(false), InlineData(true)]
    public async Task An_upload_counts_for_the_share_of_files_that_nobody_fetched_and_only_against_who_uploads(bool fetched)
    {
        await using var node = await MediaNode.StartAsync(("Limits:Scale", "1"), ("Limits:Overrides:media-create:Burst", "1000"));
        using var other = await MediaNode.NewMemberAsync(node.Node);
        for (var i = 0; i < 100; i++)
        {
            var (_, download) = await node.Alice.UploadAsync([1], life: 1, downloads: 2);
            if (fetched)
            {
                await node.Alice.ReadAsync(download);
            }
        }

        await node.PassAsync(TimeSpan.FromMinutes(2));
        var account = node.Member.Account.ToByteArray(bigEndian: true);
        await AnomaliesTests.ObserveAsync(node.Node.Get<Anomalies>(), Detectors.UnfetchedUploads, account, Detectors.UnfetchedUploads.Prove - 1);
        await node.Alice.UploadAsync([1]);
        await node.Alice.UploadAsync([1]);
        await node.Node.Get<Anomalies>().FlushAsync(Ct);

        using var next = await node.Alice.AnnounceAsync(1);
        using var somebodyElse = await new FileSender(other.Http, node.Node.Http).AnnounceAsync(1);

        Assert.Equal(fetched ? "201" : "428 proof_of_work_required", await next.OutcomeAsync());
        Assert.Equal("201", await somebodyElse.OutcomeAsync());
    }

    private static async Task<FileSender> AgainAsync(MediaNode node)
    {
        var epoch = await node.Node.Get<Database>().FirstOrDefaultAsync<long>(
            $"SELECT epoch FROM devices WHERE account = {node.Member.Account}", Ct);
        var token = node.Node.Get<AccessTokens>().Issue(new DeviceAddress(node.Member.Account, 1), epoch);
        return new FileSender(node.Node.As(token), node.Node.Http);
    }
}
