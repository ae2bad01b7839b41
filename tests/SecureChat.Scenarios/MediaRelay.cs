using System.Globalization;
using SecureChat.Scenarios.Support;
using SecureChat.Tests;

namespace SecureChat.Scenarios;

/// <summary>Files through the relay: many at once, over connections that break, past the death of the server.</summary>
public sealed class MediaRelay(Worlds worlds, LibsignalPeer peer, ObjectStore objects, ITestOutputHelper output)
{
    private const int Files = 20;
    private const int TransferBytes = 256 * 1024;
    private static readonly Dictionary<string, string> NoQuota = new()
    {
        ["SECURECHAT_MEDIA__UPLOADSINFLIGHT"] = "1000",
        ["SECURECHAT_MEDIA__BYTESPERDAY"] = "1000000000000",
        ["SECURECHAT_MEDIA__MAXSTOREDBYTES"] = "1000000000000",
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>CHAT_TEST_MEDIA_MB says how much; 1024 unless set.</summary>
    [Fact]
    public async Task Twenty_files_go_up_and_down_at_once_while_three_of_ten_connections_break()
    {
        var total = int.Parse(Environment.GetEnvironmentVariable("CHAT_TEST_MEDIA_MB") ?? "1024", CultureInfo.InvariantCulture);
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct, settings: NoQuota);
        var token = (await world.PersonAsync("alice", Ct)).Primary.AccessToken;
        var network = new BadNetwork();
        await RoundTripAsync(world, token, 1 << 20, new BadNetwork());
        var before = world.Server.ResidentBytes;
        using var stop = new CancellationTokenSource();
        var peak = PeakAsync(world.Server, stop.Token);

        await Task.WhenAll(Enumerable.Range(0, Files).Select(_ => RoundTripAsync(world, token, ((long)total << 20) / Files, network)));

        await stop.CancelAsync();
        var grown = await peak - before;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{total} MiB in {Files} files, up and down; {network.Broken} of {network.Connections} connections broke; "
            + $"memory {before >> 20} MiB before, {grown / 1048576.0:0.0} MiB more at its peak"));
        Assert.InRange((double)network.Broken / network.Connections, 0.25, 0.35);
        Assert.InRange(grown, long.MinValue, (Files * 2 * TransferBytes) + (24 << 20));
        await UntilEmptyAsync(world);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_transfer_takes_less_than_256_KiB_of_memory_however_large_the_file_is(bool inObjects)
    {
        const int Transfers = 200;
        var settings = inObjects ? new Dictionary<string, string>([.. NoQuota, .. await InAsync(objects)]) : NoQuota;
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct, settings: settings);
        var token = (await world.PersonAsync("alice", Ct)).Primary.AccessToken;
        using var large = await SentAsync(world, token, 100 << 20, downloads: 1000);

        // Stopped in the middle, with every buffer full. The first hundred also load and compile code, and fill pools.
        var download = await PerFurtherAsync(world, Transfers, () => StalledAsync(world, large));
        var upload = await PerFurtherAsync(world, Transfers, () => HalfSentAsync(world, token));

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Of 100 MiB each, {Transfers} more beside {Transfers}: {download / 1024} KiB per download, {upload / 1024} KiB per upload"));
        Assert.InRange(download, long.MinValue, TransferBytes);
        Assert.InRange(upload, long.MinValue, TransferBytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Killing_the_server_in_the_middle_of_an_upload_and_of_a_download_loses_neither(bool inObjects)
    {
        await using var bucket = new ObjectStore();
        await using var world = await worlds.StartAsync(StorePair.Embedded, peer, Ct, settings: inObjects ? await InAsync(bucket) : null);
        var token = (await world.PersonAsync("alice", Ct)).Primary.AccessToken;
        const long Length = 40 << 20;
        using var coming = new Parcel(NewClient(world), Length, () => null);
        await coming.AnnounceAsync(token, 1, Ct);
        using var checkedOne = new Parcel(NewClient(world), Length, () => null);
        await checkedOne.AnnounceAsync(token, 1, Ct);
        await checkedOne.SendPartAsync(0, 1 << 20, null, Ct);
        using var going = await SentAsync(world, token, Length, downloads: 1);
        using var answer = await going.OpenAsync(0, Ct);
        var first = new byte[1 << 20];
        await (await answer.Content.ReadAsStreamAsync(Ct)).ReadExactlyAsync(first, Ct);

        // Both stop sending half-way and leave the connection open; the server dies under them.
        var death = new TaskCompletionSource();
        coming.StallsUntil = checkedOne.StallsUntil = death.Task;
        var parts = new[]
        {
            coming.SendPartAsync(0, Length, 0.5, Ct),
            checkedOne.SendPartAsync(1 << 20, 30 << 20, 0.5, Ct, $"sha256 {Convert.ToBase64String(checkedOne.HashOf(1 << 20, 30 << 20))}"),
        };

        await UntilStillAsync(() => Stored(world, bucket));
        await world.Server.KillAsync(Ct);
        death.SetResult();
        var whole = await Task.WhenAll(parts);
        await world.Server.StartAgainAsync(Ct);

        var offset = await coming.OffsetAsync(Ct);
        output.WriteLine($"{offset} of {Length} bytes had come");
        Assert.Equal([false, false], whole);
        Assert.InRange(offset, 15 << 20, Length / 2);
        Assert.Equal(1 << 20, await checkedOne.OffsetAsync(Ct));
        Assert.Equal(inObjects ? 0 : 3, Blobs(world).Count());
        Assert.Equal(await coming.SendAsync(Length, Ct), await coming.FetchAsync(Ct));
        Assert.Equal(await checkedOne.SendAsync(Length, Ct), await checkedOne.FetchAsync(Ct));
        Assert.Equal(going.Hash(), await going.FetchAsync(Ct));
        foreach (var parcel in new[] { coming, checkedOne, going })
        {
            await parcel.FinishAsync(Ct);
        }

        await UntilEmptyAsync(world, bucket);
    }

    private static async Task<Dictionary<string, string>> InAsync(ObjectStore objects) => new()
    {
        ["SECURECHAT_BLOBS__S3ENDPOINT"] = (await objects.EndpointAsync(Ct)).OriginalString,
        ["SECURECHAT_BLOBS__S3BUCKET"] = ObjectStore.Bucket,
        ["SECURECHAT_BLOBS__S3ACCESSKEY"] = ObjectStore.Key,
        ["SECURECHAT_BLOBS__S3SECRETKEY"] = ObjectStore.Key,
    };

    private static HttpClient NewClient(World world) => new() { BaseAddress = world.Server.Api };

    private static async Task RoundTripAsync(World world, string token, long length, BadNetwork network)
    {
        using var parcel = new Parcel(NewClient(world), length, network.Next);
        await parcel.AnnounceAsync(token, 1, Ct);
        Assert.Equal(await parcel.SendAsync((length / 4) + 1, Ct), await parcel.FetchAsync(Ct));
        await parcel.FinishAsync(Ct);
    }

    private static async Task<Parcel> SentAsync(World world, string token, long length, int downloads)
    {
        var parcel = new Parcel(NewClient(world), length, () => null);
        await parcel.AnnounceAsync(token, downloads, Ct);
        await parcel.SendAsync(length, Ct);
        return parcel;
    }

    // Resident bytes of the server per transfer, for the second so many.
    private static async Task<long> PerFurtherAsync(World world, int count, Func<Task<IDisposable>> beginAsync)
    {
        var open = new List<IDisposable>();
        var resident = new List<long>();
        for (var time = 0; time < 2; time++)
        {
            open.AddRange(await Task.WhenAll(Enumerable.Range(0, count).Select(_ => beginAsync())));
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Ct);
            resident.Add(world.Server.ResidentBytes);
        }

        open.ForEach(one => one.Dispose());
        return (resident[1] - resident[0]) / count;
    }

    private static async Task<IDisposable> StalledAsync(World world, Parcel parcel)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(world.Server.Api, $"/v1/media/{parcel.Id}"));
        var client = NewClient(world);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
    }

    // The request stays open: half of the part never comes.
    private static async Task<IDisposable> HalfSentAsync(World world, string token)
    {
        var half = new HalfSent(world.Server.Api);
        using var parcel = new Parcel(NewClient(world), 100 << 20, () => null);
        await parcel.AnnounceAsync(token, 1, Ct);
        await half.SendAsync(parcel.Upload, 100 << 20, 1 << 20, Ct);
        return half;
    }

    private static async Task<long> PeakAsync(ServerProcess server, CancellationToken stop)
    {
        var peak = 0L;
        while (!stop.IsCancellationRequested)
        {
            peak = Math.Max(peak, server.ResidentBytes);
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }

        return peak;
    }

    // Half of each part has come, and what of it makes objects has been put there: the store of the tests does not survive one that is cut off.
    private static async Task UntilStillAsync(Func<long> stored)
    {
        for (var (before, still) = (0L, 0); still < 20; before = stored())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Ct);
            still = stored() == before ? still + 1 : 0;
        }
    }

    private static long Stored(World world, ObjectStore bucket) =>
        Blobs(world).Concat(bucket.Objects()).Sum(file => new FileInfo(file) is { Exists: true } found ? found.Length : 0);

    private static IEnumerable<string> Blobs(World world) =>
        world.FilesWritten().Where(file => file.Contains("/blobs/", StringComparison.Ordinal));

    // Within a minute, the contract says.
    private static async Task UntilEmptyAsync(World world, ObjectStore? bucket = null)
    {
        string[] Left() => [.. Blobs(world), .. bucket?.Objects() ?? []];
        for (var second = 0; second < 60 && Left().Length > 0; second++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Ct);
        }

        Assert.Empty(Left());
    }

    /// <summary>Three of ten connections break, somewhere.</summary>
    private sealed class BadNetwork
    {
        private int _connections;
        private int _broken;

        public int Connections => _connections;

        public int Broken => _broken;

        public double? Next()
        {
            if (Interlocked.Increment(ref _connections) % 10 is not (2 or 5 or 8))
            {
                return null;
            }

            Interlocked.Increment(ref _broken);
            return System.Security.Cryptography.RandomNumberGenerator.GetInt32(5, 95) / 100.0;
        }
    }
}
