using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Abuse;

/// <summary>Puts a rate limit in front of an endpoint: behind authentication, before the body is read.</summary>
internal static class RequireLimitExtensions
{
    /// <param name="detectors">Whose verdicts count at this door.</param>
    public static TBuilder RequireLimit<TBuilder>(this TBuilder builder, RateLimit limit, params Detector[] detectors)
        where TBuilder : IEndpointConventionBuilder
    {
        // Wrapping the delegate, not an endpoint filter: a filter runs after the body was parsed.
        builder.Add(endpoint =>
        {
            var next = endpoint.RequestDelegate!;
            endpoint.Metadata.Add(limit);
            var services = endpoint.ApplicationServices;
            endpoint.RequestDelegate = context => detectors.Length is 0 || services.GetRequiredService<Anomalies>().Suspects.IsEmpty
                ? GuardAsync(context, services.GetRequiredService<RateLimiter>(), limit, 1, next)
                : JudgeAsync(context, limit, detectors, next);
        });
        return builder;
    }

    /// <summary>Marks an endpoint whose wrong secrets are counted.</summary>
    public sealed record FailuresCounted;

    /// <summary>Counts answers of this endpoint that say that a secret was wrong, under the caller's network.</summary>
    public static TBuilder CountFailures<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter(async (invocation, next) =>
        {
            var result = await next(invocation);
            var inner = result is INestedHttpResult nested ? nested.Result : result as IResult;
            if (inner is ProblemHttpResult { ProblemDetails.Extensions: var members }
                && members.TryGetValue("code", out var code)
                && code is "wrong_code" or "unauthorized" or "send_refused" or "registration_locked")
            {
                var context = invocation.HttpContext;
                context.RequestServices.GetRequiredService<Anomalies>().Observe(
                    Detectors.FailedAuth, RateLimiter.Network(context.Connection.RemoteIpAddress), 1);
            }

            return result;
        }).WithMetadata(new FailuresCounted());

    // Refused, or asked for work: after the rate limit, which bounds the questions too.
    private static async Task JudgeAsync(HttpContext context, RateLimit limit, Detector[] detectors, RequestDelegate next)
    {
        var services = context.RequestServices;
        var (anomalies, doorkeeper) = (services.GetRequiredService<Anomalies>(), services.GetRequiredService<Doorkeeper>());
        var suspicious = detectors.Where(detector => Concerns(context, detector))
            .Select(detector => (Detector: detector, Actor: Subject(context, detector.Actor)))
            .Where(one => anomalies.Judge(one.Detector, one.Actor).Grade is not Grade.None)
            .ToList();
        var slowed = suspicious.Find(one => anomalies.Judge(one.Detector, one.Actor).Grade is Grade.Slow).Detector;
        if (slowed is not null)
        {
            anomalies.Metrics.Acted(slowed.Name, "slowed");
        }

        await GuardAsync(context, services.GetRequiredService<RateLimiter>(), limit, slowed is null ? 1 : Doorkeeper.SlowCost, async admitted =>
        {
            foreach (var (detector, actor) in suspicious)
            {
                if (await doorkeeper.AdmitAsync(admitted, detector, actor, admitted.RequestAborted) is { } refusal)
                {
                    await refusal.ExecuteAsync(admitted);
                    return;
                }
            }

            await next(admitted);
        });
    }

    // Whoever shows a token is judged by its account, whatever a neighbour does; whoever shows none, by the network.
    private static bool Concerns(HttpContext context, Detector detector)
    {
        var isKnown = context.User.FindFirst("sub") is not null;
        return detector.Actor is LimitScope.Address ? !(detector.StrangersOnly && isKnown) : isKnown;
    }

    // Waits for the endpoint only where it must: behind it may be a socket, which keeps whatever waits for it in memory.
    private static Task GuardAsync(HttpContext context, RateLimiter limiter, RateLimit limit, double amount, RequestDelegate next)
    {
        var admitted = AdmitAsync(context, limiter, limit, amount);
        return admitted.IsCompletedSuccessfully ? ContinueAsync(admitted.Result) : AwaitedAsync();

        Task ContinueAsync(IResult? refusal) => refusal is null ? next(context) : refusal.ExecuteAsync(context);

        async Task AwaitedAsync() => await ContinueAsync(await admitted);
    }

    private static async ValueTask<IResult?> AdmitAsync(HttpContext context, RateLimiter limiter, RateLimit limit, double amount)
    {
        // Not cancelled with the request: asking for its token makes one, and a socket would keep it.
        var (wait, left) = await limiter.DrawAsync(limit, Subject(context, limit.Scope), amount, CancellationToken.None);
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

    /// <summary>429 with the seconds to wait.</summary>
    public static ProblemHttpResult Refuse(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return Problem.From(ProtocolError.RateLimited, wait);
    }

    // The token scheme puts the account's id and the device into the principal.
    public static byte[] Subject(HttpContext context, LimitScope scope) =>
        scope is not LimitScope.Address && Guid.TryParse(context.User.FindFirst("sub")?.Value, out var account)
            ? scope is LimitScope.Account
                ? account.ToByteArray(bigEndian: true)
                : [.. account.ToByteArray(bigEndian: true), .. Encoding.UTF8.GetBytes(context.User.FindFirst("dev")!.Value)]
            : RateLimiter.Network(context.Connection.RemoteIpAddress);
}
