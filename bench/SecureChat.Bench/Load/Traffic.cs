namespace SecureChat.Bench.Load;

/// <summary>Keeps the books: every message is accepted once, delivered once, in order and unchanged, or the run fails.</summary>
/// <param name="pairs">Senders, each with one recipient.</param>
/// <param name="window">Messages of one pair under way at most; a power of two.</param>
/// <param name="content">What every message carries.</param>
internal sealed class Traffic(int pairs, int window, byte[] content)
{
    private const byte Sent = 1;
    private const byte Accepted = 2;
    private const byte Delivered = 4;

    private readonly byte[] _state = new byte[pairs * window];
    private readonly long[] _sentAt = new long[pairs * window];
    private readonly uint[] _next = new uint[pairs];
    private readonly uint[] _delivered = new uint[pairs];
    private readonly ChatConnection[] _senders = new ChatConnection[pairs];

    /// <summary>A UUID of this run; message ids are made from it.</summary>
    public byte[] RunId { get; } = Guid.CreateVersion7().ToByteArray(bigEndian: true);

    public Histogram Latency { get; } = new();

    public int ReadyCount { get; private set; }

    public long SentCount { get; private set; }

    public long AcceptedCount { get; private set; }

    /// <summary>Messages accepted by the server and delivered to (and acknowledged by) the recipient.</summary>
    public long CompleteCount { get; private set; }

    /// <summary>Messages of an earlier run that came once more.</summary>
    public long LeftoverCount { get; private set; }

    public long UnderWay => SentCount - CompleteCount;

    /// <summary>Closed loop: a completed message is followed by the pair's next one.</summary>
    public bool KeepSending { get; set; }

    public byte[] Content => content;

    public void Join(int pair, ChatConnection sender) => _senders[pair] = sender;

    public void Ready() => ReadyCount++;

    /// <summary>Sends the pair's next message; latency counts from <paramref name="due"/>.</summary>
    public void Send(int pair, long due)
    {
        var sequence = _next[pair];
        var slot = Slot(pair, sequence);
        if (_state[slot] != 0)
        {
            throw new BenchException($"{window} messages of one pair are under way: the server does not keep up with this rate.");
        }

        _next[pair] = sequence + 1;
        _state[slot] = Sent;
        _sentAt[slot] = due;
        SentCount++;
        _senders[pair].Send(sequence, content);
    }

    public void OnAccepted(int pair, uint sequence)
    {
        AcceptedCount++;
        Mark(pair, sequence, Accepted);
    }

    public void OnDelivered(int pair, uint sequence, ReadOnlySpan<byte> received)
    {
        if (!received.SequenceEqual(content))
        {
            throw new BenchException("A message arrived with another content than it was sent with.");
        }

        if (sequence != _delivered[pair]++)
        {
            throw new BenchException($"Message {sequence} arrived where {_delivered[pair] - 1} was due.");
        }

        Latency.Add(Clock.Now - _sentAt[Slot(pair, sequence)]);
        Mark(pair, sequence, Delivered);
    }

    /// <summary>Delivered again from a run before, whose connection closed before the server had handled its acknowledgement.</summary>
    public void OnLeftover() => LeftoverCount++;

    private void Mark(int pair, uint sequence, byte what)
    {
        var slot = Slot(pair, sequence);
        if ((_state[slot] & Sent) == 0 || (_state[slot] & what) != 0)
        {
            throw new BenchException($"Message {sequence} was {(what == Accepted ? "accepted" : "delivered")} twice, or never sent.");
        }

        _state[slot] |= what;
        if (_state[slot] == (Sent | Accepted | Delivered))
        {
            _state[slot] = 0;
            CompleteCount++;
            if (KeepSending)
            {
                Send(pair, Clock.Now);
            }
        }
    }

    private int Slot(int pair, uint sequence) => (pair * window) + (int)(sequence & (uint)(window - 1));
}
