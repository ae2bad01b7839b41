using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Media;

/// <summary>
/// Which share of all files ended lately without being fetched, between 0 and 1: what each upload weighs in the detector. Nothing leads
/// from a file to its uploader, so nobody is counted for their own; but while many files are for nobody, whoever uploads most makes most of them.
/// </summary>
/// <remarks>Keys in the hot store: <c>media-ended:all</c> and <c>media-ended:unfetched</c> count the whole server's files, and decay.</remarks>
internal sealed class UnfetchedShare(IHotStore hot)
{
    private static readonly TimeSpan HalfLife = TimeSpan.FromHours(1);

    // Files that are taken as fetched beforehand, so that on a small server the first that is not says little.
    private const double Prior = 50;

    private long _ended;
    private long _unfetched;
    private double _share;

    public double Value => Volatile.Read(ref _share);

    /// <summary>A complete file ended.</summary>
    public void Note(bool wasFetched)
    {
        Interlocked.Increment(ref _ended);
        Interlocked.Add(ref _unfetched, wasFetched ? 0 : 1);
    }

    /// <summary>Adds what was noted here to what all nodes know. While the hot store is away the share stays as it is.</summary>
    public async Task ShareAsync(CancellationToken ct)
    {
        var (ended, unfetched) = (Interlocked.Exchange(ref _ended, 0), Interlocked.Exchange(ref _unfetched, 0));
        try
        {
            var all = await hot.AddDecayingAsync(HotKeys.MediaEnded + ":all", ended, HalfLife, ct);
            Volatile.Write(ref _share, await hot.AddDecayingAsync(HotKeys.MediaEnded + ":unfetched", unfetched, HalfLife, ct) / (all + Prior));
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            Interlocked.Add(ref _ended, ended);
            Interlocked.Add(ref _unfetched, unfetched);
        }
    }
}
