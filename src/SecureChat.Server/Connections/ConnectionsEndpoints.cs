using System.Net.WebSockets;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Connections;

/// <summary>Opening the socket on the API's port, and tickets for it. Spec: docs/protocol/transport.md.</summary>
internal static class ConnectionsEndpoints
{
    public static void MapConnections(this IEndpointRouteBuilder app)
    {
        app.MapPost("/v1/auth/ws-ticket", IssueTicket).WithTags("Connections").WithRetryAfter()
            .RequireAuthorization().RequireLimit(RateLimits.OwnAccount);
        app.MapSocket("/ws", SocketAdmission.Protocol, OpenAsync);
        app.MapSocket("/ws/provisioning", SocketAdmission.Protocol, OpenProvisioningAsync);
        foreach (var anonymous in app.ServiceProvider.GetServices<AnonymousSocket>())
        {
            app.MapSocket(anonymous.Path, anonymous.Protocol, (context, services, protocol) => OpenAnonymousAsync(context, services, protocol, anonymous));
        }
    }

    // Past the pipeline's guards, the request's own services and its cancellation: each would stay in memory as long as the socket.
    private static void MapSocket(
        this IEndpointRouteBuilder app, string path, string protocol, Func<HttpContext, IServiceProvider, string, Task<Func<Task>>> open) =>
        app.MapGet(path, context => ServeAsync(context, app.ServiceProvider, protocol, open))
            .ShortCircuit().RequireLimit(RateLimits.OpenSocket).ExcludeFromDescription();

    // What opening the socket took is gone before it is served, this method's own state too where nothing had to be waited for.
    private static Task ServeAsync(
        HttpContext context, IServiceProvider services, string family, Func<HttpContext, IServiceProvider, string, Task<Func<Task>>> open)
    {
        var opening = OpenOrRefuseAsync(context, services, family, open);
        return opening.IsCompletedSuccessfully ? opening.GetAwaiter().GetResult()() : ServeAsync(opening);
    }

    private static async Task ServeAsync(Task<Func<Task>> opening) => await (await opening)();

    private static async Task<Func<Task>> OpenOrRefuseAsync(
        HttpContext context, IServiceProvider services, string family, Func<HttpContext, IServiceProvider, string, Task<Func<Task>>> open)
    {
        try
        {
            return context.WebSockets.IsWebSocketRequest
                && SocketAdmission.Choose(context.Request.Headers.SecWebSocketProtocol, family) is { } protocol
                    ? await open(context, services, protocol)
                    : () => RefuseAsync(context, ProtocolError.Malformed, default);
        }
        catch (Exception) when (!context.Response.HasStarted)
        {
            return () => RefuseAsync(context, ProtocolError.Unavailable, default);
        }
    }

    private static Task RefuseAsync(HttpContext context, ProtocolError refusal, TimeSpan wait)
    {
        Pipeline.AddHeaders(context);
        return wait > TimeSpan.Zero
            ? RequireLimitExtensions.Refuse(context, wait).ExecuteAsync(context)
            : Problem.From(refusal).ExecuteAsync(context);
    }

    /// <summary><c>POST /v1/auth/ws-ticket</c>: a ticket that opens one socket as the calling device.</summary>
    private static async Task<Ok<SocketTicket>> IssueTicket(Caller caller, Tickets tickets, CancellationToken ct) =>
        TypedResults.Ok(new SocketTicket(await tickets.IssueAsync(caller, ct), (int)Tickets.Life.TotalSeconds));

    /// <summary><c>GET /ws</c>: becomes a WebSocket.</summary>
    private static async Task<Func<Task>> OpenAsync(HttpContext context, IServiceProvider services, string protocol)
    {
        var request = context.Request;
        string? authorization = request.Headers.Authorization;
        var (caller, refusal, wait) = await services.GetRequiredService<SocketAdmission>().AdmitAsync(
            request.Headers.Origin, authorization, authorization is null ? request.Query["ticket"] : default,
            RateLimiter.Network(context.Connection.RemoteIpAddress), CancellationToken.None);
        if (caller is null)
        {
            return () => RefuseAsync(context, refusal!, wait);
        }

        // No compression: it would tell sizes of what is encrypted. No timer per socket: the table has one for all.
        var socket = await AcceptAsync(context, protocol, Timeout.InfiniteTimeSpan);
        return new AspNetSession(
            context, socket, caller, SocketAdmission.IsJson(protocol), services.GetRequiredService<SessionTable>()).RunAsync;
    }

    /// <summary><c>GET /ws/provisioning</c>: a device that is not linked yet gets an address and waits there for one message.</summary>
    private static async Task<Func<Task>> OpenProvisioningAsync(HttpContext context, IServiceProvider services, string protocol)
    {
        if (services.GetRequiredService<SocketAdmission>().RefuseAnonymous(context.Request.Headers.Origin, NamesItself(context.Request)) is { } refusal)
        {
            return () => RefuseAsync(context, refusal, default);
        }

        var address = await services.GetRequiredService<ProvisioningAddresses>().OpenAsync(context.RequestAborted);
        return async () =>
        {
            await using (address)
            {
                using var socket = await AcceptAsync(context, protocol, ProvisioningSocket.KeepAlive);
                await ProvisioningSocket.RunAsync(socket, address, SocketAdmission.IsJson(protocol), context.RequestAborted);
            }
        };
    }

    // Any other socket that a slice has: opened without a name, or not at all.
    private static Task<Func<Task>> OpenAnonymousAsync(
        HttpContext context, IServiceProvider services, string protocol, AnonymousSocket anonymous)
    {
        var request = context.Request;
        var isOwnPage = anonymous.HasOwnPages && request.Headers.Origin == $"{request.Scheme}://{request.Host}";
        var origin = isOwnPage ? null : (string?)request.Headers.Origin;
        if (services.GetRequiredService<SocketAdmission>().RefuseAnonymous(origin, NamesItself(request)) is { } refusal)
        {
            return Task.FromResult<Func<Task>>(() => RefuseAsync(context, refusal, default));
        }

        return Task.FromResult<Func<Task>>(async () =>
        {
            var underWay = new RequestAbort(context);
            var client = new AnonymousClient(
                SocketAdmission.IsJson(protocol), RateLimiter.Network(context.Connection.RemoteIpAddress), underWay.Abort);
            using var socket = await AcceptAsync(context, protocol, Timeout.InfiniteTimeSpan);
            try
            {
                await anonymous.RunAsync(socket, client);
            }
            finally
            {
                underWay.End();
            }
        });
    }

    private static bool NamesItself(HttpRequest request) => request.Headers.Authorization.Count > 0 || request.Query.ContainsKey("ticket");

    private static async Task<WebSocket> AcceptAsync(HttpContext context, string protocol, TimeSpan keepAlive)
    {
        var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { SubProtocol = protocol, KeepAliveInterval = keepAlive });

        // A token is long, and a socket lives longer. Clearing all at once would keep the strings for the next request, and going
        // through them one by one an enumerator for each connection.
        var headers = context.Request.Headers;
        var all = new KeyValuePair<string, StringValues>[headers.Count];
        headers.CopyTo(all, 0);
        foreach (var (name, _) in all)
        {
            headers.Remove(name);
        }

        return socket;
    }
}
