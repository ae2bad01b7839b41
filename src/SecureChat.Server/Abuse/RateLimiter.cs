using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Takes tokens from the buckets of <see cref="RateLimits"/>.</summary>
/// <remarks>
/// Keys in the hot store are <c>limit:name:hash</c>; the subject (an address, an account) is hashed under a secret key,
/// so that a dump of the hot store names nobody.
/// </remarks>
internal sealed class RateLimiter(IHotStore hot, Secrets secrets, IOptions<LimitsOptions> options)
{
    /// <summary>Zero when granted, else how long to wait. A refusal takes nothing.</summary>
    public Task<TimeSpan> TakeAsync(RateLimit limit, ReadOnlySpan<byte> subject, double amount, CancellationToken ct)
    {
        if (options.Value.Scale is 0)
        {
            return Task.FromResult(TimeSpan.Zero);
        }

        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secrets.IdentifierKey, subject, hash);
        return hot.TakeTokensAsync(
            $"limit:{limit.Name}:{Base64Url.EncodeToString(hash[..16])}", Scaled(limit.Bucket), amount, ct);
    }

    /// <inheritdoc cref="TakeAsync(RateLimit, ReadOnlySpan{byte}, double, CancellationToken)"/>
    public Task<TimeSpan> TakeAsync(RateLimit limit, Guid account, double amount, CancellationToken ct) =>
        TakeAsync(limit, account.ToByteArray(bigEndian: true), amount, ct);

    /// <inheritdoc cref="TakeAsync(RateLimit, ReadOnlySpan{byte}, double, CancellationToken)"/>
    public Task<TimeSpan> TakeAsync(RateLimit limit, string subject, double amount, CancellationToken ct) =>
        TakeAsync(limit, Encoding.UTF8.GetBytes(subject), amount, ct);

    /// <summary>The client's part of the network: whoever holds an IPv6 prefix can use any address in it.</summary>
    public static byte[] Network(IPAddress? address)
    {
        if (address is null)
        {
            return [];
        }

        var bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        return address.AddressFamily is AddressFamily.InterNetworkV6 && bytes.Length is 16 ? bytes[..6] : bytes;
    }

    /// <summary>The bucket as <see cref="LimitsOptions.Scale"/> has it.</summary>
    public TokenBucket Scaled(TokenBucket bucket) => options.Value.Scale is var scale and > 0
        ? new(bucket.Size * scale, bucket.Refill / scale)
        : bucket;
}
