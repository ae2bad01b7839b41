using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Abuse;

/// <summary>Takes tokens from the buckets of <see cref="RateLimits"/>.</summary>
/// <remarks>
/// Keys in the hot store are <c>limit:name:hash</c>; the subject (an address, an account) is hashed under a secret key that
/// changes every hour, so that a dump of the hot store names nobody and two of them cannot be joined. A bucket that takes longer than
/// an hour to fill keeps its name for a month: else every hour would give the whole quota again.
/// </remarks>
internal sealed class RateLimiter
{
    private readonly IHotStore _hot;
    private readonly Secrets _secrets;
    private readonly TimeProvider _time;
    private readonly Dictionary<object, TokenBucket> _buckets;

    public RateLimiter(IHotStore hot, Secrets secrets, IOptions<LimitsOptions> options, TimeProvider time)
    {
        (_hot, _secrets, _time) = (hot, secrets, time);
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

        var taken = _hot.TakeTokensAsync(Key(limit, bucket, subject), bucket, amount, ct);
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

    private string Key(RateLimit limit, TokenBucket bucket, ReadOnlySpan<byte> subject)
    {
        var fills = bucket.Size * bucket.Refill;
        var period = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch) / (fills > Hour ? Month : Hour);
        Span<byte> key = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(number, (long)period);
        HMACSHA256.HashData(_secrets.IdentifierKey, number, key);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, subject, hash);
        return $"limit:{limit.Name}:{Base64Url.EncodeToString(hash[..16])}";
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

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);
}
