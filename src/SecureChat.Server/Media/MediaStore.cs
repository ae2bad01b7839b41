using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>What is being uploaded, what can be downloaded, and how much of a day's quota is used.</summary>
internal sealed class MediaStore(Database db, Secrets secrets, MediaClock clock, IOptions<MediaOptions> options)
{
    /// <summary>The blob store's folder for these.</summary>

    /// <summary>After its deadline a file is remembered as gone for so long.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    private const byte Purpose = 0xA3;

    /// <summary>Charges the account and makes the row. The day's counter is locked meanwhile: an account's reservations come one by one.</summary>
    public async Task<Reservation> ReserveAsync(
        Guid account, byte[] blob, long length, UploadTerms terms, CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        var day = Days.Since1970(now);
        var (today, yesterday) = (Counter(account, day), Counter(account, day - 1));
        var refusal = await db.InTransactionAsync(
            async transaction =>
            {
                var charged = await transaction.ExecuteAsync($"""
                    INSERT INTO media_quotas (counter, day, bytes) VALUES ({today}, {day}, {length})
                    ON CONFLICT (counter) DO UPDATE SET bytes = media_quotas.bytes + excluded.bytes
                    WHERE media_quotas.bytes + excluded.bytes <= {options.Value.BytesPerDay}
                    """, ct);
                if (charged is 0)
                {
                    return ProtocolError.QuotaUsedUp;
                }

                if (await RefusalAsync(transaction, today, yesterday, length, now, ct) is { } full)
                {
                    await RefundAsync(transaction, today, length, ct);
                    return full;
                }

                await transaction.ExecuteAsync($"""
                    INSERT INTO media (blob, length, state, downloads, claimed, life_minutes, created_at, expires_at, charged_to)
                    VALUES ({blob}, {length}, {MediaState.Uploading}, {(long)terms.Downloads}, {0L}, {(long)terms.LifeMinutes}, {now},
                        {now + options.Value.UploadTime}, {today})
                    """, ct);
                return null;
            },
            ct);
        return new Reservation(
            now + options.Value.UploadTime,
            refusal,
            refusal == ProtocolError.QuotaUsedUp ? TimeSpan.FromDays(1) - now.TimeOfDay
                : refusal == ProtocolError.TooManyUploads ? TimeSpan.FromMinutes(1) : null);
    }

    /// <summary>Null: there is none, or it has been gone for long.</summary>
    public Task<MediaRow?> FindAsync(byte[] blob, CancellationToken ct) => db.FirstOrDefaultAsync<MediaRow>($"""
        SELECT blob, length, state, downloads, claimed, life_minutes, created_at, expires_at, charged_to FROM media WHERE blob = {blob}
        """, ct);

    /// <summary>From now on it can be downloaded, its life runs, and nothing leads to its uploader any more.</summary>
    public async Task<DateTimeOffset> CompleteAsync(MediaRow row, CancellationToken ct)
    {
        var (life, latest) = (TimeSpan.FromMinutes(row.LifeMinutes), row.CreatedAt + LongestLife);
        var end = await clock.NowAsync(ct) + life;
        end = end < latest ? end : latest;
        await db.ExecuteAsync($"""
            UPDATE media SET state = {MediaState.Complete}, expires_at = {end}, charged_to = NULL
            WHERE blob = {row.Blob} AND state = {MediaState.Uploading}
            """, ct);
        return end;
    }

    /// <summary>What has no use any more: past its deadline, or downloaded as often as it may be.</summary>
    public async Task<List<MediaRow>> EndedAsync(CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        return await db.QueryAsync<MediaRow>($"""
            SELECT blob, length, state, downloads, claimed, life_minutes, created_at, expires_at, charged_to FROM media
            WHERE state < {MediaState.Gone} AND (expires_at <= {now} OR (claimed >= downloads AND NOT EXISTS (
                SELECT 1 FROM media_claims WHERE media_claims.blob = media.blob AND media_claims.ends_at > {now} )))
            ORDER BY expires_at LIMIT 1000
            """, ct);
    }

    /// <summary>Marks a file as gone. What its content was is deleted before.</summary>
    /// <param name="received">Of an upload that is not complete: what came is charged, the rest is given back.</param>
    public Task EndAsync(MediaRow row, long received, CancellationToken ct) => db.InTransactionAsync(
        async transaction =>
        {
            var ended = await transaction.ExecuteAsync($"""
                UPDATE media SET state = {MediaState.Gone}, length = 0, charged_to = NULL WHERE blob = {row.Blob} AND state < {MediaState.Gone}
                """, ct);
            await transaction.ExecuteAsync($"DELETE FROM media_claims WHERE blob = {row.Blob}", ct);
            if (ended > 0 && row.ChargedTo is { } counter)
            {
                await RefundAsync(transaction, counter, row.Length - received, ct);
            }

            return ended;
        },
        ct);

    /// <summary>Forgets what has been gone for long, and the counters of past days.</summary>
    public async Task<int> ForgetAsync(CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        await db.ExecuteAsync($"DELETE FROM media_quotas WHERE day < {Days.Since1970(now) - 1}", ct);
        return await db.ExecuteAsync($"DELETE FROM media WHERE state = {MediaState.Gone} AND expires_at <= {now - Memory}", ct);
    }

    /// <summary>No file is kept longer than this after it was announced.</summary>
    public static TimeSpan LongestLife { get; } = TimeSpan.FromMinutes(Limits.MaxMediaMinutes);

    private async Task<ProtocolError?> RefusalAsync(
        Database.Transaction transaction, byte[] today, byte[] yesterday, long length, DateTimeOffset now, CancellationToken ct)
    {
        var inFlight = await transaction.FirstOrDefaultAsync<long>($"""
            SELECT COUNT(*) FROM media WHERE (charged_to = {today} OR charged_to = {yesterday} ) AND expires_at > {now}
            """, ct);
        if (inFlight >= options.Value.UploadsInFlight)
        {
            return ProtocolError.TooManyUploads;
        }

        var stored = await transaction.FirstOrDefaultAsync<long>(
            $"SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM media WHERE state < {MediaState.Gone}", ct);
        return stored + length > options.Value.MaxStoredBytes ? ProtocolError.StorageFull : null;
    }

    private static Task<int> RefundAsync(Database.Transaction transaction, byte[] counter, long bytes, CancellationToken ct) =>
        transaction.ExecuteAsync($"UPDATE media_quotas SET bytes = bytes - {bytes} WHERE counter = {counter}", ct);

    private byte[] Counter(Guid account, long day)
    {
        Span<byte> text = stackalloc byte[1 + 16 + sizeof(long)];
        text[0] = Purpose;
        account.TryWriteBytes(text[1..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(text[17..], day);
        return HMACSHA256.HashData(secrets.IdentifierKey, text);
    }
}

/// <summary>Room for an upload until <paramref name="Deadline"/>, or why there is none and when to ask again.</summary>
internal sealed record Reservation(DateTimeOffset Deadline, ProtocolError? Refusal, TimeSpan? RetryAfter);

/// <summary>What the uploader chose.</summary>
/// <param name="LifeMinutes">1 to 120, counted from the end of the upload.</param>
/// <param name="Downloads">How often it may be downloaded; 1 is view-once.</param>
internal sealed record UploadTerms(int LifeMinutes, int Downloads);
