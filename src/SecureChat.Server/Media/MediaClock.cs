using SecureChat.Server.Storage;

namespace SecureChat.Server.Media;

/// <summary>Time that does not run backwards: the machine's clock forward, its uptime otherwise, and never before the newest file.</summary>
/// <remarks>So a clock that is set back, before or after a restart, prolongs no life.</remarks>
internal sealed class MediaClock(Database db, TimeProvider time)
{
    private readonly Lock _gate = new();
    private DateTimeOffset _latest;
    private long _latestAt;
    private volatile bool _hasRead;

    public async ValueTask<DateTimeOffset> NowAsync(CancellationToken ct)
    {
        if (!_hasRead)
        {
            var newest = await db.FirstOrDefaultAsync<long>($"SELECT COALESCE(MAX(created_at), 0) FROM media", ct);
            Advance(DateTimeOffset.FromUnixTimeMilliseconds(newest));
            _hasRead = true;
        }

        return Advance(time.GetUtcNow());
    }

    private DateTimeOffset Advance(DateTimeOffset atLeast)
    {
        lock (_gate)
        {
            var timestamp = time.GetTimestamp();
            var byUptime = _latest + time.GetElapsedTime(_latestAt, timestamp);
            (_latest, _latestAt) = (_latestAt is 0 || atLeast > byUptime ? atLeast : byUptime, timestamp);
            return _latest;
        }
    }
}
