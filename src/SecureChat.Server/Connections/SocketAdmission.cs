using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Connections;

/// <summary>Decides who may open a socket, for both ports alike. Spec: docs/protocol/transport.md#opening.</summary>
internal sealed class SocketAdmission(
    Credentials credentials, Tickets tickets, Anomalies anomalies, RateLimiter limiter, IOptions<ServerOptions> options)
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

    /// <summary>The device that may connect, or the refusal and how long to wait.</summary>
    /// <param name="origin">Null for native clients; a browser always sends one, and it must be listed.</param>
    /// <param name="ticket">Null or the ticket of the query; used up in any case.</param>
    public async Task<(Caller? Caller, ProtocolError? Refusal, TimeSpan Wait)> AdmitAsync(
        string? origin, string? authorization, string? ticket, ReadOnlyMemory<byte> network, CancellationToken ct)
    {
        if (!IsAllowed(origin))
        {
            return (null, ProtocolError.Forbidden, default);
        }

        var caller = authorization is not null
            ? await credentials.AuthenticateAsync(authorization, network, ct)
            : ticket is not null ? await tickets.RedeemAsync(ticket, ct) : null;
        if (caller is null)
        {
            return (null, ProtocolError.Unauthorized, default);
        }

        var wait = await ChurnAsync(caller, ct);
        return wait > TimeSpan.Zero ? (null, ProtocolError.RateLimited, wait) : (caller, null, default);
    }

    // A handshake cannot carry work: whoever churns waits, and at last is sent away. The device's own token did it, nobody else can.
    private async Task<TimeSpan> ChurnAsync(Caller caller, CancellationToken ct)
    {
        byte[] device = [.. caller.Account.ToByteArray(bigEndian: true), (byte)caller.Device];
        anomalies.Observe(Detectors.SocketChurn, device, 1);
        var verdict = anomalies.Judge(Detectors.SocketChurn, device);
        if (verdict.Grade is Grade.None)
        {
            return TimeSpan.Zero;
        }

        anomalies.Metrics.Acted(Detectors.SocketChurn.Name, verdict.Grade is Grade.Refuse ? "refused" : "slowed");
        return verdict.Grade is Grade.Refuse ? verdict.Lasting : await limiter.TakeAsync(RateLimits.OpenSocketAfterChurn, device, 1, ct);
    }

    public bool IsAllowed(string? origin) =>
        origin is null || Array.Exists(_origins, listed => listed.Equals(origin, StringComparison.OrdinalIgnoreCase));
}
