using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>A chain of received messages far from its beginning.</summary>
public sealed class ReceivingChainTests : IDisposable
{
    private readonly SeededRandom _random = new(46);
    private readonly PrivateKey _ratchet;
    private readonly ReceivingChain _start;

    public ReceivingChainTests()
    {
        _ratchet = PrivateKey.Generate(_random);
        _start = new ReceivingChain(_ratchet.PublicKey, _random.Bytes(RatchetKdf.KeySize));
    }

    public void Dispose()
    {
        _start.Dispose();
        _ratchet.Dispose();
    }

    [Fact]
    public void A_jump_costs_the_steps_from_the_last_message_and_not_from_the_first()
    {
        using var far = _start.Take(20_000).Next;

        using var next = far.Take(20_010, new StepBudget(9)).Next;

        Assert.Equal(20_011u, next.Index);
        Assert.Throws<SignalException>(() => far.Take(20_011, new StepBudget(9)));
        Assert.Throws<SignalException>(() => far.Take(20_002 + ReceivingChain.MaxJump));
    }

    [Fact]
    public void The_oldest_seed_goes_when_one_more_would_be_kept()
    {
        using var full = _start.Take(ReceivingChain.MaxSkipped).Next;

        using var more = full.Take(ReceivingChain.MaxSkipped + 2).Next;

        using var oldest = full.Take(0).Next;
        Assert.Equal(SignalError.DuplicateMessage, Assert.Throws<SignalException>(() => more.Take(0)).Error);
        using var second = more.Take(1).Next;
        using var last = more.Take(ReceivingChain.MaxSkipped + 1).Next;
        Assert.Equal(more.Index, last.Index);
    }
}
