using Google.Protobuf;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Calls;

/// <summary>Calls that are over, for a while: their messages may still come, twice or in another order.</summary>
internal sealed class EndedCalls(TimeProvider time)
{
    private readonly Dictionary<(Guid Account, ByteString Call), (long At, CallHangupReason? Unrung)> _calls = [];

    /// <param name="unrung">The call ended before it was heard of, for this reason.</param>
    public void Add(Guid account, ByteString call, CallHangupReason? unrung = null)
    {
        foreach (var (key, _) in _calls.Where(one => time.GetElapsedTime(one.Value.At) > Memory).ToList())
        {
            _calls.Remove(key);
        }

        if (_calls.Count >= MaxCalls)
        {
            _calls.Remove(_calls.MinBy(one => one.Value.At).Key);
        }

        _calls.TryAdd((account, call), (time.GetTimestamp(), unrung));
    }

    public bool Contains(Guid account, ByteString call) => _calls.ContainsKey((account, call));

    /// <summary>Once, whether the person missed a call that was over before it was heard of.</summary>
    public bool TakeMissed(Guid account, ByteString call)
    {
        if (!_calls.TryGetValue((account, call), out var ended) || ended.Unrung is not { } reason)
        {
            return false;
        }

        _calls[(account, call)] = (ended.At, null);
        return IsMissed(reason);
    }

    /// <summary>Whether nobody of the callee's took part in a call that its caller ended so.</summary>
    public static bool IsMissed(CallHangupReason reason) =>
        reason is CallHangupReason.Normal or CallHangupReason.NoAnswer or CallHangupReason.Busy or CallHangupReason.Failed;

    private const int MaxCalls = 256;
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(5);
}
