using SecureChat.Signal.Groups;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Groups;

/// <summary>A sender's chain far from its beginning.</summary>
public sealed class SenderKeyStateTests
{
    private readonly SenderKeyState _start =
        SenderKeyState.From(SenderKeyState.Generate(new SeededRandom(45)).Distribute(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)));

    [Fact]
    public void A_jump_counts_from_the_last_message_and_not_from_the_first()
    {
        var far = _start.TakeAt(20_000).Next;

        var (_, next) = far.TakeAt(20_000 + SenderKeyState.MaxJump - 10_000);

        Assert.Equal(
            SignalError.InvalidMessage, Assert.Throws<SignalException>(() => next.TakeAt(35_002 + SenderKeyState.MaxJump)).Error);
    }

    [Fact]
    public void Messages_that_were_overtaken_late_in_a_chain_are_still_read()
    {
        var (expected, _) = _start.TakeAt(3_001);

        var (seed, _) = _start.TakeAt(3_000).Next.TakeAt(3_002).Next.TakeAt(3_001);

        Assert.Equal(expected, seed);
    }

    [Fact]
    public void The_oldest_seed_goes_when_one_more_would_be_kept()
    {
        var full = _start.TakeAt(SenderKeyState.MaxKept).Next;

        var more = full.TakeAt(SenderKeyState.MaxKept + 2).Next;

        Assert.NotEmpty(full.TakeAt(0).Seed);
        Assert.Equal(SignalError.DuplicateMessage, Assert.Throws<SignalException>(() => more.TakeAt(0)).Error);
        Assert.NotEmpty(more.TakeAt(1).Seed);
        Assert.NotEmpty(more.TakeAt(SenderKeyState.MaxKept + 1).Seed);
    }
}
