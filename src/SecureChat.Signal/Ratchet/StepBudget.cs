namespace SecureChat.Signal.Ratchet;

/// <summary>
/// How many steps of chains one message may force in all the sessions that it is tried in. Its counters are not
/// authenticated before the chains are stepped, so that a forged one would cost every archived session a full jump.
/// docs/protocol/sessions.md#chains.
/// </summary>
internal sealed class StepBudget(long steps)
{
    private long _left = steps;

    /// <summary>Takes the steps that come next.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidMessage"/>: that many are not left.</exception>
    public void Spend(uint count)
    {
        if (count > _left)
        {
            throw new SignalException(SignalError.InvalidMessage, "The message is too far ahead for an archived session.");
        }

        _left -= count;
    }
}
