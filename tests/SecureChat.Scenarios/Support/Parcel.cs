using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace SecureChat.Scenarios.Support;

/// <summary>A file that is sent and fetched over connections that break; its content is made while it is sent, so that size costs nothing.</summary>
/// <param name="breaks">Asked once per connection: the share of what is left after which it breaks, or null.</param>
internal sealed class Parcel(HttpClient http, long length, Func<double?> breaks) : IDisposable
{
    private const int BlockBytes = 64 * 1024;
    private readonly byte[] _block = RandomNumberGenerator.GetBytes(BlockBytes);
    private string? _claim;

    /// <summary>So long a connection that breaks stays open without a word.</summary>
    public Task StallsUntil { get; set; } = Task.CompletedTask;

    public string Upload { get; private set; } = "";

    public string Id { get; private set; } = "";

    public long Length => length;

    /// <summary>Announces it as somebody with an account.</summary>
    public async Task AnnounceAsync(string accessToken, int downloads, CancellationToken ct)
    {
        using var request = New(HttpMethod.Post, "/v1/media");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        request.Headers.Add("Upload-Length", Text(length));
        request.Headers.Add("Upload-Metadata", $"downloads {Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(Text(downloads)))}");
        using var answer = await http.SendAsync(request, ct);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Upload = answer.Headers.Location!.OriginalString;
        Id = answer.Headers.GetValues("Media-Id").Single();
    }

    /// <summary>Sends all of it, in parts of at most so many bytes; returns the SHA-256 of the whole.</summary>
    public async Task<string> SendAsync(long partBytes, CancellationToken ct)
    {
        while (await OffsetAsync(ct) is var offset && offset < length)
        {
            await SendPartAsync(offset, Math.Min(partBytes, length - offset), breaks(), ct);
        }

        return Hash();
    }

    /// <summary>One part; false: its connection broke.</summary>
    public async Task<bool> SendPartAsync(long offset, long count, double? breakAfter, CancellationToken ct, string? checksum = null)
    {
        using var request = New(HttpMethod.Patch, Upload);
        request.Headers.Add("Upload-Offset", Text(offset));
        if (checksum is not null)
        {
            request.Headers.Add("Upload-Checksum", checksum);
        }

        request.Content = new Part(this, offset, count, breakAfter is { } share ? (long)(count * share) : null);
        try
        {
            using var answer = await http.SendAsync(request, ct);

            // A part whose connection broke may still have been read when it was asked how much had come.
            Assert.True(answer.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.Conflict, $"A part was answered with {answer.StatusCode}.");
            return answer.StatusCode is HttpStatusCode.NoContent;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public async Task<long> OffsetAsync(CancellationToken ct)
    {
        using var answer = await http.SendAsync(New(HttpMethod.Head, Upload), ct);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return long.Parse(answer.Headers.GetValues("Upload-Offset").Single(), CultureInfo.InvariantCulture);
    }

    /// <summary>Fetches all of it under one claim; returns the SHA-256 of what came.</summary>
    public async Task<string> FetchAsync(CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BlockBytes];
        for (var at = 0L; at < length;)
        {
            using var answer = await OpenAsync(at, ct);
            var end = breaks() is { } share ? at + (long)((length - at) * share) : length;
            await using var content = await answer.Content.ReadAsStreamAsync(ct);
            while (at < end && await content.ReadAsync(buffer, ct) is var read and > 0)
            {
                hash.AppendData(buffer, 0, read);
                at += read;
            }
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>An answer whose content has not been read.</summary>
    public async Task<HttpResponseMessage> OpenAsync(long from, CancellationToken ct)
    {
        using var request = New(HttpMethod.Get, $"/v1/media/{Id}");
        request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
        if (_claim is not null)
        {
            request.Headers.Add("Media-Claim", _claim);
        }

        var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        Assert.True(answer.IsSuccessStatusCode, await FailureAsync(answer, ct));
        _claim = answer.Headers.GetValues("Media-Claim").Single();
        return answer;
    }

    /// <summary>Says that everything has arrived.</summary>
    public async Task FinishAsync(CancellationToken ct)
    {
        using var request = New(HttpMethod.Delete, $"/v1/media/{Id}");
        request.Headers.Add("Media-Claim", _claim);
        using var answer = await http.SendAsync(request, ct);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        _claim = null;
    }

    /// <summary>SHA-256 of a part, or of all.</summary>
    public string Hash() => Convert.ToHexString(HashOf(0, length));

    public byte[] HashOf(long from, long count)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BlockBytes];
        for (var at = from; at < from + count;)
        {
            var filled = Fill(at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, from + count - at)));
            hash.AppendData(buffer, 0, filled);
            at += filled;
        }

        return hash.GetHashAndReset();
    }

    public void Dispose() => http.Dispose();

    // Every block is the same but for its number.
    private int Fill(long at, Span<byte> buffer)
    {
        var (number, offset) = Math.DivRem(at, BlockBytes);
        Span<byte> block = stackalloc byte[BlockBytes];
        _block.CopyTo(block);
        BinaryPrimitives.WriteInt64BigEndian(block, number);
        var count = Math.Min(buffer.Length, BlockBytes - (int)offset);
        block.Slice((int)offset, count).CopyTo(buffer);
        return count;
    }

    private static HttpRequestMessage New(HttpMethod method, string path) =>
        new(method, path) { Headers = { { "Tus-Resumable", "1.0.0" } } };

    private static async Task<string> FailureAsync(HttpResponseMessage answer, CancellationToken ct) =>
        answer.IsSuccessStatusCode ? "" : await answer.Content.ReadAsStringAsync(ct);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Part : HttpContent
    {
        private readonly Parcel _parcel;
        private readonly long _from;
        private readonly long _count;
        private readonly long? _breakAt;

        public Part(Parcel parcel, long from, long count, long? breakAt)
        {
            (_parcel, _from, _count, _breakAt) = (parcel, from, count, breakAt);
            Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            var buffer = new byte[BlockBytes];
            for (var at = 0L; at < _count;)
            {
                if (at >= _breakAt)
                {
                    await _parcel.StallsUntil.WaitAsync(cancellationToken);
                    throw new IOException("The network is gone.");
                }

                var filled = _parcel.Fill(_from + at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, _count - at)));
                await stream.WriteAsync(buffer.AsMemory(0, filled), cancellationToken);
                at += filled;
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _count;
            return true;
        }
    }
}
