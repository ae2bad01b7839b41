using SecureChat.Protocol;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Messages;

/// <summary>What a device has acknowledged and the store has not been told yet. Not thread-safe.</summary>
internal sealed class AckBatch
{
    private static readonly List<long> None = [];
    private List<ulong>? _requests;

    public List<long> Positions { get; private set; } = None;

    public bool IsFull => Positions.Count > Limits.MaxAckBatch;

    /// <param name="positions">May be kept.</param>
    /// <param name="request">0: not to be answered.</param>
    public void Add(List<long> positions, ulong request)
    {
        if (Positions.Count == 0)
        {
            Positions = positions;
        }
        else
        {
            Positions.AddRange(positions);
        }

        if (request != 0)
        {
            (_requests ??= []).Add(request);
        }
    }

    /// <summary>Tells the store, and then the device where it asked.</summary>
    public async Task DeleteAsync(MessageFrames relay, ClientSession session)
    {
        ProtocolError? refusal = null;
        try
        {
            await relay.Queue.AckAsync(session.Caller.Address, Positions, CancellationToken.None);
            if (_requests is not null)
            {
                await relay.Queue.WrittenAsync(CancellationToken.None);
            }
        }
        catch (Exception e)
        {
            // The mail stays queued; the device gets it once more and acknowledges again.
            relay.Log.AckFailed(e.GetType().Name);
            refusal = ProtocolError.Unavailable;
        }

        foreach (var request in _requests ?? [])
        {
            if (refusal is null)
            {
                ServerFrames.Accepted(session, request);
            }
            else
            {
                session.Refuse(request, refusal, TimeSpan.FromSeconds(5));
            }
        }
    }
}
