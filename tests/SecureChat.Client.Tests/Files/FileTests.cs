using System.Security.Cryptography;
using SecureChat.Client.Connection;
using SecureChat.Client.Files;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Client.Testing;
using SecureChat.Client.Tests.Support;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;

namespace SecureChat.Client.Tests.Files;

/// <summary>Files from one person to another, on good lines and bad ones.</summary>
public sealed class FileTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(3_000_000)]
    public async Task A_file_arrives_as_it_was_and_tells_how_far_it_is(int length)
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var content = RandomNumberGenerator.GetBytes(length);
        var (up, down) = (new Steps(), new Steps());

        var file = new OutgoingFile(new MemoryStream(content), "/home/alice/holiday.jpg", "image/jpeg") { Caption = "look", Preview = new byte[] { 1, 2 } };
        await alice.Client.SendFileAsync(bob.Account, file, up, Ct);
        var media = await MediaAsync(bob);
        var received = await DownloadAsync(world, bob, media, down);

        Assert.Equal(content, received);
        Assert.Equal(("holiday.jpg", "image/jpeg", "look", 2), (media.Name, media.ContentType, media.Caption, media.Preview.Length));
        Assert.All([up, down], steps => Assert.Equal(steps.Told.Order(), steps.Told));
        Assert.All([up, down], steps => Assert.Equal(steps.Total, steps.Told[^1]));
    }

    [Fact]
    public async Task What_breaks_on_the_way_goes_on_where_it_was()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var content = RandomNumberGenerator.GetBytes(2_500_000);
        var patches = new Queue<Fault>([Fault.Lost, Fault.AnswerLost, Fault.None, Fault.Lost, Fault.Lost, Fault.AnswerLost]);
        var gets = new Queue<Fault>([Fault.Lost, Fault.AnswerCut, Fault.AnswerCut, Fault.Lost]);
        var fetched = new List<string>();
        world.Server.Network.OnRequest = request =>
        {
            if (request.Method == HttpMethod.Get && request.RequestUri!.AbsolutePath.StartsWith("/v1/media/", StringComparison.Ordinal))
            {
                fetched.Add(request.Headers.Range?.ToString() ?? "all");
                return gets.TryDequeue(out var cut) ? cut : Fault.None;
            }

            return request.Method == HttpMethod.Patch && patches.TryDequeue(out var fault) ? fault : Fault.None;
        };

        var sending = alice.Client.SendFileAsync(bob.Account, new OutgoingFile(new MemoryStream(content), "film"), null, Ct);
        await world.UntilAsync(() => Task.FromResult(sending.IsCompleted));
        await sending;
        var received = await DownloadAsync(world, bob, await MediaAsync(bob));

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(received));
        Assert.Empty(patches);
        Assert.Empty(gets);
        Assert.Equal(["all", "all"], fetched.Take(2));
        Assert.All(fetched.Skip(2), range => Assert.StartsWith("bytes=1", range, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_opens_once_is_fetched_once_and_leaves_no_key_behind()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var content = RandomNumberGenerator.GetBytes(1000);
        await alice.Client.SendFileAsync(bob.Account, new OutgoingFile(new MemoryStream(content), "secret.jpg") { ViewOnce = true }, null, Ct);
        var told = await bob.EventAsync<MessageReceived>(told => told.Message.IsViewOnce);
        Assert.Null(told.Message.Media);

        var opened = (await bob.Client.OpenOnceAsync(told.Message, Ct))!;
        var received = await DownloadAsync(world, bob, opened.Media!);
        var again = await Assert.ThrowsAsync<ServerException>(() => DownloadAsync(world, bob, opened.Media!));
        await world.PassAsync(TimeSpan.FromMinutes(2));

        Assert.Equal(content, received);
        Assert.Equal("gone", again.Code);
        Assert.Null(await bob.Client.OpenOnceAsync(told.Message, Ct));
        foreach (var person in new[] { alice, bob })
        {
            var rows = await person.Options.Store.ListAsync(Tables.Messages(Ids.ToBytes(person == alice ? bob.Account : alice.Account)).Name, 0, 100, Ct);
            Assert.All(rows, row => Assert.Equal(-1, row.Value.Span.IndexOf(opened.Media!.Key.Span)));
        }
    }

    [Fact]
    public async Task A_file_that_was_changed_or_exchanged_is_refused()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        await alice.Client.SendFileAsync(bob.Account, new OutgoingFile(new MemoryStream(new byte[200_000]), "film"), null, Ct);
        var media = await MediaAsync(bob);
        var genuine = Directory.EnumerateFiles(world.Server.DataFolder, "*", SearchOption.AllDirectories).Select(File.ReadAllBytes)
            .Single(bytes => bytes.Length == (int)Signal.Media.MediaFormat.FileLength(200_000));

        foreach (var at in new[] { 0, 32, 70_000, genuine.Length - 1 })
        {
            var changed = (byte[])genuine.Clone();
            changed[at] ^= 1;
            world.Server.Network.Forge = request =>
                request.Method == HttpMethod.Get ? new HttpResponseMessage { Content = new ByteArrayContent(changed) } : null;
            await Assert.ThrowsAsync<SignalException>(() => DownloadAsync(world, bob, media));
        }

        world.Server.Network.Forge = request =>
            request.Method == HttpMethod.Get ? new HttpResponseMessage { Content = new ByteArrayContent(genuine[..^1]) } : null;
        await Assert.ThrowsAsync<SignalException>(() => DownloadAsync(world, bob, media));
    }

    [Fact]
    public async Task The_server_learns_neither_name_nor_kind_nor_content()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var content = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("canary-content ", 1000)));
        var file = new OutgoingFile(new MemoryStream(content), "canary-name.pdf", "application/canary-type") { Caption = "canary-caption" };

        await bob.Client.DisconnectAsync(Ct);
        await alice.Client.SendFileAsync(bob.Account, file, null, Ct);

        var held = Directory.EnumerateFiles(world.Server.DataFolder, "*", SearchOption.AllDirectories).Select(ReadShared).ToList();
        Assert.Contains(held, bytes => bytes.Length == (int)Signal.Media.MediaFormat.FileLength(content.Length));
        Assert.All(held, bytes => Assert.Equal(-1, bytes.AsSpan().IndexOf("canary"u8)));
    }

    [Fact]
    public async Task What_cannot_be_sent_is_said_before_anything_is_sent()
    {
        await using var world = await World.StartAsync();
        var (alice, bob) = await world.FriendsAsync();
        var asked = world.Asked(request => request.RequestUri!.AbsolutePath == "/v1/media", request => request.Method);

        foreach (var file in new[]
        {
            new OutgoingFile(new MemoryStream(), "empty"),
            new OutgoingFile(new MemoryStream(new byte[1]), "preview") { Preview = new byte[8193] },
            new OutgoingFile(new MemoryStream(new byte[1]), "life") { Life = TimeSpan.FromMinutes(121) },
        })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => alice.Client.SendFileAsync(bob.Account, file, null, Ct));
        }

        Assert.Empty(asked);
    }

    private static async Task<Media> MediaAsync(Person of) =>
        (await of.EventAsync<MessageReceived>(told => told.Message.Media is not null)).Message.Media!;

    private static async Task<byte[]> DownloadAsync(World world, Person by, Media media, IProgress<FileProgress>? progress = null)
    {
        using var to = new MemoryStream();
        var downloading = by.Client.DownloadAsync(media, to, progress, Ct);
        await world.UntilAsync(() => Task.FromResult(downloading.IsCompleted));
        await downloading;
        return to.ToArray();
    }

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }

    private sealed class Steps : IProgress<FileProgress>
    {
        public List<long> Told { get; } = [];

        public long Total { get; private set; }

        public void Report(FileProgress value)
        {
            Told.Add(value.Done);
            Total = value.Total;
        }
    }
}
