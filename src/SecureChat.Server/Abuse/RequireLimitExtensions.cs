using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Puts a rate limit in front of an endpoint: behind authentication, before the body is read.</summary>
internal static class RequireLimitExtensions
{
    public static TBuilder RequireLimit<TBuilder>(this TBuilder builder, RateLimit limit)
        where TBuilder : IEndpointConventionBuilder
    {
        // Wrapping the delegate, not an endpoint filter: a filter runs after the body was parsed.
        builder.Add(endpoint =>
        {
            var next = endpoint.RequestDelegate!;
            endpoint.Metadata.Add(limit);
            var services = endpoint.ApplicationServices;
            endpoint.RequestDelegate = context => GuardAsync(context, services.GetRequiredService<RateLimiter>(), limit, next);
        });
        return builder;
    }

    // Waits for the endpoint only where it must: behind it may be a socket, which keeps whatever waits for it in memory.
    private static Task GuardAsync(HttpContext context, RateLimiter limiter, RateLimit limit, RequestDelegate next)
    {
        var admitted = AdmitAsync(context, limiter, limit);
        return admitted.IsCompletedSuccessfully ? ContinueAsync(admitted.Result) : AwaitedAsync();

        Task ContinueAsync(IResult? refusal) => refusal is null ? next(context) : refusal.ExecuteAsync(context);

        async Task AwaitedAsync() => await ContinueAsync(await admitted);
    }

    private static async ValueTask<IResult?> AdmitAsync(HttpContext context, RateLimiter limiter, RateLimit limit)
    {
        // Not cancelled with the request: asking for its token makes one, and a socket would keep it.
        var (wait, left) = await limiter.DrawAsync(limit, Subject(context, limit.Scope), 1, CancellationToken.None);
        var granted = wait <= TimeSpan.Zero;
        if (limiter.BucketOf(limit) is not { } bucket || (context.WebSockets.IsWebSocketRequest && granted))
        {
            return null;
        }

        Describe(context.Response.Headers, limit, bucket, granted ? Math.Floor(left) : 0, granted ? (bucket.Size - left) * bucket.Refill : wait);
        return granted ? null : Refuse(context, wait);
    }

    // draft-ietf-httpapi-ratelimit-headers; docs/protocol/overview.md#limits.
    private static void Describe(IHeaderDictionary headers, RateLimit limit, TokenBucket bucket, double left, TimeSpan reset)
    {
        var window = Math.Max(1, Math.Ceiling(bucket.Size * bucket.Refill.TotalSeconds));
        headers["RateLimit-Policy"] =
            string.Create(CultureInfo.InvariantCulture, $"\"{limit.Name}\";q={Math.Floor(bucket.Size)};w={window}");
        headers["RateLimit"] =
            string.Create(CultureInfo.InvariantCulture, $"\"{limit.Name}\";r={left};t={Math.Ceiling(reset.TotalSeconds)}");
    }

    private static ProblemHttpResult Refuse(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return Problem.From(ProtocolError.RateLimited, wait);
    }

    // The token scheme puts the account's id and the device into the principal.
    private static byte[] Subject(HttpContext context, LimitScope scope) =>
        scope is not LimitScope.Address && Guid.TryParse(context.User.FindFirst("sub")?.Value, out var account)
            ? scope is LimitScope.Account
                ? account.ToByteArray(bigEndian: true)
                : [.. account.ToByteArray(bigEndian: true), .. Encoding.UTF8.GetBytes(context.User.FindFirst("dev")!.Value)]
            : RateLimiter.Network(context.Connection.RemoteIpAddress);
}
