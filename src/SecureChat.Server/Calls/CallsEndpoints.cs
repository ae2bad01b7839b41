using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol.Calls;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Calls;

/// <summary>Relays for calls. Spec: docs/protocol/calls.md#relays.</summary>
internal static class CallsEndpoints
{
    public static void MapCalls(this IEndpointRouteBuilder app) =>
        app.MapPost("/v1/calls/relays", Relays).WithTags("Calls").WithRetryAfter()
            .RequireAuthorization().RequireLimit(RateLimits.CallRelaysOfNetwork).RequireLimit(RateLimits.CallRelays);

    /// <summary><c>POST /v1/calls/relays</c>: STUN and TURN servers for one call, with a credential of its own.</summary>
    private static Ok<CallRelays> Relays(RelayCredentials credentials) => TypedResults.Ok(credentials.Issue());
}
