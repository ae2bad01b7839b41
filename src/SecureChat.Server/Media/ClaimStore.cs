using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>Downloads that were granted. Spec: docs/protocol/media.md#downloading.</summary>
/// <remarks>
/// Bytes are charged to a claim before they are sent and given back if they were not, so that parallel requests with one claim are counted
/// too, and a process that dies gives nothing away.
/// </remarks>
internal sealed class ClaimStore(Database db, MediaClock clock)
{
    /// <summary>A download may go on for so long after its last byte was sent.</summary>
    /// <remarks>
    /// Also after the whole file was: what is written to a socket, or taken by a proxy, has not arrived, and only the client knows what has.
    /// </remarks>
    private static readonly TimeSpan Resumable = TimeSpan.FromMinutes(2);

    // What may be sent again after cuts, beside as much as the file is long.
    private const long SmallChange = 1 << 20;

    /// <summary>Takes one of the downloads. Of any number of parallel callers as many get one as there are.</summary>
    /// <param name="count">Bytes that will be sent.</param>
    public async Task<bool> TakeAsync(MediaRow row, Capability claim, long count, CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        return await db.InTransactionAsync(
            async transaction =>
            {
                var taken = await transaction.ExecuteAsync($"""
                    UPDATE media SET claimed = claimed + 1
                    WHERE blob = {row.Blob} AND state = {MediaState.Complete} AND claimed < downloads AND expires_at > {now}
                    """, ct);
                return taken > 0 && await transaction.ExecuteAsync($"""
                    INSERT INTO media_claims (claim, blob, sent, ends_at) VALUES ({claim.Hash}, {row.Blob}, {count}, {now + Resumable})
                    """, ct) > 0;
            },
            ct);
    }

    /// <summary>Goes on with a download that was granted before; false: its time is over, or it has been sent more than twice.</summary>
    public async Task<bool> ResumeAsync(MediaRow row, Capability claim, long count, CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        return await db.ExecuteAsync($"""
            UPDATE media_claims SET sent = sent + {count}, ends_at = {now + Resumable}
            WHERE claim = {claim.Hash} AND blob = {row.Blob} AND ends_at > {now} AND sent + {count} <= {(2 * row.Length) + SmallChange}
            """, ct) > 0;
    }

    /// <summary>The download is still running.</summary>
    public async Task KeepAsync(Capability claim, CancellationToken ct)
    {
        var end = await clock.NowAsync(ct) + Resumable;
        await db.ExecuteAsync($"UPDATE media_claims SET ends_at = {end} WHERE claim = {claim.Hash}", ct);
    }

    /// <summary>A response has ended: <paramref name="unsent"/> bytes of it were not sent.</summary>
    public async Task EndResponseAsync(Capability claim, long unsent, CancellationToken ct)
    {
        var end = await clock.NowAsync(ct) + Resumable;
        await db.ExecuteAsync($"UPDATE media_claims SET sent = sent - {unsent}, ends_at = {end} WHERE claim = {claim.Hash}", ct);
    }

    /// <summary>The client has everything. False: it has no such claim.</summary>
    public async Task<bool> FinishAsync(MediaRow row, Capability claim, CancellationToken ct) =>
        await db.ExecuteAsync($"DELETE FROM media_claims WHERE claim = {claim.Hash} AND blob = {row.Blob}", ct) > 0;

    /// <summary>Whether nobody can download it any more.</summary>
    public async Task<bool> IsConsumedAsync(MediaRow row, CancellationToken ct)
    {
        var now = await clock.NowAsync(ct);
        return await db.FirstOrDefaultAsync<long>($"""
            SELECT COUNT(*) FROM media WHERE blob = {row.Blob} AND claimed >= downloads AND NOT EXISTS (
                SELECT 1 FROM media_claims WHERE media_claims.blob = media.blob AND media_claims.ends_at > {now} )
            """, ct) > 0;
    }
}
