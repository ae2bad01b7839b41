using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>Signing up, and keeping signed in. Spec: docs/protocol/accounts.md.</summary>
internal static class AuthEndpoints
{
    public static void MapAuth(this IEndpointRouteBuilder app)
    {
        var auth = app.MapGroup("/v1/auth").WithTags("Accounts").WithRetryAfter().AllowAnonymous();
        auth.MapPost("/otp", RequestOtp).RequireLimit(RateLimits.RequestOtp, Detectors.UnusedCodes, Detectors.FailedAuth);
        auth.MapPost("/register", Register).CountFailures().RequireLimit(RateLimits.Register, Detectors.FailedAuth);
        auth.MapPost("/refresh", Refresh).CountFailures().RequireLimit(RateLimits.Refresh);
        app.MapPost("/v1/auth/logout", Logout).WithTags("Accounts").WithRetryAfter()
            .RequireAuthorization().RequireLimit(RateLimits.OwnAccount);
        app.MapGet("/.well-known/jwks.json", PublishedKeys).WithTags("Accounts")
            .AllowAnonymous().RequireLimit(RateLimits.PublicRead);
    }

    /// <summary><c>POST /v1/auth/otp</c>: sends a one-time code.</summary>
    /// <remarks>
    /// Nothing here looks at accounts: the answer cannot tell whether there is one. It comes at one moment, because whether codes
    /// were asked for lately does show in what the store has to do.
    /// </remarks>
    private static async Task<Results<Ok<OtpChallenge>, ProblemHttpResult>> RequestOtp(
        OtpRequest body, HttpContext context, OtpChallenges challenges, OtpDelivery delivery, OtpDoor door, OneMoment oneMoment,
        CancellationToken ct)
    {
        if (Identifier.Parse(body.Email, body.Phone) is not { } identifier)
        {
            return Problem.From(ProtocolError.InvalidIdentifier);
        }

        if (!delivery.Supports(identifier.Kind))
        {
            return Problem.From(ProtocolError.UnsupportedIdentifier);
        }

        if (await door.AdmitAsync(context, identifier, ct) is { } refusal)
        {
            return refusal;
        }

        var began = oneMoment.Begin();
        var (issued, wait) = await challenges.IssueAsync(identifier, ct);
        await oneMoment.ComesAsync(began, 1, ct);
        if (issued is null)
        {
            return Problem.From(ProtocolError.RateLimited, wait);
        }

        if (!delivery.TryEnqueue(issued))
        {
            return Problem.From(ProtocolError.Unavailable, TimeSpan.FromSeconds(5));
        }

        door.Sent(context, identifier);
        return TypedResults.Ok(issued.Challenge);
    }

    /// <summary><c>POST /v1/auth/register</c>: makes an account, or takes an existing one over.</summary>
    private static async Task<Results<Ok<Session>, ProblemHttpResult>> Register(
        Register body, HttpContext context, Registration registration, CancellationToken ct) =>
        await registration.RegisterAsync(body, context, ct);

    /// <summary><c>POST /v1/auth/refresh</c>: exchanges a refresh token for new credentials.</summary>
    private static async Task<Results<Ok<Session>, ProblemHttpResult>> Refresh(
        Refresh body, RefreshTokens refreshTokens, AccessTokens accessTokens, CancellationToken ct) =>
        await refreshTokens.RotateAsync(body.RefreshToken, ct) is { } next
            ? TypedResults.Ok(new Session(
                next.Device.Account, next.Device.Device, accessTokens.Issue(next.Device, next.Epoch),
                accessTokens.LifeSeconds, next.Next))
            : Problem.From(ProtocolError.Unauthorized);

    /// <summary><c>POST /v1/auth/logout</c>: ends the calling device's credentials; the device stays registered.</summary>
    private static async Task<NoContent> Logout(Caller caller, RefreshTokens refreshTokens, CancellationToken ct)
    {
        await refreshTokens.EndAsync(caller.Address, ct);
        return TypedResults.NoContent();
    }

    /// <summary><c>GET /.well-known/jwks.json</c>: the keys that sign access tokens.</summary>
    private static Ok<JsonWebKeySet> PublishedKeys(SigningKeys keys, HttpResponse response)
    {
        response.Headers.CacheControl = "public, max-age=300";
        return TypedResults.Ok(keys.Published);
    }
}
