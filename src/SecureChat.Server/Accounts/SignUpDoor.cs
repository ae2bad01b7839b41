using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>Who may still make accounts from a network that made many. Spec: docs/protocol/abuse.md#sign-ups.</summary>
internal sealed class SignUpDoor(Doorkeeper doorkeeper, Anomalies anomalies)
{
    /// <summary>Null: go on. Only new accounts are asked: whoever signs in again to an account takes nothing from anybody.</summary>
    public ValueTask<ProblemHttpResult?> AdmitAsync(HttpContext context, CancellationToken ct) =>
        doorkeeper.AdmitAsync(context, Detectors.SignUps, RateLimiter.Network(context.Connection.RemoteIpAddress), ct);

    /// <summary>An account was made.</summary>
    public void Made(HttpContext context) =>
        anomalies.Observe(Detectors.SignUps, RateLimiter.Network(context.Connection.RemoteIpAddress), 1);
}
