using System.Globalization;
using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace SecureChat.Server.Storage;

/// <summary>Blobs in an S3-compatible object store, each as objects <c>name/offset</c> that follow each other.</summary>
/// <remarks>
/// S3 cannot append, and its multipart uploads take no part under 5 MiB, which a phone seldom gets through in one go. So every part that came is
/// an object, 8 MiB at most: any node can go on with any upload, and what is listed is what is kept. What is on its way into an object waits in a
/// file without a name, not in memory; a process that dies loses it, and the client sends it again.
/// </remarks>
/// <param name="spool">Folder for what waits.</param>
/// <param name="maxObjects">Objects of one blob: who sends a file byte by byte would make every look at it a long one.</param>
internal sealed class S3Blobs(AmazonS3Client s3, string bucket, string spool, int maxObjects, ILogger<S3Blobs> log) : IBlobStore, IDisposable
{
    private const int MaxObjectBytes = 8 * 1024 * 1024;

    public string Name => "S3";

    public static S3Blobs Open(BlobOptions options, string spool, ILogger<S3Blobs> log, int maxObjects = 2000)
    {
        var config = new AmazonS3Config
        {
            ServiceURL = options.S3Endpoint,
            AuthenticationRegion = options.S3Region,
            ForcePathStyle = true,
            MaxErrorRetry = 2,
            Timeout = TimeSpan.FromSeconds(60),
        };
        return new S3Blobs(new AmazonS3Client(options.S3AccessKey, options.S3SecretKey, config), options.S3Bucket, spool, maxObjects, log);
    }

    public Task PingAsync(CancellationToken ct) =>
        AskAsync(() => s3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, MaxKeys = 1 }, ct));

    public async Task<long> LengthAsync(string name, CancellationToken ct)
    {
        var parts = await PartsAsync(name, ct);
        return parts.Count > 0 ? parts[^1].End : 0;
    }

    public async Task<IBlobAppend> AppendAsync(string name, long offset, bool whole, CancellationToken ct)
    {
        var parts = await PartsAsync(name, ct);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset, parts.Count > 0 ? parts[^1].End : 0);
        if (parts.Count >= maxObjects)
        {
            throw new BlobsFullException();
        }

        OwnerOnly.CreateFolder(spool);
        var path = Path.Combine(spool, Ids.New().ToString("N"));
        var waiting = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, bufferSize: 0);

        // Now, not when it is closed: a process that is killed closes nothing in order.
        File.Delete(path);
        return new Append(this, name, offset, whole, waiting);
    }

    public async Task<Stream?> ReadAsync(string name, long offset, long count, CancellationToken ct)
    {
        var parts = await PartsAsync(name, ct);
        return parts.Count > 0 && parts[^1].End >= offset + count ? new PartStream(this, parts, offset, offset + count) : null;
    }

    public async Task RemoveAsync(string name, CancellationToken ct)
    {
        await foreach (var page in ListAsync(name + "/", ct))
        {
            await DeleteAsync([.. page.Select(found => found.Key)], ct);
        }
    }

    public async Task<int> RemoveOlderAsync(string area, DateTimeOffset before, CancellationToken ct)
    {
        var blobs = new HashSet<string>();
        await foreach (var page in ListAsync(area + "/", ct))
        {
            var old = page.Where(found => found.LastModified.ToUniversalTime() < before.UtcDateTime).Select(found => found.Key).ToList();
            blobs.UnionWith(old.Select(key => key[..key.LastIndexOf('/')]));
            await DeleteAsync(old, ct);
        }

        return blobs.Count;
    }

    public void Dispose() => s3.Dispose();

    /// <summary>The objects that follow each other without a gap. One that another covers was written by a node that lost its turn.</summary>
    private async Task<List<Part>> PartsAsync(string name, CancellationToken ct)
    {
        var found = new List<Part>();
        await foreach (var page in ListAsync(name + "/", ct))
        {
            found.AddRange(page.Select(one => new Part(
                one.Key, long.Parse(one.Key.AsSpan(name.Length + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), one.Size)));
        }

        var parts = new List<Part>();
        var end = 0L;
        foreach (var part in found.OrderBy(part => part.From))
        {
            if (part.From == end)
            {
                parts.Add(part);
                end = part.End;
            }
        }

        return parts;
    }

    private async IAsyncEnumerable<List<S3Object>> ListAsync(
        string prefix, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var request = new ListObjectsV2Request { BucketName = bucket, Prefix = prefix };
        ListObjectsV2Response page;
        do
        {
            page = await AskAsync(() => s3.ListObjectsV2Async(request, ct));
            yield return page.S3Objects;
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated);
    }

    private async Task DeleteAsync(List<string> keys, CancellationToken ct)
    {
        if (keys.Count > 0)
        {
            var request = new DeleteObjectsRequest
            {
                BucketName = bucket,
                Objects = [.. keys.Select(key => new KeyVersion { Key = key })],
                Quiet = true,
            };
            await AskAsync(() => s3.DeleteObjectsAsync(request, ct));
        }
    }

    private async Task PutAsync(string name, long offset, Stream content, CancellationToken ct)
    {
        content.Position = 0;
        var request = new PutObjectRequest
        {
            BucketName = bucket,
            Key = string.Create(CultureInfo.InvariantCulture, $"{name}/{offset:x10}"),
            InputStream = content,
            AutoCloseStream = false,
            ContentType = "application/octet-stream",
            UseChunkEncoding = false,
        };
        await AskAsync(() => s3.PutObjectAsync(request, ct));
    }

    private Task<GetObjectResponse> GetAsync(string key, long from, long to, CancellationToken ct)
    {
        var request = new GetObjectRequest { BucketName = bucket, Key = key, ByteRange = new ByteRange(from, to) };
        return AskAsync(() => s3.GetObjectAsync(request, ct));
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception failure) when (failure is AmazonServiceException or AmazonClientException or HttpRequestException or IOException)
        {
            log.BlobStoreFailed((failure as AmazonServiceException)?.ErrorCode ?? failure.GetType().Name);
            throw failure is AmazonServiceException { StatusCode: HttpStatusCode.InsufficientStorage }
                ? new BlobsFullException(failure)
                : new BlobsUnavailableException(failure);
        }
    }

    private readonly record struct Part(string Key, long From, long Size)
    {
        public long End => From + Size;
    }

    private sealed class Append(S3Blobs store, string name, long offset, bool whole, FileStream waiting) : IBlobAppend
    {
        private long _at = offset;

        public async ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken ct)
        {
            foreach (var buffer in buffers)
            {
                await waiting.WriteAsync(buffer, ct);
            }

            if (!whole && waiting.Length >= MaxObjectBytes)
            {
                await KeepAsync(ct);
            }
        }

        public async Task KeepAsync(CancellationToken ct)
        {
            var length = waiting.Length;
            for (var from = 0L; from < length; from += MaxObjectBytes)
            {
                await using var part = new Slice(waiting, from, Math.Min(MaxObjectBytes, length - from));
                await store.PutAsync(name, _at, part, ct);
                _at += part.Length;
            }

            waiting.SetLength(0);
        }

        public ValueTask DisposeAsync() => waiting.DisposeAsync();
    }

    /// <summary>A part of a file, as a stream that can be read twice: once to be hashed, once to be sent.</summary>
    private sealed class Slice(FileStream file, long from, long length) : ReadOnlyStream
    {
        public override bool CanSeek => true;

        public override long Length => length;

        public override long Position { get; set; }

        public override long Seek(long offset, SeekOrigin origin) =>
            Position = offset + (origin is SeekOrigin.Begin ? 0 : origin is SeekOrigin.Current ? Position : length);

        public override int Read(Span<byte> buffer)
        {
            var read = RandomAccess.Read(file.SafeFileHandle, buffer[..(int)Math.Min(buffer.Length, length - Position)], from + Position);
            Position += read;
            return read;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await RandomAccess.ReadAsync(
                file.SafeFileHandle, buffer[..(int)Math.Min(buffer.Length, length - Position)], from + Position, cancellationToken);
            Position += read;
            return read;
        }
    }

    /// <summary>The objects of a blob, one behind the other; one answer of the store at a time.</summary>
    private sealed class PartStream(S3Blobs store, List<Part> parts, long from, long to) : ReadOnlyStream
    {
        private long _at = from;
        private GetObjectResponse? _current;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (_at < to)
            {
                _current ??= await OpenAsync(cancellationToken);
                if (await _current.ResponseStream.ReadAsync(buffer, cancellationToken) is var read and > 0)
                {
                    _at += read;
                    return read;
                }

                _current.Dispose();
                _current = null;
            }

            return 0;
        }

        protected override void Dispose(bool disposing)
        {
            _current?.Dispose();
            base.Dispose(disposing);
        }

        private Task<GetObjectResponse> OpenAsync(CancellationToken ct)
        {
            var part = parts.Find(one => one.From <= _at && _at < one.End);
            return store.GetAsync(part.Key, _at - part.From, Math.Min(part.End, to) - part.From - 1, ct);
        }
    }

    /// <summary>What no stream here can: it is read once, forward, and by nobody who waits for it on a thread.</summary>
    private abstract class ReadOnlyStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer) => throw new NotSupportedException();

        public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
