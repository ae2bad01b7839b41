using System.Net;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Abuse;

/// <summary>Takes tokens from the buckets of <see cref="RateLimits"/>.</summary>
/// <remarks>
/// Keys in the hot store are <c>limit:name:hash</c>; the subject (an address, an account) is hashed under a secret key that
/// changes every hour. A bucket that takes longer than an hour to fill is carried from name to name, in the same round trip.
/// </remarks>
internal sealed class RateLimiter
{
    private readonly IHotStore _hot;
    private readonly HourlyNames _names;
    private readonly Dictionary<object, TokenBucket> _buckets;

    public RateLimiter(IHotStore hot, HourlyNames names, IOptions<LimitsOptions> options)
    {
        (_hot, _names) = (hot, names);
        _buckets = options.Value.Scale is 0
            ? []
            : RateLimits.All.ToDictionary(limit => (object)limit, options.Value.BucketOf, ReferenceEqualityComparer.Instance);
    }

    /// <summary>Zero when granted, else how long to wait. A refusal takes nothing.</summary>
    public Task<TimeSpan> TakeAsync(RateLimit limit, ReadOnlySpan<byte> subject, double amount, CancellationToken ct)
    {
        var drawn = DrawAsync(limit, subject, amount, ct);
        return drawn.IsCompletedSuccessfully ? Task.FromResult(drawn.Result.Wait) : WaitOf(drawn);

        static async Task<TimeSpan> WaitOf(Task<TokensTaken> drawn) => (await drawn).Wait;
    }

    /// <inheritdoc cref="TakeAsync(RateLimit, ReadOnlySpan{byte}, double, CancellationToken)"/>
    public Task<TimeSpan> TakeAsync(RateLimit limit, Guid account, double amount, CancellationToken ct) =>
        TakeAsync(limit, account.ToByteArray(bigEndian: true), amount, ct);

    /// <inheritdoc cref="TakeAsync(RateLimit, ReadOnlySpan{byte}, double, CancellationToken)"/>
    public Task<TimeSpan> TakeAsync(RateLimit limit, string subject, double amount, CancellationToken ct) =>
        TakeAsync(limit, Encoding.UTF8.GetBytes(subject), amount, ct);

    /// <summary>The same, and what is left for the next request.</summary>
    public Task<TokensTaken> DrawAsync(RateLimit limit, ReadOnlySpan<byte> subject, double amount, CancellationToken ct)
    {
        if (BucketOf(limit) is not { } bucket)
        {
            return Task.FromResult(new TokensTaken(TimeSpan.Zero, limit.Bucket.Size));
        }

        var (name, before) = _names.Of($"{HotKeys.Limit}:{limit.Name}:", subject, bucket.Size * bucket.Refill);
        var taken = _hot.TakeTokensAsync(name, before, bucket, amount, ct);
        return taken.IsCompletedSuccessfully ? taken : OrWithoutStoreAsync(limit, bucket, taken);
    }

    /// <summary>The limit's bucket as the settings have it; null: limits are off.</summary>
    public TokenBucket? BucketOf(RateLimit limit) => _buckets.TryGetValue(limit, out var bucket) ? bucket : null;

    /// <summary>The client's part of the network, /24 or /64: whoever holds a prefix can use any address in it.</summary>
    public static byte[] Network(IPAddress? address)
    {
        if (address is null)
        {
            return [];
        }

        var bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        return bytes.Length is 16 ? bytes[..8] : bytes[..3];
    }

    private static async Task<TokensTaken> OrWithoutStoreAsync(RateLimit limit, TokenBucket bucket, Task<TokensTaken> taken)
    {
        try
        {
            return await taken;
        }
        catch (Exception e) when (e is RedisException or TimeoutException && limit.WithoutStore is WithoutStore.Admit)
        {
            return new TokensTaken(TimeSpan.Zero, bucket.Size);
        }
    }
}
