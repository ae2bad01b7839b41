using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Spqr;

/// <summary>One side of a ratchet under test, stored and loaded again after every step.</summary>
internal sealed class SpqrSide(SpqrState state, ulong seed)
{
    public SeededRandom Random { get; } = new(seed);

    public SpqrState State { get; private set; } = state;

    /// <summary>Messages received.</summary>
    public int Seen { get; private set; }

    /// <summary>States passed, by their stored number.</summary>
    public HashSet<byte> States { get; } = [state.Braid.Tag];

    /// <summary>Kinds of message received.</summary>
    public HashSet<SpqrMessageType> Types { get; } = [];

    public SpqrSent Send()
    {
        var sent = State.Send(Random);
        Step(sent.Next);
        return sent;
    }

    public byte[] Receive(byte[] message)
    {
        var received = State.Receive(message);
        Step(received.Next);
        Types.Add(SpqrMessage.Parse(message)!.Type);
        Seen++;
        return received.Key;
    }

    /// <summary>Sends a message that arrives.</summary>
    public void Say(SpqrSide other)
    {
        var sent = Send();
        Assert.Equal(sent.Key, other.Receive(sent.Message));
    }

    /// <summary>Sends a message that is changed on its way; false if it was refused.</summary>
    public bool TrySay(SpqrSide other, Func<byte[], byte[]> change)
    {
        try
        {
            other.Receive(change(Send().Message));
            return true;
        }
        catch (SignalException)
        {
            return false;
        }
    }

    private void Step(SpqrState next)
    {
        var stored = next.Serialize();
        Assert.True(SpqrState.TryParse(stored, out var loaded));
        Assert.Equal(stored, loaded!.Serialize());
        State = loaded;
        States.Add(loaded.Braid.Tag);
    }
}

/// <summary>A bad connection between two sides: about a tenth is lost, some overtakes, and either side may fall silent.</summary>
internal sealed class Wire(SpqrSide left, SpqrSide right, ulong seed)
{
    private readonly SeededRandom _random = new(seed + 1_000);
    private readonly List<(SpqrSide To, SpqrSent Sent)> _delayed = [];

    public int Delivered { get; private set; }

    public void Run(int messages)
    {
        var sent = 0;
        while (sent < messages)
        {
            var from = _random.Percent(50) ? left : right;
            var burst = _random.Percent(15) ? 20 + _random.Below(40) : 1 + _random.Below(3);
            for (var i = 0; i < burst && sent < messages; i++, sent++)
            {
                Carry(from == left ? right : left, from.Send());
            }

            if (_random.Percent(30))
            {
                Flush();
            }
        }

        Flush();
    }

    private void Carry(SpqrSide to, SpqrSent sent)
    {
        if (_random.Percent(10))
        {
            return;
        }

        if (_random.Percent(15))
        {
            _delayed.Add((to, sent));
            return;
        }

        Deliver(to, sent);
    }

    private void Flush()
    {
        foreach (var (to, sent) in _delayed.OrderBy(_ => _random.Below(int.MaxValue)).ToList())
        {
            Deliver(to, sent);
        }

        _delayed.Clear();
    }

    private void Deliver(SpqrSide to, SpqrSent sent)
    {
        Assert.Equal(sent.Key, to.Receive(sent.Message));
        Delivered++;
    }
}
