using Microsoft.AspNetCore.Http.HttpResults;
using SecureChat.Protocol;

namespace SecureChat.Server.Abuse;

/// <summary>Makes a detector's verdict felt at an HTTP endpoint. Spec: docs/protocol/abuse.md#grades.</summary>
internal sealed class Doorkeeper(Anomalies anomalies, ProofOfWork work)
{
    /// <summary>The header that carries a proof of work.</summary>
    public const string Header = "SecureChat-Proof";

    /// <summary>What a request of a slowed actor takes from its rate limit.</summary>
    public const int SlowCost = 4;

    /// <summary>Null: come in. Else the refusal, or the question for work. No round trip, but one when a proof is shown.</summary>
    /// <param name="actor">As <paramref name="detector"/> counts; the proof is bound to the caller, as the endpoint's limit counts.</param>
    public async ValueTask<ProblemHttpResult?> AdmitAsync(
        HttpContext context, Detector detector, ReadOnlyMemory<byte> actor, CancellationToken ct)
    {
        var verdict = anomalies.Judge(detector, actor.Span);
        return verdict.Grade switch
        {
            Grade.Refuse => Refuse(context, verdict),
            Grade.Prove => await AskForWorkAsync(context, detector.Name, ProofOfWork.Difficulty(verdict.Level / detector.Prove), ct),
            _ => null,
        };
    }

    /// <summary>Null if the request carries a proof, or one was taken from it already.</summary>
    /// <param name="reason">What asks for it, in the metrics.</param>
    public async ValueTask<ProblemHttpResult?> AskForWorkAsync(HttpContext context, string reason, int difficulty, CancellationToken ct)
    {
        if (context.Features.Get<Worked>() is not null)
        {
            return null;
        }

        var limit = context.GetEndpoint()!.Metadata.GetRequiredMetadata<RateLimit>();
        var caller = RequireLimitExtensions.Subject(context, limit.Scope);
        if (await work.RedeemAsync(context.Request.Headers[Header], limit.Name, caller, ct))
        {
            context.Features.Set(new Worked());
            anomalies.Metrics.Acted(reason, "work-done");
            return null;
        }

        anomalies.Metrics.Acted(reason, "work-asked");
        return Problem.From(
            ProtocolError.ProofOfWorkRequired,
            null,
            ("challenge", work.Challenge(limit.Name, caller, difficulty)),
            ("difficulty", difficulty),
            ("expiresIn", (int)ProofOfWork.Life.TotalSeconds));
    }

    private ProblemHttpResult Refuse(HttpContext context, Verdict verdict)
    {
        anomalies.Metrics.Acted(verdict.Detector!.Name, "refused");
        return RequireLimitExtensions.Refuse(context, verdict.Lasting);
    }

    private sealed class Worked;
}
