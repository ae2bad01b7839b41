using System.Buffers.Binary;

namespace SecureChat.Server.Storage;

/// <summary>Tells every node that something about an account changed, or that credentials ended.</summary>
/// <remarks>
/// A notice in the hot store is quick but may be lost; the epochs in the table <c>ended_epochs</c> are not, and every
/// node reads the recent ones once a second. Handlers therefore see an epoch several times, and must not mind.
/// </remarks>
internal sealed partial class AccountNotices(
    IHotStore hot, Database db, TimeProvider time, ILogger<AccountNotices> log) : BackgroundService
{
    /// <summary>Raised on every node; must not block or throw.</summary>
    public event Action<Guid>? AccountChanged;

    /// <summary>Whether no notice can be lost: this process is alone with its database.</summary>
    public bool HearsEveryChange => !hot.IsShared;

    /// <summary>Credentials with this epoch are void: drop the sockets that were opened with them. Must not block or throw.</summary>
    public event Action<long>? CredentialsEnded;

    /// <summary>To be called after the change was committed, together with its rows in <c>ended_epochs</c>.</summary>
    public async Task PublishAsync(Guid account, IReadOnlyList<long> endedEpochs, CancellationToken ct)
    {
        var notice = new byte[16 + (8 * endedEpochs.Count)];
        account.TryWriteBytes(notice, bigEndian: true, out _);
        for (var i = 0; i < endedEpochs.Count; i++)
        {
            BinaryPrimitives.WriteInt64BigEndian(notice.AsSpan(16 + (8 * i)), endedEpochs[i]);
        }

        // This node first and directly: the caller may rely on it.
        Raise(notice);
        try
        {
            await hot.PublishAsync(HotKeys.Accounts, notice, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // The change is committed already; the other nodes learn it from the table.
            log.NoticeLost(e.GetType().Name);
        }
    }

    /// <summary>Deletes what every node has read long ago.</summary>
    public Task<int> ReapAsync(CancellationToken ct) =>
        db.ExecuteAsync($"DELETE FROM ended_epochs WHERE ended_at <= {time.GetUtcNow() - (PollWindow * 4)}", ct);

    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        IAsyncDisposable? subscription = null;
        try
        {
            while (true)
            {
                try
                {
                    subscription ??= await hot.SubscribeAsync(HotKeys.Accounts, notice => Raise(notice.Span), ct);
                    await PollAsync(ct);
                }
                catch (Exception e) when (!ct.IsCancellationRequested)
                {
                    log.PollFailed(e.GetType().Name);
                }

                await Task.Delay(PollInterval, time, ct);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
        finally
        {
            if (subscription is not null)
            {
                await subscription.DisposeAsync();
            }
        }
    }

    private async Task PollAsync(CancellationToken ct)
    {
        var since = time.GetUtcNow() - PollWindow;
        foreach (var epoch in await db.QueryAsync<long>($"SELECT epoch FROM ended_epochs WHERE ended_at > {since}", ct))
        {
            CredentialsEnded?.Invoke(epoch);
        }
    }

    private void Raise(ReadOnlySpan<byte> notice)
    {
        if (notice.Length < 16)
        {
            return;
        }

        AccountChanged?.Invoke(new Guid(notice[..16], bigEndian: true));
        for (var rest = notice[16..]; rest.Length >= 8; rest = rest[8..])
        {
            CredentialsEnded?.Invoke(BinaryPrimitives.ReadInt64BigEndian(rest));
        }
    }

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    // Covers a node that could not read for a while, and clocks that differ.
    private static readonly TimeSpan PollWindow = TimeSpan.FromSeconds(30);
}

internal static partial class AccountNoticesLog
{
    [LoggerMessage(LogLevel.Warning, "A notice to other nodes was not sent: {Error}")]
    public static partial void NoticeLost(this ILogger log, string error);

    [LoggerMessage(LogLevel.Warning, "Ended credentials could not be read: {Error}")]
    public static partial void PollFailed(this ILogger log, string error);
}
