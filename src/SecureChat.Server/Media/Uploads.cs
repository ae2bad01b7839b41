using System.IO.Pipelines;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>From an announced length to a complete file, over any number of interruptions.</summary>
internal sealed class Uploads(
    MediaStore media, IBlobStore blobs, UploadTurns turns, UnfetchedShare unfetched, MediaClock clock, TimeProvider time)
{
    /// <summary>The upload behind a key, and whether it is still open.</summary>
    public async Task<(MediaRow? Row, ProtocolError? Refusal)> FindAsync(string key, CancellationToken ct)
    {
        if (!Capability.TryParse(key, out var upload) || await media.FindAsync(upload.ToDownload().Hash, ct) is not { } row)
        {
            return (null, ProtocolError.NotFound);
        }

        return row.State is MediaState.Gone || row.ExpiresAt <= await clock.NowAsync(ct) ? (null, ProtocolError.Gone) : (row, null);
    }

    /// <summary>Bytes that are kept. A request that still writes is ended first: its connection must be dead.</summary>
    /// <remarks>An upload whose last byte came just before the process died is completed here.</remarks>
    public async Task<long> OffsetAsync(MediaRow row, CancellationToken ct)
    {
        using var turn = await turns.TakeAsync(row.Name, ct);
        var offset = row.IsComplete ? row.Length : await blobs.LengthAsync(row.Name, ct);
        if (offset == row.Length && !row.IsComplete)
        {
            await media.CompleteAsync(row, ct);
        }

        return offset;
    }

    /// <summary>Adds a part. Without a checksum everything that came is kept, also of a connection that broke.</summary>
    public async Task<PartResult> AppendAsync(MediaRow row, long offset, Checksum? checksum, PipeReader body, CancellationToken ct)
    {
        using var turn = await turns.TakeAsync(row.Name, ct);
        if (await media.FindAsync(row.Blob, ct) is not { State: MediaState.Uploading } current)
        {
            // It was completed, or taken back, while this request waited.
            return new PartResult(row.Length, row.ExpiresAt, row.IsComplete && offset == row.Length ? null : ProtocolError.WrongOffset);
        }

        row = current;
        if (await blobs.LengthAsync(row.Name, ct) is var length && length != offset)
        {
            return new PartResult(length, row.ExpiresAt, ProtocolError.WrongOffset);
        }

        using var deadline = new CancellationTokenSource(Positive(row.ExpiresAt - await clock.NowAsync(ct)), time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(turn.Interrupted, deadline.Token);
        await using var stopping = stop.Token.Register(body.CancelPendingRead);
        await using var append = await blobs.AppendAsync(row.Name, offset, checksum is not null, ct);
        var end = offset;
        try
        {
            end += await CopyAsync(body, append, row.Length - offset, checksum?.Hash, ct);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new PartResult(offset, row.ExpiresAt, deadline.IsCancellationRequested ? ProtocolError.Gone : ProtocolError.WrongOffset);
        }
        finally
        {
            if (checksum is null)
            {
                await append.KeepAsync(CancellationToken.None);
            }
        }

        if (end > row.Length || checksum?.Matches() is false)
        {
            return new PartResult(offset, row.ExpiresAt, end > row.Length ? ProtocolError.TooLarge : ProtocolError.ChecksumMismatch);
        }

        if (checksum is not null)
        {
            await append.KeepAsync(CancellationToken.None);
        }

        return new PartResult(end, end == row.Length ? await media.CompleteAsync(row, CancellationToken.None) : row.ExpiresAt, null);
    }

    /// <summary>Deletes what has ended: the content first, so that a process that dies in between leaves nothing on the disk.</summary>
    public async Task<int> SweepAsync(CancellationToken ct)
    {
        var ended = await media.EndedAsync(ct);
        foreach (var row in ended)
        {
            await EndAsync(row, ct);
            if (row.IsComplete)
            {
                unfetched.Note(wasFetched: row.Claimed > 0);
            }
        }

        await unfetched.ShareAsync(ct);
        await media.ForgetAsync(ct);
        return ended.Count;
    }

    /// <summary>Deletes content that nothing in the directory speaks of: of a directory that was restored, or lost.</summary>
    public Task<int> SweepStraysAsync(CancellationToken ct) =>
        blobs.RemoveOlderAsync(BlobAreas.Media, time.GetUtcNow() - MediaStore.LongestLife - TimeSpan.FromMinutes(1), ct);

    /// <summary>Deletes one file at once: nobody can have it any more, or its uploader takes it back.</summary>
    public async Task EndAsync(MediaRow row, CancellationToken ct)
    {
        using var turn = await turns.TakeAsync(row.Name, ct);
        var received = row.IsComplete ? row.Length : await blobs.LengthAsync(row.Name, ct);
        await blobs.RemoveAsync(row.Name, ct);
        await media.EndAsync(row, received, ct);
    }

    /// <summary>Copies until the body ends and returns how much that was; one buffer more than <paramref name="room"/> is not copied any more.</summary>
    internal static async Task<long> CopyAsync(PipeReader body, IBlobAppend append, long room, IncrementalHash? hash, CancellationToken ct)
    {
        var copied = 0L;
        var buffers = new List<ReadOnlyMemory<byte>>();
        while (true)
        {
            var read = await body.ReadAsync(ct);
            if (read.IsCanceled)
            {
                body.AdvanceTo(read.Buffer.Start);
                throw new OperationCanceledException("Somebody else has the turn, or the time is over.");
            }

            copied += read.Buffer.Length;
            if (copied > room)
            {
                body.AdvanceTo(read.Buffer.End);
                return copied;
            }

            if (read.Buffer.Length > 0)
            {
                buffers.Clear();
                foreach (var segment in read.Buffer)
                {
                    hash?.AppendData(segment.Span);
                    buffers.Add(segment);
                }

                await append.WriteAsync(buffers, ct);
            }

            body.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return copied;
            }
        }
    }

    private static TimeSpan Positive(TimeSpan time) => time > TimeSpan.Zero ? time : TimeSpan.Zero;
}

/// <summary>How an attempt to add a part ended.</summary>
/// <param name="Offset">Bytes that are kept now.</param>
/// <param name="ExpiresAt">When the upload, or the complete file, ends.</param>
internal sealed record PartResult(long Offset, DateTimeOffset ExpiresAt, ProtocolError? Refusal);
