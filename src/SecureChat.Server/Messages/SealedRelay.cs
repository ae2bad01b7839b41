using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Senders;

namespace SecureChat.Server.Messages;

/// <summary>Takes messages from nobody in particular: the recipient's consent stands in for the sender's name.</summary>
/// <remarks>
/// Spec: docs/protocol/sealed-sender.md#sending. An unknown account, a wrong or revoked right and a right that was never given
/// are refused alike: the same bytes, and not before the same moment, whatever was found in memory on the way.
/// </remarks>
internal sealed class SealedRelay(Relay relay, SendPolicies policies, RateLimiter limiter, OneMoment oneMoment)
{
    /// <param name="rights">One for each recipient, in order.</param>
    /// <param name="network">What shares one limit: see <see cref="RateLimiter.Network"/>.</param>
    public async ValueTask<Submission> SubmitAsync(
        Outgoing message, IReadOnlyList<ReadOnlyMemory<byte>> rights, byte[] network, CancellationToken ct)
    {
        var began = oneMoment.Begin();

        // Charged before work, and for every recipient.
        var wait = await limiter.TakeAsync(RateLimits.SendSealed, network, message.Recipients.Count, ct);
        if (wait > TimeSpan.Zero)
        {
            return new Submission(ProtocolError.RateLimited) { RetryAfter = wait };
        }

        var admitted = true;
        for (var i = 0; i < message.Recipients.Count; i++)
        {
            admitted &= await policies.AdmitsSealedAsync(message.Recipients[i].Account, rights[i], ct);
        }

        var submission = !admitted
            ? new Submission(ProtocolError.SendRefused)
            : await TakeSharesAsync(message, rights, ct) is { } full
                ? full
                : await relay.SubmitAsync(null, message, ct);

        // A policy may outlive its account by a moment.
        if (submission.Refusal == ProtocolError.NotFound || submission.Refusal == ProtocolError.SendRefused)
        {
            await oneMoment.ComesAsync(began, message.Recipients.Count, ct);
            return new Submission(ProtocolError.SendRefused);
        }

        return submission;
    }

    // Who floods under one right is held back alone; whoever has another is not.
    private async ValueTask<Submission?> TakeSharesAsync(
        Outgoing message, IReadOnlyList<ReadOnlyMemory<byte>> rights, CancellationToken ct)
    {
        var waits = await Task.WhenAll(message.Recipients.Select((recipient, i) => limiter.TakeAsync(
            RateLimits.OneRight, [.. recipient.Account.ToByteArray(bigEndian: true), .. rights[i].Span], 1, ct)));
        return waits.Max() is var longest && longest > TimeSpan.Zero
            ? new Submission(ProtocolError.RateLimited) { RetryAfter = longest }
            : null;
    }
}
