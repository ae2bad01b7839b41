using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Server.Storage;
using StackExchange.Redis;

namespace SecureChat.Server.Abuse;

/// <summary>Work that a client does to be let in: a signed challenge that is kept nowhere, good for one request of one caller at one door.</summary>
/// <remarks>
/// <para>Spec: docs/protocol/abuse.md#proof-of-work; vectors/abuse/proof-of-work.json.</para>
/// <para>Key in the hot store: <c>proof:mac</c> marks a challenge as used until it expires. While the store is away a proof may be used again.</para>
/// </remarks>
internal sealed class ProofOfWork(IHotStore hot, Secrets secrets, TimeProvider time)
{
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    private readonly byte[] _key = KeyOf(secrets.TokenKey);

    /// <summary>Zero bits for a level that is so many times the threshold: 18 at it (about 0.1 s of one core), at most 22.</summary>
    public static int Difficulty(double timesThreshold) => Math.Clamp(18 + (int)Math.Log2(Math.Max(1, timesThreshold)), 18, 22);

    /// <summary>A challenge for the caller at the door; 40 characters of base64url.</summary>
    public string Challenge(string door, ReadOnlySpan<byte> caller, int difficulty) => Challenge(
        _key, door, caller, difficulty, time.GetUtcNow() + Life, RandomNumberGenerator.GetBytes(NonceBytes));

    /// <summary>Whether the header holds a solved challenge of this caller for this door that was not used before.</summary>
    public async ValueTask<bool> RedeemAsync(string? header, string door, ReadOnlyMemory<byte> caller, CancellationToken ct)
    {
        if (Read(header, door, caller.Span) is not { } expires)
        {
            return false;
        }

        try
        {
            var mark = header![MacOffset..ChallengeLength];
            return await hot.AddAsync($"{HotKeys.Proof}:{mark}", ReadOnlyMemory<byte>.Empty, expires - time.GetUtcNow() + TimeSpan.FromSeconds(1), ct);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return true;
        }
    }

    /// <summary>Leading zero bits of the proof's SHA-256.</summary>
    public static int BitsOf(ReadOnlySpan<char> proof)
    {
        Span<byte> text = stackalloc byte[MaxLength];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.ASCII.GetBytes(proof, text)], hash);
        return BitOperations.LeadingZeroCount(BinaryPrimitives.ReadUInt64BigEndian(hash));
    }

    internal static byte[] KeyOf(byte[] secret) => HMACSHA256.HashData(secret, "securechat proof of work"u8);

    internal static string Challenge(
        byte[] key, string door, ReadOnlySpan<byte> caller, int difficulty, DateTimeOffset expires, ReadOnlySpan<byte> nonce)
    {
        Span<byte> bytes = stackalloc byte[HeadBytes + MacBytes];
        bytes[0] = Version;
        bytes[1] = (byte)difficulty;
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], (uint)expires.ToUnixTimeSeconds());
        nonce.CopyTo(bytes[6..]);
        Mac(key, bytes[..HeadBytes], door, caller, bytes[HeadBytes..]);
        return Base64Url.EncodeToString(bytes);
    }

    // Null: no valid proof; else when its challenge expires.
    private DateTimeOffset? Read(string? header, string door, ReadOnlySpan<byte> caller)
    {
        Span<byte> bytes = stackalloc byte[HeadBytes + MacBytes];
        Span<byte> mac = stackalloc byte[MacBytes];
        if (header is not { Length: > ChallengeLength + 1 and <= MaxLength } || header[ChallengeLength] is not '.'
            || header.AsSpan(ChallengeLength + 1).ContainsAnyExcept(NonceCharacters)
            || !Base64Url.TryDecodeFromChars(header.AsSpan(0, ChallengeLength), bytes, out var length) || length != bytes.Length
            || bytes[0] is not Version)
        {
            return null;
        }

        Mac(_key, bytes[..HeadBytes], door, caller, mac);
        var expires = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));
        return CryptographicOperations.FixedTimeEquals(mac, bytes[HeadBytes..]) && expires > time.GetUtcNow() && BitsOf(header) >= bytes[1]
            ? expires
            : null;
    }

    private static void Mac(byte[] key, ReadOnlySpan<byte> head, string door, ReadOnlySpan<byte> caller, Span<byte> mac)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, (byte[])[.. head, .. Encoding.ASCII.GetBytes(door), 0, .. caller], hash);
        hash[..MacBytes].CopyTo(mac);
    }

    private static readonly SearchValues<char> NonceCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private const byte Version = 1;
    private const int NonceBytes = 8;
    private const int HeadBytes = 14;
    private const int MacBytes = 16;
    private const int ChallengeLength = 40;
    private const int MaxLength = ChallengeLength + 1 + 32;

    // The MAC's last 15 bytes are the last 20 characters.
    private const int MacOffset = 20;
}
