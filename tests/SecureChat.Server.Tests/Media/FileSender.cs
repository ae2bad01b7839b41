using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Media;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Support;

namespace SecureChat.Server.Tests.Media;

/// <summary>Somebody who sends files and reads them again: tus by hand, so that tests can do it wrong.</summary>
/// <param name="account">Sends the account's token; only announces uploads.</param>
/// <param name="stranger">Sends no credentials; everything else.</param>
internal sealed class FileSender(HttpClient account, HttpClient stranger)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public HttpClient Stranger => stranger;

    public static byte[] SomeBytes(int count) => RandomNumberGenerator.GetBytes(count);

    /// <summary>Announces an upload.</summary>
    public async Task<HttpResponseMessage> AnnounceAsync(long length, int? life = null, int? downloads = null, string? metadata = null)
    {
        var terms = new[] { ("life", life), ("downloads", downloads) }
            .Where(term => term.Item2 is not null)
            .Select(term => $"{term.Item1} {Base64(term.Item2!.Value.ToString(CultureInfo.InvariantCulture))}");
        return await SendAsync(
            account, HttpMethod.Post, "/v1/media", null, ("Upload-Length", length.ToString(CultureInfo.InvariantCulture)),
            ("Upload-Metadata", metadata ?? (terms.Any() ? string.Join(',', terms) : null)));
    }

    /// <summary>Announces an upload and returns its address and the id that downloads it.</summary>
    public async Task<(string Upload, string Download)> StartAsync(long length, int? life = null, int? downloads = null)
    {
        using var answer = await AnnounceAsync(length, life, downloads);
        Assert.Equal("201", await answer.OutcomeAsync());
        return (answer.Headers.Location!.OriginalString, "/v1/media/" + Header(answer, "Media-Id"));
    }

    /// <summary>Uploads in one part.</summary>
    public async Task<(string Upload, string Download)> UploadAsync(byte[] content, int? life = null, int? downloads = null)
    {
        var made = await StartAsync(content.Length, life, downloads);
        using var answer = await AppendAsync(made.Upload, 0, content);
        Assert.Equal("204", await answer.OutcomeAsync());
        return made;
    }

    public Task<HttpResponseMessage> AppendAsync(string upload, long offset, byte[] part, params (string Name, string? Value)[] headers)
    {
        var body = new ByteArrayContent(part);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        return SendAsync(
            stranger, HttpMethod.Patch, upload, body, [("Upload-Offset", offset.ToString(CultureInfo.InvariantCulture)), .. headers]);
    }

    public Task<HttpResponseMessage> HeadAsync(string upload) => SendAsync(stranger, HttpMethod.Head, upload, null);

    /// <summary>How much of it the server has; or the refusal's status.</summary>
    public async Task<string> OffsetAsync(string upload)
    {
        using var answer = await HeadAsync(upload);
        return answer.IsSuccessStatusCode
            ? Header(answer, "Upload-Offset")
            : ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
    }

    public Task<HttpResponseMessage> RemoveAsync(string upload) => SendAsync(stranger, HttpMethod.Delete, upload, null);

    public Task<HttpResponseMessage> DownloadAsync(string download, string? claim = null, string? range = null) =>
        SendAsync(stranger, HttpMethod.Get, download, null, ("Media-Claim", claim), ("Range", range));

    /// <summary>The content, or the refusal.</summary>
    public async Task<object> ReadAsync(string download, string? claim = null, string? range = null)
    {
        using var answer = await DownloadAsync(download, claim, range);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsByteArrayAsync(Ct) : await answer.OutcomeAsync();
    }

    public async Task<string> FinishAsync(string download, string claim)
    {
        using var answer = await SendAsync(stranger, HttpMethod.Delete, download, null, ("Media-Claim", claim));
        return await answer.OutcomeAsync();
    }

    public static string Header(HttpResponseMessage answer, string name) =>
        Assert.Single(answer.Headers.TryGetValues(name, out var values) ? values : answer.Content.Headers.GetValues(name));

    public static string Base64(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));

    private static Task<HttpResponseMessage> SendAsync(
        HttpClient http, HttpMethod method, string path, HttpContent? body, params (string Name, string? Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Content = body };
        if (headers.All(header => header.Name != "Tus-Resumable"))
        {
            request.Headers.Add("Tus-Resumable", "1.0.0");
        }

        foreach (var (name, value) in headers.Where(header => header.Value is not null))
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value) || body!.Headers.TryAddWithoutValidation(name, value));
        }

        return http.SendAsync(request, Ct);
    }
}

/// <summary>A server on a stepped clock, somebody with an account, and what is on its disk.</summary>
internal sealed class MediaNode(Node node, Member member) : IAsyncDisposable
{
    private static int _people;

    public Node Node => node;

    public FileSender Alice { get; } = new(member.Http, node.Http);

    public Member Member => member;

    private string Folder => Path.Combine(node.Get<IOptions<StorageOptions>>().Value.DataFolder, "blobs", "media");

    public static async Task<MediaNode> StartAsync(params (string Name, string Value)[] settings)
    {
        var node = await Node.StartAsync(settings);
        return new MediaNode(node, await NewMemberAsync(node));
    }

    public static Task<Member> NewMemberAsync(Node node) =>
        Member.SignUpAsync(node, $"media{Interlocked.Increment(ref _people)}@people.example");

    /// <summary>Files on the disk now.</summary>
    public string[] Files() => Directory.Exists(Folder) ? Directory.GetFiles(Folder) : [];

    /// <summary>Lets time pass, and the reaper at least once after.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        node.Clock.Advance(time);
        await SweepAsync();
    }

    public Task SweepAsync() => node.Get<Uploads>().SweepAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        member.Dispose();
        await node.DisposeAsync();
    }
}
