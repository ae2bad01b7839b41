using SecureChat.Protocol;
using SecureChat.Server.Abuse;

namespace SecureChat.Server.Keys;

/// <summary>Who may still be given one-time keys of whom.</summary>
/// <remarks>
/// Against draining a victim's one-time keys, which costs new sessions part of their forward secrecy and shows in refills when
/// the victim is online. A used-up budget refuses nobody: the bundle then goes without one-time keys. Spec: docs/protocol/keys.md#budgets.
/// </remarks>
internal sealed class KeyBudget(RateLimiter limiter)
{
    /// <param name="requester">Account or network prefix; accounts and strangers have budgets alike.</param>
    public async Task<bool> AllowsOneTimeKeysAsync(byte[] requester, DeviceAddress target, CancellationToken ct)
    {
        byte[] device = [.. target.Account.ToByteArray(bigEndian: true), (byte)target.Device];

        // The pair first: a single greedy requester then takes nothing from what all others share.
        return await limiter.TakeAsync(RateLimits.OneTimeKeysOfPair, (byte[])[.. requester, .. device], 1, ct) == TimeSpan.Zero
            && await limiter.TakeAsync(RateLimits.OneTimeKeysOfDevice, device, 1, ct) == TimeSpan.Zero;
    }
}
