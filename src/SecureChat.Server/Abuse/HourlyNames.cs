using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Names in the hot store for somebody or something, under a secret key that changes every hour.</summary>
/// <remarks>
/// A dump of the hot store names nobody, and of two of them nothing can be joined. What lives longer than an hour is looked for under the
/// names of the hours before as well, and goes on under the newest: else every hour would give a whole quota again.
/// </remarks>
internal sealed class HourlyNames(Secrets secrets, TimeProvider time)
{
    /// <summary>The name of this hour, and before it those under which something that lives so long may still be found, the newest first.</summary>
    /// <param name="prefix">What it is, with a colon; two prefixes have nothing in common but the hash.</param>
    /// <param name="life">A day at most keeps the names to the hour; what lives longer changes its name 24 times in its life.</param>
    public (string Now, string[] Before) Of(string prefix, ReadOnlySpan<byte> subject, TimeSpan life)
    {
        // In a cluster, what is moved from name to name has to stay on one machine: what is in braces decides which.
        var carried = life > Hour;
        var period = carried && life > Hour * Periods ? life / Periods : Hour;
        var now = (long)((time.GetUtcNow() - DateTimeOffset.UnixEpoch) / period);
        var before = new string[carried ? (int)Math.Ceiling(life / period) : 0];
        var named = carried ? $"{{{prefix[..^1]}}}:" : prefix;
        for (var i = 0; i < before.Length; i++)
        {
            before[i] = named + Hash(now - 1 - i, subject);
        }

        return (named + Hash(now, subject), before);
    }

    private string Hash(long period, ReadOnlySpan<byte> subject)
    {
        Span<byte> key = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(number, period);
        HMACSHA256.HashData(secrets.IdentifierKey, number, key);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, subject, hash);
        return Base64Url.EncodeToString(hash[..16]);
    }

    private const int Periods = 24;
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
}
