using Google.Protobuf;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Calls;

/// <summary>One call as one device knows it.</summary>
internal sealed class Call(ByteString id, Guid account, bool isCaller)
{
    // Candidates that came before what they belong to, with the device that sent them.
    private readonly List<(int Device, uint Revision, CallCandidate Candidate)> _waiting = [];
    private readonly HashSet<(uint Revision, CallCandidate Candidate)> _seen = [];
    private readonly List<CallCandidate> _gathered = [];
    private int _sent;

    public ByteString Id { get; } = id;

    /// <summary>The other side.</summary>
    public Guid Account { get; } = account;

    public bool IsCaller { get; } = isCaller;

    /// <summary>The device at the other end; 0: not known yet.</summary>
    public int Device { get; set; }

    public bool Video { get; set; }

    /// <summary>No candidate that shows an address of this device may leave it.</summary>
    public bool RelayOnly { get; set; } = true;

    /// <summary>Of the negotiation that is under way or was the last.</summary>
    public uint Revision { get; set; }

    /// <summary>What the application is asked for and has not handed over yet.</summary>
    public Awaited Awaits { get; set; }

    /// <summary>An own offer is out, or being made, and not answered.</summary>
    public bool IsOffering { get; set; }

    /// <summary>The offer of revision 0 has left: others may know of the call.</summary>
    public bool IsKnown { get; set; }

    /// <summary>The other side's offer that waits for the person.</summary>
    public string Offer { get; set; } = "";

    public byte[]? Fingerprint { get; set; }

    public byte[]? TheirFingerprint { get; set; }

    public bool IsRinging { get; set; }

    /// <summary>Whether both sides know each other's description of the present revision.</summary>
    public bool IsNegotiated => Awaits is Awaited.Nothing && !IsOffering;

    public CallTurn Turn => new(Id, Revision);

    public void Begin(uint revision)
    {
        Revision = revision;
        _gathered.Clear();
        _sent = 0;
    }

    /// <summary>Keeps what was gathered here, as far as it may leave the device.</summary>
    public void Gather(IEnumerable<CallCandidate> candidates, bool showsHostAddresses) => _gathered.AddRange(candidates
        .Where(one => RelayOnly ? CallSdp.IsRelay(one.Candidate) : showsHostAddresses || !CallSdp.IsHostAddress(one.Candidate))
        .Select(one => new CallCandidate(one) { Candidate = CallSdp.WithoutRelated(one.Candidate) }));

    /// <summary>What was gathered and not sent yet, as messages; <paramref name="again"/>: all of it.</summary>
    public IEnumerable<CallMessage> TakeGathered(bool again)
    {
        var from = again ? 0 : _sent;
        _sent = _gathered.Count;
        return _gathered.Skip(from).Chunk(Limits.MaxCandidates)
            .Select(part => new CallMessage { Call = Id, Candidates = new CallCandidates { Revision = Revision, Candidates = { part } } });
    }

    /// <summary>Keeps candidates of the other side until their time comes; repetitions and those of the past are dropped.</summary>
    public void Wait(int device, CallCandidates candidates)
    {
        if (candidates.Revision >= Revision)
        {
            _waiting.AddRange(candidates.Candidates.Take(MaxWaiting - _waiting.Count).Select(one => (device, candidates.Revision, one)));
        }
    }

    /// <summary>The candidates of the connected device for the present revision.</summary>
    public IReadOnlyList<CallCandidate> TakeWaiting()
    {
        var taken = _waiting.Where(one => one.Device == Device && one.Revision == Revision && _seen.Count < MaxSeen && _seen.Add((one.Revision, one.Candidate)))
            .Select(one => one.Candidate).ToList();
        _waiting.RemoveAll(one => one.Device != Device || one.Revision <= Revision);
        return taken;
    }

    private const int MaxWaiting = 128;
    private const int MaxSeen = 4096;
}

/// <summary>What the machine waits for from its application.</summary>
internal enum Awaited
{
    Nothing,
    Offer,
    Answer,
}
