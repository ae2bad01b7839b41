using SecureChat.Signal.Provisioning;

namespace SecureChat.Fuzz.Targets;

/// <summary>What a new device receives.</summary>
internal static class ProvisioningTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(input, Decrypt, RoundTrip);

    private static void Decrypt(ReadOnlySpan<byte> input) => ProvisioningCipher.Decrypt(Cast.Bob.Identity.PrivateKey, input);

    private static void RoundTrip(ReadOnlySpan<byte> input)
    {
        var sealedFor = ProvisioningCipher.Encrypt(Cast.Bob.Identity.PublicKey, input, Cast.Chance(2));
        var opened = ProvisioningCipher.Decrypt(Cast.Bob.Identity.PrivateKey, sealedFor);
        Oracle.Require(input.SequenceEqual(opened), "What was encrypted reads as something else.");
    }
}
