using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Connections;

/// <summary>Decides who may open a socket, for both ports alike. Spec: docs/protocol/transport.md#opening.</summary>
internal sealed class SocketAdmission(Credentials credentials, Tickets tickets, IOptions<ServerOptions> options)
{
    /// <summary>The subprotocols, as they stand in <c>Sec-WebSocket-Protocol</c>.</summary>
    public const string BinaryProtocol = "securechat.v1.proto";

    public const string JsonProtocol = "securechat.v1.json";

    private readonly string[] _origins = options.Value.AllowedOrigins;

    /// <summary>The subprotocol to speak: the first one offered that this server knows.</summary>
    public static string? Choose(string? offered)
    {
        foreach (var name in (offered ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (name is BinaryProtocol or JsonProtocol)
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>The device that may connect, or the refusal.</summary>
    /// <param name="origin">Null for native clients; a browser always sends one, and it must be listed.</param>
    /// <param name="ticket">Null or the ticket of the query; used up in any case.</param>
    public async Task<(Caller? Caller, ProtocolError? Refusal)> AdmitAsync(
        string? origin, string? authorization, string? ticket, CancellationToken ct)
    {
        if (!IsAllowed(origin))
        {
            return (null, ProtocolError.Forbidden);
        }

        var caller = authorization is not null
            ? await credentials.AuthenticateAsync(authorization, ct)
            : ticket is not null ? await tickets.RedeemAsync(ticket, ct) : null;
        return caller is null ? (null, ProtocolError.Unauthorized) : (caller, null);
    }

    public bool IsAllowed(string? origin) =>
        origin is null || Array.Exists(_origins, listed => listed.Equals(origin, StringComparison.OrdinalIgnoreCase));
}
