using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Connections;

/// <summary>Opening the socket on the API's port, and tickets for it. Spec: docs/protocol/transport.md.</summary>
internal static class ConnectionsEndpoints
{
    public static void MapConnections(this IEndpointRouteBuilder app)
    {
        app.MapPost("/v1/auth/ws-ticket", IssueTicket).WithTags("Connections").WithRetryAfter()
            .RequireAuthorization().RequireLimit(RateLimits.OwnAccount);
        app.MapGet("/ws", Connect).AllowAnonymous().RequireLimit(RateLimits.OpenSocket).ExcludeFromDescription();
        app.MapGet("/ws/provisioning", Provision).AllowAnonymous().RequireLimit(RateLimits.OpenSocket).ExcludeFromDescription();
    }

    /// <summary><c>POST /v1/auth/ws-ticket</c>: a ticket that opens one socket as the calling device.</summary>
    private static async Task<Ok<SocketTicket>> IssueTicket(Caller caller, Tickets tickets, CancellationToken ct) =>
        TypedResults.Ok(new SocketTicket(await tickets.IssueAsync(caller, ct), (int)Tickets.Life.TotalSeconds));

    /// <summary><c>GET /ws</c>: becomes a WebSocket.</summary>
    private static async Task<IResult> Connect(HttpContext context, SocketAdmission admission, SessionTable table)
    {
        var request = context.Request;
        if (!context.WebSockets.IsWebSocketRequest
            || SocketAdmission.Choose(request.Headers.SecWebSocketProtocol) is not { } protocol)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        var (caller, refusal) = await admission.AdmitAsync(
            request.Headers.Origin, request.Headers.Authorization, request.Query["ticket"], context.RequestAborted);
        if (caller is null)
        {
            return Problem.From(refusal!);
        }

        // No compression: it would tell sizes of what is encrypted. No timer per socket: the table has one for all.
        var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { SubProtocol = protocol, KeepAliveInterval = Timeout.InfiniteTimeSpan });
        using (socket)
        {
            var session = new AspNetSession(
                socket, caller, protocol == SocketAdmission.JsonProtocol, table, context.RequestAborted);
            await session.RunAsync();
        }

        return TypedResults.Empty;
    }

    /// <summary><c>GET /ws/provisioning</c>: a device that is not linked yet gets an address and waits there for one message.</summary>
    private static async Task<IResult> Provision(
        HttpContext context, SocketAdmission admission, ProvisioningAddresses addresses)
    {
        var request = context.Request;
        if (!context.WebSockets.IsWebSocketRequest
            || SocketAdmission.Choose(request.Headers.SecWebSocketProtocol) is not { } protocol)
        {
            return Problem.From(ProtocolError.Malformed);
        }

        if (!admission.IsAllowed(request.Headers.Origin))
        {
            return Problem.From(ProtocolError.Forbidden);
        }

        await using var address = await addresses.OpenAsync(context.RequestAborted);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { SubProtocol = protocol, KeepAliveInterval = TimeSpan.FromSeconds(20) });
        await ProvisioningSocket.RunAsync(socket, address, protocol == SocketAdmission.JsonProtocol, context.RequestAborted);
        return TypedResults.Empty;
    }
}
