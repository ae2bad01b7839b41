using System.Globalization;
using System.Text;
using SecureChat.Protocol;

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
            endpoint.RequestDelegate = context => GuardAsync(context, limit, next);
        });
        return builder;
    }

    private static async Task GuardAsync(HttpContext context, RateLimit limit, RequestDelegate next)
    {
        var limiter = context.RequestServices.GetRequiredService<RateLimiter>();
        var wait = await limiter.TakeAsync(limit, Subject(context, limit.Scope), 1, context.RequestAborted);
        var bucket = limiter.Scaled(limit.Bucket);
        var window = Math.Max(1, Math.Ceiling(bucket.Size * bucket.Refill.TotalSeconds));
        context.Response.Headers["RateLimit-Policy"] =
            string.Create(CultureInfo.InvariantCulture, $"\"{limit.Name}\";q={Math.Floor(bucket.Size)};w={window}");
        if (wait <= TimeSpan.Zero)
        {
            await next(context);
            return;
        }

        context.Response.Headers["RateLimit"] =
            string.Create(CultureInfo.InvariantCulture, $"\"{limit.Name}\";r=0;t={Math.Ceiling(wait.TotalSeconds)}");
        context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        await Problem.From(ProtocolError.RateLimited, wait).ExecuteAsync(context);
    }

    // The token scheme puts the account's id and the device into the principal.
    private static byte[] Subject(HttpContext context, LimitScope scope) =>
        scope is not LimitScope.Address && Guid.TryParse(context.User.FindFirst("sub")?.Value, out var account)
            ? scope is LimitScope.Account
                ? account.ToByteArray(bigEndian: true)
                : [.. account.ToByteArray(bigEndian: true), .. Encoding.UTF8.GetBytes(context.User.FindFirst("dev")!.Value)]
            : RateLimiter.Network(context.Connection.RemoteIpAddress);
}
