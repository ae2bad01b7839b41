using SecureChat.Server.Storage;

namespace SecureChat.Server.Tests.Support;

/// <summary>One node's view of a hot store that several nodes of one test share. It can lose notices, or be away.</summary>
internal sealed class OneOfMany(IHotStore hot) : IHotStore
{
    private int _sets;

    /// <summary>Every call fails as one to a server that does not answer.</summary>
    public bool IsAway { get; set; }

    /// <summary>Every call is given up, as one whose connection ends before its answer.</summary>
    public bool GivesUp { get; set; }

    /// <summary>How many calls were.</summary>
    public int GivenUp { get; private set; }

    /// <summary>What is published reaches nobody.</summary>
    public bool LosesNotices { get; set; }

    /// <summary>How often this node has set a value.</summary>
    public int Sets => _sets;

    public string Name => hot.Name;

    public bool IsShared => true;

    private IHotStore Hot => IsAway ? throw new TimeoutException() : GivesUp ? throw GiveUp() : hot;

    private OperationCanceledException GiveUp()
    {
        GivenUp++;
        return new OperationCanceledException();
    }

    public async Task PingAsync(CancellationToken ct) => await Hot.PingAsync(ct);

    public async Task SetAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct)
    {
        await Hot.SetAsync(key, value, life, ct);
        Interlocked.Increment(ref _sets);
    }

    public async Task<bool> AddAsync(string key, ReadOnlyMemory<byte> value, TimeSpan life, CancellationToken ct) =>
        await Hot.AddAsync(key, value, life, ct);

    public async Task<byte[]?> GetAsync(string key, CancellationToken ct) => await Hot.GetAsync(key, ct);

    public async Task<byte[]?> TakeAsync(string key, CancellationToken ct) => await Hot.TakeAsync(key, ct);

    public async Task<bool> RemoveAsync(string key, CancellationToken ct) => await Hot.RemoveAsync(key, ct);

    public async Task<bool> RemoveIfAsync(string key, ReadOnlyMemory<byte> expected, CancellationToken ct) => await Hot.RemoveIfAsync(key, expected, ct);

    public async Task<long> CountAsync(string key, TimeSpan life, CancellationToken ct) => await Hot.CountAsync(key, life, ct);

    public async Task<TokensTaken> TakeTokensAsync(
        string key, IReadOnlyList<string> before, TokenBucket bucket, double amount, CancellationToken ct) =>
        await Hot.TakeTokensAsync(key, before, bucket, amount, ct);

    public async Task RenameAsync(string key, IReadOnlyList<string> before, CancellationToken ct) =>
        await Hot.RenameAsync(key, before, ct);

    public async Task<double> AddDecayingAsync(string key, double amount, TimeSpan halfLife, CancellationToken ct) =>
        await Hot.AddDecayingAsync(key, amount, halfLife, ct);

    public async Task<double> AddDistinctAsync(string key, IReadOnlyCollection<ulong> values, TimeSpan life, CancellationToken ct) =>
        await Hot.AddDistinctAsync(key, values, life, ct);

    public async Task<int> ExpireAsync(CancellationToken ct) => await Hot.ExpireAsync(ct);

    public async Task PublishAsync(string channel, ReadOnlyMemory<byte> notice, CancellationToken ct)
    {
        var store = Hot;
        if (!LosesNotices)
        {
            await store.PublishAsync(channel, notice, ct);
        }
    }

    public async Task<IAsyncDisposable> SubscribeAsync(string channel, Action<ReadOnlyMemory<byte>> handler, CancellationToken ct) =>
        await Hot.SubscribeAsync(channel, handler, ct);
}
