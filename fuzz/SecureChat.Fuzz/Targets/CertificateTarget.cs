using SecureChat.Signal.SealedSender;

namespace SecureChat.Fuzz.Targets;

/// <summary>Certificates of servers and of senders, read and judged.</summary>
internal static class CertificateTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, OfServer, OfSender);

    private static void OfServer(ReadOnlySpan<byte> input)
    {
        var certificate = Oracle.RoundTrip(input, ServerCertificate.Parse, certificate => certificate.Serialize());
        var genuine = Cast.Server.Serialize();
        Oracle.Require(
            !certificate.IsSignedBy(Cast.Root.PublicKey) || certificate.Key.Equals(Cast.Server.Key),
            "The root is said to have signed a key that it has not.");
        Oracle.Require(certificate.KeyId != 0 || !input.SequenceEqual(genuine), "Another id than was written.");
    }

    private static void OfSender(ReadOnlySpan<byte> input)
    {
        var certificate = Oracle.RoundTrip(input, SenderCertificate.Parse, certificate => certificate.Serialize());
        Oracle.Require(
            !certificate.IsValid([Cast.Root.PublicKey], Cast.Now)
                || (certificate.Sender == Cast.Alice.Address && certificate.IdentityKey.Equals(Cast.Alice.Identity.PublicKey)),
            "A certificate counts that was never issued.");
        Oracle.Require(!certificate.IsValid([], Cast.Now), "A certificate counts without a root.");
    }
}
