using SecureChat.Signal.Keys;
using SecureChat.Signal.Ratchet;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Spqr;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Signal.Tests.Sessions;

/// <summary>What a counter that nobody vouches for can make the receiver do.</summary>
public sealed class ForgedCounterTests : IDisposable
{
    private readonly SeededRandom _random = new(77);
    private readonly Device _alice;
    private readonly Device _bob;

    public ForgedCounterTests() => (_alice, _bob) = (new Device(_random), new Device(_random));

    public void Dispose()
    {
        _alice.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task A_forged_counter_costs_forty_archived_sessions_no_more_than_the_current_one()
    {
        await MeetAsync();
        var forged = Forge();
        var once = await AllocatedByRefusalAsync(forged);
        for (var i = 0; i < SessionRecord.MaxArchived; i++)
        {
            await MeetAsync();
        }

        var before = await _bob.StoredAsync(_alice.Address);
        var often = await AllocatedByRefusalAsync(forged);

        Assert.InRange(often, once, 2 * once);
        Assert.Equal(before, await _bob.StoredAsync(_alice.Address));
    }

    [Fact]
    public async Task A_late_message_of_the_oldest_of_forty_archived_sessions_is_read_over_a_gap_of_two_hundred()
    {
        await MeetAsync();
        SessionMessage late = null!;
        for (var i = 0; i < 200; i++)
        {
            late = await _alice.EncryptAsync(_bob.Address, [7]);
        }

        for (var i = 0; i < SessionRecord.MaxArchived; i++)
        {
            await MeetAsync();
        }

        Assert.Equal([7], await _bob.DecryptAsync(_alice.Address, late));
    }

    [Fact]
    public void A_budget_is_spent_to_the_last_step_and_no_further()
    {
        var budget = new StepBudget(3);
        budget.Spend(2);

        Assert.Equal(SignalError.InvalidMessage, Assert.Throws<SignalException>(() => budget.Spend(2)).Error);
        budget.Spend(1);
        Assert.Throws<SignalException>(() => budget.Spend(1));
    }

    /// <summary>A new session, which both know of.</summary>
    private async Task MeetAsync()
    {
        await _alice.StartAsync(_bob);
        await _bob.DecryptAsync(_alice.Address, await _alice.EncryptAsync(_bob.Address, [1]));
        await _alice.DecryptAsync(_bob.Address, await _bob.EncryptAsync(_alice.Address, [2]));
    }

    private async Task<long> AllocatedByRefusalAsync(SessionMessage forged)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refusal = await _bob.RefusalAsync(_alice.Address, forged);

        Assert.Equal(SignalError.InvalidMessage, refusal);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>A message of a new ratchet key, as far ahead in both ratchets as they go, under keys that nobody has.</summary>
    private SessionMessage Forge()
    {
        using var ratchetKey = PrivateKey.Generate(_random);
        using var keys = MessageKeys.Derive(_random.Bytes(32), _random.Bytes(32));
        var postQuantum = new SpqrMessage(1, SpqrChain.MaxJump, SpqrMessageType.None, null);
        var message = SignalMessage.Seal(
            new MessageHeader(ratchetKey.PublicKey, ReceivingChain.MaxJump, 0),
            keys,
            [1],
            postQuantum.Serialize(),
            [],
            (_alice.Self.Identity.PublicKey, _bob.Self.Identity.PublicKey));
        return new SessionMessage(CiphertextType.Message, message.Serialize());
    }
}
