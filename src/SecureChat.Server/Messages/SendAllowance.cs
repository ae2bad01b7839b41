using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;

namespace SecureChat.Server.Messages;

/// <summary>Part of a sender's rate limit, taken in advance, so that not every message asks the hot store.</summary>
/// <param name="block">How much to take beyond what is asked for.</param>
internal sealed class SendAllowance(int block)
{
    private double _inHand;

    /// <summary>Zero when granted, else how long to wait. Not for parallel use.</summary>
    public async ValueTask<TimeSpan> TakeAsync(RateLimiter limiter, Caller sender, int amount, CancellationToken ct)
    {
        if (_inHand < amount)
        {
            // What is nearly used up still gives the exact amount.
            var taken = amount + block;
            var wait = await limiter.TakeAsync(RateLimits.SendMessages, sender.Account, taken, ct);
            if (wait > TimeSpan.Zero && block > 0)
            {
                taken = amount;
                wait = await limiter.TakeAsync(RateLimits.SendMessages, sender.Account, taken, ct);
            }

            if (wait > TimeSpan.Zero)
            {
                return wait;
            }

            _inHand += taken;
        }

        _inHand -= amount;
        return TimeSpan.Zero;
    }
}
