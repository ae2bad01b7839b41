using System.IO.Pipelines;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>Sends files, each as often as its uploader allowed.</summary>
internal sealed class Downloads(
    MediaStore media, ClaimStore claims, Uploads uploads, UnfetchedShare unfetched, IBlobStore blobs, MediaClock clock, TimeProvider time)
{
    private const int BufferBytes = 64 * 1024;
    private static readonly TimeSpan KeepEvery = TimeSpan.FromSeconds(30);

    public ClaimStore Claims => claims;

    /// <summary>The complete file behind an id.</summary>
    public async Task<(MediaRow? Row, ProtocolError? Refusal)> FindAsync(string id, CancellationToken ct)
    {
        if (!Capability.TryParse(id, out var download)
            || await media.FindAsync(download.Hash, ct) is not { State: not MediaState.Uploading } row)
        {
            return (null, ProtocolError.NotFound);
        }

        return row.State is MediaState.Gone || row.ExpiresAt <= await clock.NowAsync(ct) ? (null, ProtocolError.Gone) : (row, null);
    }

    /// <summary>The content that is asked for, before anything is taken for it; null: the blob store has lost it.</summary>
    public Task<Stream?> OpenAsync(MediaRow row, ByteRange range, CancellationToken ct) =>
        blobs.ReadAsync(row.Name, range.From, range.Count, ct);

    /// <summary>Sends what the claim was charged for. What was not sent is given back to it, and from then on its end is near.</summary>
    public async Task SendAsync(
        MediaRow row, ByteRange range, Stream content, Capability claim, HttpContext context, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(Positive(row.ExpiresAt - await clock.NowAsync(ct)), time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var sent = 0L;
        try
        {
            sent = await CopyAsync(content, context.Response.BodyWriter, range.Count, claim, stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The client is gone, or the file's time is over.
        }
        finally
        {
            await claims.EndResponseAsync(claim, range.Count - sent, CancellationToken.None);
        }

        if (sent < range.Count)
        {
            // Else the client would wait for the rest of what was promised.
            context.Abort();
        }
    }

    /// <summary>The client says that it has everything. After the last download the file goes at once.</summary>
    public async Task<bool> FinishAsync(MediaRow row, Capability claim, CancellationToken ct)
    {
        if (!await claims.FinishAsync(row, claim, ct))
        {
            return false;
        }

        if (await claims.IsConsumedAsync(row, ct))
        {
            await uploads.EndAsync(row, ct);
            unfetched.Note(wasFetched: true);
        }

        return true;
    }

    // Into the connection's own buffers, and no more of them than it takes at once.
    private async Task<long> CopyAsync(Stream content, PipeWriter to, long count, Capability claim, CancellationToken ct)
    {
        var sent = 0L;
        var kept = time.GetTimestamp();
        while (sent < count)
        {
            var buffer = to.GetMemory(BufferBytes);
            var read = await content.ReadAsync(buffer[..(int)Math.Min(buffer.Length, count - sent)], ct);
            if (read is 0)
            {
                break;
            }

            to.Advance(read);
            if ((await to.FlushAsync(ct)).IsCompleted)
            {
                break;
            }

            sent += read;
            if (time.GetElapsedTime(kept) > KeepEvery)
            {
                await claims.KeepAsync(claim, ct);
                kept = time.GetTimestamp();
            }
        }

        return sent;
    }

    private static TimeSpan Positive(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;
}
