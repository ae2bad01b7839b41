using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Six-digit codes: ten minutes, five tries, one use, each bound to its challenge.</summary>
/// <remarks>
/// <para>Spec: docs/protocol/accounts.md#one-time-codes.</para>
/// <para>
/// Keys in the hot store: <c>otp:challenge</c> holds the identifier's hash (32 bytes), the code's keyed hash (32) and the range of a number;
/// <c>otp-tries:challenge</c> counts; <c>otp-wait:h</c> holds when the next code may be asked for (Unix ms) and <c>otp-sent:h</c> counts
/// codes of the last day, under hashes of the identifier that change every hour.
/// </para>
/// </remarks>
internal sealed class OtpChallenges(IHotStore hot, Secrets secrets, HourlyNames names, TimeProvider time)
{
    /// <summary>Makes a code, or tells how long to wait for the next one.</summary>
    public async Task<(OtpMessage? Issued, TimeSpan Wait)> IssueAsync(Identifier identifier, CancellationToken ct)
    {
        var hash = identifier.Hash(secrets);
        var (waiting, sending) = (names.Of(HotKeys.OtpWait + ":", hash, LongestWait * 2), names.Of(HotKeys.OtpSent + ":", hash, TimeSpan.FromDays(1)));
        await Task.WhenAll(hot.RenameAsync(waiting.Now, waiting.Before, ct), hot.RenameAsync(sending.Now, sending.Before, ct));
        var now = time.GetUtcNow();
        if (await hot.GetAsync(waiting.Now, ct) is { } until
            && WaitUntil(until) - now is { } left && left > TimeSpan.Zero)
        {
            return (null, left);
        }

        var sent = await hot.CountAsync(sending.Now, TimeSpan.FromDays(1), ct);
        var wait = Backoff(sent);
        var next = Encoding.ASCII.GetBytes((now + wait).ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture));
        if (!await hot.AddAsync(waiting.Now, next, wait, ct))
        {
            // Of two requests at once, the other one sends.
            return (null, wait);
        }

        var challenge = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        var code = RandomNumberGenerator.GetInt32(1_000_000).ToString("D6", CultureInfo.InvariantCulture);
        await hot.SetAsync($"{HotKeys.Otp}:{challenge}", (byte[])[.. hash, .. CodeHash(challenge, code), .. Encoding.ASCII.GetBytes(identifier.Range ?? "")], Life, ct);
        return (new OtpMessage(identifier, hash, code, new(challenge, (int)Life.TotalSeconds, (int)wait.TotalSeconds)), wait);
    }

    /// <summary>Counts one try. A right code answers its proof, which is still to be used up by <see cref="UseAsync"/>.</summary>
    public async Task<OtpProof?> CheckAsync(string challenge, string code, CancellationToken ct)
    {
        if (challenge.Length is not 22 || code.Length is not 6)
        {
            return null;
        }

        // Looked up first, so that made-up challenges leave nothing behind; counted before the code is compared, so that
        // parallel guesses cannot share a try.
        if (await hot.GetAsync($"{HotKeys.Otp}:{challenge}", ct) is not { Length: >= 64 } stored
            || await hot.CountAsync($"{HotKeys.OtpTries}:{challenge}", Life + TimeSpan.FromMinutes(1), ct) > MaxTries
            || !CryptographicOperations.FixedTimeEquals(stored.AsSpan(32, 32), CodeHash(challenge, code)))
        {
            return null;
        }

        return new OtpProof(challenge, stored[..32], stored[64..]);
    }

    /// <summary>True for exactly one of any number of callers with the same proof.</summary>
    public async Task<bool> UseAsync(OtpProof proof, CancellationToken ct) =>
        await hot.TakeAsync($"{HotKeys.Otp}:{proof.Challenge}", ct) is not null;

    private byte[] CodeHash(string challenge, string code) =>
        HMACSHA256.HashData(secrets.OtpKey, Encoding.UTF8.GetBytes($"{challenge}:{code}"));

    private static DateTimeOffset WaitUntil(byte[] until) =>
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(until, CultureInfo.InvariantCulture));

    // 30 s, 1 min, 2 min … 1 h: at most about 30 codes a day, which makes 150 guesses at one in a million each.
    private static TimeSpan Backoff(long sent) =>
        TimeSpan.FromSeconds(Math.Min(LongestWait.TotalSeconds, 30 * Math.Pow(2, Math.Min(sent, 10) - 1)));

    private const int MaxTries = 5;
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);
}

/// <summary>A code on its way to somebody. A class, not a record: nothing prints it.</summary>
internal sealed class OtpMessage(Identifier to, byte[] identifierHash, string code, OtpChallenge challenge)
{
    public Identifier To { get; } = to;

    public byte[] IdentifierHash { get; } = identifierHash;

    public string Code { get; } = code;

    public OtpChallenge Challenge { get; } = challenge;
}

/// <summary>Whoever holds it gave the right code for the challenge.</summary>
/// <param name="IdentifierHash">Of the address or number that the code was sent to.</param>
/// <param name="Range">Of the number that it was sent to; empty for an address.</param>
internal sealed record OtpProof(string Challenge, byte[] IdentifierHash, byte[] Range);
