using SecureChat.Signal.Fingerprints;

namespace SecureChat.Fuzz.Targets;

/// <summary>What was scanned from another screen.</summary>
internal static class FingerprintTarget
{
    private static readonly byte[] AliceId = Cast.AccountOf(Cast.Alice).ToBinary()[1..];
    private static readonly byte[] BobId = Cast.AccountOf(Cast.Bob).ToBinary()[1..];
    private static readonly byte[] AliceKey = Cast.Alice.Identity.PublicKey.Serialize();
    private static readonly byte[] BobKey = Cast.Bob.Identity.PublicKey.Serialize();

    public static Fingerprint OfBob { get; } = Fingerprint.Create(BobId, BobKey, AliceId, AliceKey);

    private static Fingerprint OfAlice { get; } = Fingerprint.Create(AliceId, AliceKey, BobId, BobKey);

    public static void Run(ReadOnlySpan<byte> input)
    {
        Oracle.RoundTrip(
            input, ScannableFingerprint.Parse, scanned => ScannableFingerprint.Serialize(
                scanned.Version, scanned.Local, scanned.Remote));
        var (version, local, remote) = ScannableFingerprint.Parse(input);
        var matches = ScannableFingerprint.Serialize(version, local, remote).AsSpan().SequenceEqual(OfBob.Scannable());
        Oracle.Require(
            (OfAlice.Compare(input) == FingerprintComparison.Match) == matches, "A match that is none, or the other way round.");
    }
}
