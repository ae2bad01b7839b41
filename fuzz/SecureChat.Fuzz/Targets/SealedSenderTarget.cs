using SecureChat.Signal.SealedSender;

namespace SecureChat.Fuzz.Targets;

/// <summary>Envelopes as they arrive, and what a sender who keeps to no rule can put into one.</summary>
internal static class SealedSenderTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Envelope, Content, SealedContents);

    private static void Envelope(ReadOnlySpan<byte> input)
    {
        var content = SealedEnvelope.Open(
            input, Cast.Bob.Identity.PrivateKey, Cast.Bob.Address, [Cast.Root.PublicKey], Cast.Now);
        Oracle.Require(content.Sender.Sender == Cast.Alice.Address, "An envelope counts that was never sealed.");
    }

    private static void Content(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, SealedContent.Parse, content => content.Serialize());

    private static void SealedContents(ReadOnlySpan<byte> input)
    {
        var envelope = SealedSenderV1.Seal(input, Cast.Bob.Identity.PublicKey, Cast.Alice.Identity.PrivateKey, Cast.Chance(2));
        var content = SealedEnvelope.OpenUnjudged(envelope, Cast.Bob.Identity.PrivateKey);
        Oracle.Require(
            content.Sender.IdentityKey.Equals(Cast.Alice.Identity.PublicKey), "Another's certificate counts for this sender.");
    }
}
