using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>Time that does not run backwards: the machine's clock forward, its uptime otherwise, and never before the newest file.</summary>
/// <remarks>So a clock that is set back, before or after a restart, prolongs no life.</remarks>
internal sealed class MediaClock(Database db, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _madeAt = time.GetTimestamp();
    private DateTimeOffset? _latest;
    private long _latestAt;

    public async ValueTask<DateTimeOffset> NowAsync(CancellationToken ct)
    {
        if (_latest is null)
        {
            var newest = await db.FirstOrDefaultAsync<long>($"SELECT COALESCE(MAX(created_at), 0) FROM media", ct);
            Begin(DateTimeOffset.FromUnixTimeMilliseconds(newest));
        }

        lock (_gate)
        {
            var (timestamp, now) = (time.GetTimestamp(), time.GetUtcNow());
            var byUptime = _latest!.Value + time.GetElapsedTime(_latestAt, timestamp);
            (_latest, _latestAt) = (now > byUptime ? now : byUptime, timestamp);
            return _latest.Value;
        }
    }

    // What has passed since the server began counts, however late the first question comes.
    private void Begin(DateTimeOffset newest)
    {
        lock (_gate)
        {
            (_latest, _latestAt) = _latest is null ? (newest, _madeAt) : (_latest, _latestAt);
        }
    }
}
