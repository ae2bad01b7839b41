using SecureChat.Protocol;

namespace SecureChat.Server.Messages;

/// <summary>What a device has acknowledged and the store has not been told yet. Not thread-safe.</summary>
internal sealed class AckBatch
{
    private static readonly List<long> None = [];
    private List<ulong>? _requests;

    public List<long> Positions { get; private set; } = None;

    /// <summary>The requests to answer once the store knows.</summary>
    public IReadOnlyList<ulong> Requests => _requests ?? [];

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
}
