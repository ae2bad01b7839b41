using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol.Health;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Health;

/// <summary>Whether the process lives, whether its stores answer, and which version it is.</summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly Lazy<byte[]> HeldText = new(() => Encoding.UTF8.GetBytes(DataHeld.Create()));

    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", Live).RequireLimit(RateLimits.PublicRead);
        app.MapGet("/health/ready", Ready).RequireLimit(RateLimits.PublicRead);
        app.MapGet("/version", Version).RequireLimit(RateLimits.PublicRead);
        app.MapGet("/.well-known/data-held.json", Held).RequireLimit(RateLimits.PublicRead);
    }

    /// <summary><c>GET /health/live</c>: the process answers.</summary>
    private static Ok<ReadyAnswer> Live() => TypedResults.Ok(new ReadyAnswer("ok", []));

    /// <summary><c>GET /health/ready</c>: every store answers, or 503 and the stores that do not.</summary>
    private static async Task<Results<Ok<ReadyAnswer>, JsonHttpResult<ReadyAnswer>>> Ready(
        IEnumerable<StoreCheck> checks, CancellationToken ct)
    {
        var stores = await Task.WhenAll(checks.Select(check => CheckAsync(check, ct)));
        var failed = stores.OfType<string>().ToArray();
        return failed.Length is 0
            ? TypedResults.Ok(new ReadyAnswer("ok", []))
            : TypedResults.Json(
                new ReadyAnswer("unavailable", failed), statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary><c>GET /version</c>: the release.</summary>
    private static Ok<VersionAnswer> Version() =>
        TypedResults.Ok(new VersionAnswer("secureChat", Hosting.Server.Version));

    /// <summary><c>GET /.well-known/data-held.json</c>: every field that the server stores, what for, in which form, for how long.</summary>
    private static Utf8ContentHttpResult Held() => TypedResults.Text(HeldText.Value, "application/json");

    // The store's name if it failed. Why is for the operator's log, not for the world.
    private static async Task<string?> CheckAsync(StoreCheck check, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        try
        {
            await check.PingAsync(limit.Token);
            return null;
        }
        catch (Exception) when (!ct.IsCancellationRequested)
        {
            return check.Name;
        }
    }
}
