using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Calls;

/// <summary>How often rooms may be joined from one network. Spec: docs/protocol/calls.md#joining.</summary>
internal sealed class RoomDoor(RateLimiter limiter, Anomalies anomalies, ProofOfWork work)
{
    /// <summary>Null: come in. Else why not, or the work to do first.</summary>
    public async Task<Protocol.Proto.Problem?> AdmitAsync(byte[] network, string proof, CancellationToken ct)
    {
        var verdict = anomalies.Judge(Detectors.RoomJoinStorm, network);
        var cost = verdict.Grade is Grade.Slow ? Doorkeeper.SlowCost : 1;
        var wait = await limiter.TakeAsync(RateLimits.JoinRoom, network, cost, ct);
        if (wait > TimeSpan.Zero)
        {
            return ServerFrames.Problem(ProtocolError.RateLimited, wait);
        }

        switch (verdict.Grade)
        {
            case Grade.Slow:
                Acted("slowed");
                break;
            case Grade.Refuse:
                Acted("refused");
                return ServerFrames.Problem(ProtocolError.RateLimited, verdict.Lasting);
            case Grade.Prove when !await work.RedeemAsync(proof, RateLimits.JoinRoom.Name, network, ct):
                Acted("work-asked");
                return AskForWork(network, ProofOfWork.Difficulty(verdict.Level / Detectors.RoomJoinStorm.Prove));
            case Grade.Prove:
                Acted("work-done");
                break;
        }

        anomalies.Observe(Detectors.RoomJoinStorm, network, 1);
        return null;
    }

    private Protocol.Proto.Problem AskForWork(byte[] network, int difficulty)
    {
        var problem = ServerFrames.Problem(ProtocolError.ProofOfWorkRequired, default);
        problem.Challenge = work.Challenge(RateLimits.JoinRoom.Name, network, difficulty);
        problem.Difficulty = (uint)difficulty;
        return problem;
    }

    private void Acted(string action) => anomalies.Metrics.Acted(Detectors.RoomJoinStorm.Name, action);
}
