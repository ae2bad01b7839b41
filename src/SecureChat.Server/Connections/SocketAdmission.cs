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
    /// <summary>The subprotocols of devices' sockets, without their ending.</summary>
    public const string Protocol = "securechat.v1";

    private const string BinaryEnding = ".proto";
    private const string JsonEnding = ".json";

    private readonly string[] _origins = options.Value.AllowedOrigins;

    /// <summary>The subprotocol to speak: the first one offered that this server knows.</summary>
    /// <param name="protocol">What it begins with.</param>
    public static string? Choose(string? offered, string protocol)
    {
        foreach (var name in (offered ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (name.StartsWith(protocol, StringComparison.Ordinal) && name[protocol.Length..] is BinaryEnding or JsonEnding)
            {
                return name;
            }
        }

        return null;
    }

    public static bool IsJson(string chosen) => chosen.EndsWith(JsonEnding, StringComparison.Ordinal);

    /// <summary>Why somebody may not open an anonymous socket, or null.</summary>
    /// <param name="namesItself">Whether the handshake has a token or a ticket: a mistake that would link an account to what follows.</param>
    public ProtocolError? RefuseAnonymous(string? origin, bool namesItself) =>
        namesItself ? ProtocolError.CredentialsRefused : IsAllowed(origin) ? null : ProtocolError.Forbidden;

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
