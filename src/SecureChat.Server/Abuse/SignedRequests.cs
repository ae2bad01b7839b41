using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Storage;
using SecureChat.Signal.Keys;

namespace SecureChat.Server.Abuse;

/// <summary>Takes requests that a key signs instead of an account. Spec: docs/protocol/signed-requests.md.</summary>
internal sealed class SignedRequests(RateLimiter limiter, IHotStore hot, IOptions<JsonOptions> json, TimeProvider time)
{
    /// <summary>A request that changes nothing.</summary>
    public Task<Signed> ReadAsync(HttpContext context, CancellationToken ct) => VerifyAsync(context, 0, isChange: false, ct);

    /// <summary>A request that stores or deletes something: charged to its key, and by size to where it comes from.</summary>
    /// <param name="most">Bytes that the body may have.</param>
    public Task<Signed> ReadChangeAsync(HttpContext context, int most, CancellationToken ct) => VerifyAsync(context, most, isChange: true, ct);

    /// <summary>The body as a type of the protocol; null: it is none.</summary>
    public T? Parse<T>(Signed request)
        where T : class
    {
        try
        {
            return (T?)JsonSerializer.Deserialize(request.Body, json.Value.SerializerOptions.GetTypeInfo(typeof(T)));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>What a row is found by: a hash, so that a dump names no key.</summary>
    public static byte[] IdOf(ReadOnlySpan<byte> publicKey) => SHA256.HashData(publicKey);

    private async Task<Signed> VerifyAsync(HttpContext context, int most, bool isChange, CancellationToken ct)
    {
        if (context.Request.Headers[RequestSignature.Header] is not [{ } header]
            || RequestSignature.Parse(header) is not { } signature
            || Math.Abs((time.GetUtcNow() - Epoch).TotalSeconds - signature.Time) > RequestSignature.Window.TotalSeconds
            || !PublicKey.TryParse(signature.Key, out var key))
        {
            return new Signed(ProtocolError.BadRequestSignature);
        }

        if (await RequestBody.ReadAsync(context.Request, most, ct) is not { } body)
        {
            return new Signed(ProtocolError.TooLarge);
        }

        // Before the signature is looked at, which is the dear part: where it comes from. After it: the key, which is not to pay for a forgery.
        var wait = await ChargeNetworkAsync(context, body.Length, ct);
        if (wait > TimeSpan.Zero)
        {
            return new Signed(ProtocolError.RateLimited) { RetryAfter = wait };
        }

        var message = RequestSignature.Message(
            context.Request.Method, context.Request.GetEncodedPathAndQuery(), signature.Time, body);
        if (!key.Verify(message, signature.Signature))
        {
            return new Signed(ProtocolError.BadRequestSignature);
        }

        var id = IdOf(signature.Key);
        wait = isChange ? await limiter.TakeAsync(RateLimits.ChangesUnderOneKey, id, 1, ct) : TimeSpan.Zero;
        if (wait > TimeSpan.Zero)
        {
            return new Signed(ProtocolError.RateLimited) { RetryAfter = wait };
        }

        return !isChange || await IsFirstAsync(signature, ct) ? new Signed(id, body) : new Signed(ProtocolError.BadRequestSignature);
    }

    // Versions do not stop a change that is played again once what it changed is gone. Remembered for as long as its time is good.
    private Task<bool> IsFirstAsync(RequestSignature signature, CancellationToken ct)
    {
        var hash = SHA256.HashData([.. signature.Key, .. signature.Signature]);
        return hot.AddAsync(
            $"{HotKeys.Signed}:{Base64Url.EncodeToString(hash)}", ReadOnlyMemory<byte>.Empty, (2 * RequestSignature.Window) + TimeSpan.FromSeconds(1), ct);
    }

    private Task<TimeSpan> ChargeNetworkAsync(HttpContext context, int bytes, CancellationToken ct) => bytes is 0
        ? Task.FromResult(TimeSpan.Zero)
        : limiter.TakeAsync(
            RateLimits.BytesOfStrangers, RateLimiter.Network(context.Connection.RemoteIpAddress), Math.Ceiling(bytes / 1024.0), ct);

    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;
}

/// <summary>A request and the key that signed it, or why it was refused.</summary>
internal readonly struct Signed
{
    public Signed(ProtocolError refusal) => (Refusal, Id, Body) = (refusal, [], []);

    public Signed(byte[] id, byte[] body) => (Id, Body) = (id, body);

    public ProtocolError? Refusal { get; }

    public TimeSpan RetryAfter { get; init; }

    /// <summary>Hash of the key.</summary>
    public byte[] Id { get; }

    public byte[] Body { get; }

    /// <summary>Says the refusal.</summary>
    public ProblemHttpResult Problem() => Server.Problem.From(Refusal!, RetryAfter > TimeSpan.Zero ? RetryAfter : null);

    /// <summary>Says that a change was made, or which version is stored instead.</summary>
    public static Results<NoContent, ProblemHttpResult> Answer(long? stored) => stored is { } version
        ? Server.Problem.From(ProtocolError.VersionConflict, null, ("version", version))
        : TypedResults.NoContent();
}
