using System.Security.Cryptography;
using SecureChat.Signal;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Fuzz.Targets;

/// <summary>Keys, stored prekeys as they are and with a fitting checksum, and bundles put together from what a server sent.</summary>
internal static class BundleTarget
{
    public static void Run(ReadOnlySpan<byte> input) => FuzzTargets.Choose(
        input, Curve, Kyber, KyberSecret, Identity, OneTime, Signed, KyberRecord, Bundle, OneTimeWithChecksum, SignedWithChecksum,
        KyberRecordWithChecksum);

    private static void Curve(ReadOnlySpan<byte> input)
    {
        var key = Oracle.RoundTrip(input, PublicKey.Parse, key => key.Serialize());
        key.Verify("any"u8, new byte[64]);
        Agree(key);
    }

    private static void Kyber(ReadOnlySpan<byte> input)
    {
        var key = Oracle.RoundTrip(input, KyberPublicKey.Parse, key => key.Serialize());
        key.Encapsulate(Cast.Chance(2));
    }

    private static void KyberSecret(ReadOnlySpan<byte> input)
    {
        using var pair = Oracle.RoundTrip(input, KyberKeyPair.Parse, pair => pair.SerializePrivateKey());
        var (secret, ciphertext) = pair.PublicKey.Encapsulate(Cast.Chance(2));

        // A stored key is its owner's: one made up by somebody else need not fit together, and must not do harm.
        pair.Decapsulate(ciphertext);
        Oracle.Require(secret.Length == 32, "A secret of another size.");
    }

    private static void Identity(ReadOnlySpan<byte> input)
    {
        using var pair = Oracle.RoundTrip(input, IdentityKeyPair.Parse, pair => pair.Serialize());
        var signature = pair.PrivateKey.Sign("any"u8, Cast.Chance(2));
        Oracle.Require(pair.PublicKey.Verify("any"u8, signature), "A signature of one's own does not verify.");
    }

    private static void OneTime(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, PreKeyRecord.Parse, record => record.Serialize()).Dispose();

    private static void Signed(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, SignedPreKeyRecord.Parse, record => record.Serialize()).Dispose();

    private static void KyberRecord(ReadOnlySpan<byte> input) =>
        Oracle.RoundTrip(input, KyberPreKeyRecord.Parse, record => record.Serialize()).Dispose();

    private static void OneTimeWithChecksum(ReadOnlySpan<byte> input) => OneTime(WithChecksum(input));

    private static void SignedWithChecksum(ReadOnlySpan<byte> input) => Signed(WithChecksum(input));

    private static void KyberRecordWithChecksum(ReadOnlySpan<byte> input) => KyberRecord(WithChecksum(input));

    private static byte[] WithChecksum(ReadOnlySpan<byte> input) => [.. input, .. SHA256.HashData(input)];

    private static void Bundle(ReadOnlySpan<byte> input)
    {
        var rest = input;
        var bundle = new PreKeyBundle
        {
            RegistrationId = 1,
            IdentityKey = PublicKey.Parse(FuzzTargets.Part(ref rest)),
            SignedPreKey = new PublishedPreKey(2, PublicKey.Parse(FuzzTargets.Part(ref rest))),
            SignedPreKeySignature = FuzzTargets.Part(ref rest).ToArray(),
            KyberPreKeyId = 3,
            KyberPreKey = KyberPublicKey.Parse(FuzzTargets.Part(ref rest)),
            KyberPreKeySignature = FuzzTargets.Part(ref rest).ToArray(),
            OneTimePreKey = rest.IsEmpty ? null : new PublishedPreKey(4, PublicKey.Parse(FuzzTargets.Part(ref rest))),
        };
        using var session = Pqxdh.Initiate(Cast.Alice, bundle.Verify(), Cast.Today, Cast.Chance(3));
        using var record = SessionRecord.Empty.Start(session);
        Oracle.Rereads(record, SessionRecord.Parse, stored => stored.Serialize()).Dispose();
    }

    private static void Agree(PublicKey key)
    {
        try
        {
            Cast.Bob.Identity.PrivateKey.Agree(key);
        }
        catch (SignalException e) when (e.Error == SignalError.InvalidKey)
        {
            Oracle.Require(!key.IsCanonical(), "A canonical key agrees on nothing.");
        }
    }
}
