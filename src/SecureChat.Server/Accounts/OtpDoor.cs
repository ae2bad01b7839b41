using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Accounts;

/// <summary>Whether a code may be asked for, and what became of those that were. Spec: docs/protocol/abuse.md#codes.</summary>
internal sealed class OtpDoor(OtpBudget budget, Doorkeeper doorkeeper, Anomalies anomalies)
{
    // An entered code takes back more than it cost: of honest people one in five gives up.
    private const double Entered = -1.25;

    /// <summary>Null: send it.</summary>
    public async Task<ProblemHttpResult?> AdmitAsync(HttpContext context, Identifier identifier, CancellationToken ct)
    {
        if (identifier.Range is { } range
            && await doorkeeper.AdmitAsync(context, Detectors.UnusedCodesOfRange, Encoding.ASCII.GetBytes(range), ct) is { } refusal)
        {
            return refusal;
        }

        switch (await budget.LookAsync(identifier, ct))
        {
            case Funds.Spent:
                budget.Tell();
                anomalies.Metrics.Acted(Budget, "refused");
                return RequireLimitExtensions.Refuse(context, TimeSpan.FromHours(1));
            case Funds.Low:
                return await doorkeeper.AskForWorkAsync(context, Budget, ProofOfWork.Difficulty(2), ct);
            default:
                return null;
        }
    }

    /// <summary>A code is on its way.</summary>
    public void Sent(HttpContext context, Identifier identifier)
    {
        anomalies.Observe(Detectors.UnusedCodes, RateLimiter.Network(context.Connection.RemoteIpAddress), 1);
        if (identifier.Range is { } range)
        {
            anomalies.Observe(Detectors.UnusedCodesOfRange, Encoding.ASCII.GetBytes(range), 1);
        }
    }

    /// <summary>Somebody entered the right one.</summary>
    public void Used(HttpContext context, OtpProof proof)
    {
        anomalies.Observe(Detectors.UnusedCodes, RateLimiter.Network(context.Connection.RemoteIpAddress), Entered);
        if (proof.Range.Length > 0)
        {
            anomalies.Observe(Detectors.UnusedCodesOfRange, proof.Range, Entered);
        }
    }

    private const string Budget = "code-budget";
}
