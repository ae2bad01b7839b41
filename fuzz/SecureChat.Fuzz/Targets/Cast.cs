using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Sessions;
using SecureChat.Signal.Tests.Support;

namespace SecureChat.Fuzz.Targets;

/// <summary>The people that inputs are addressed to: always the same, so that an input does the same every time.</summary>
internal static class Cast
{
    public const ulong Now = 1_800_000_000_000;
    public static readonly DateTimeOffset Today = DateTimeOffset.FromUnixTimeMilliseconds((long)Now);

    static Cast()
    {
        var random = Chance(1);
        (Alice, Bob) = (Device(random, 1), Device(random, 3));
        Root = PrivateKey.Generate(random);
        ServerKey = PrivateKey.Generate(random);
        Server = ServerCertificate.Issue(7, ServerKey.PublicKey, Root, random);
        SenderOfAlice = SenderCertificate.Issue(
            AccountOf(Alice), Alice.Address.DeviceId, Alice.Identity.PublicKey, Now + 1_000, Server, ServerKey, random);
        BobsOneTime = PreKeyRecord.Generate(1, random);
        BobsSigned = SignedPreKeyRecord.Generate(2, Bob.Identity, Today, random);
        BobsKyber = KyberPreKeyRecord.Generate(3, Bob.Identity, Today, random);
        BobsBundle = new PreKeyBundle
        {
            RegistrationId = Bob.RegistrationId,
            IdentityKey = Bob.Identity.PublicKey,
            SignedPreKey = new PublishedPreKey(BobsSigned.Id, BobsSigned.PrivateKey.PublicKey),
            SignedPreKeySignature = BobsSigned.Signature,
            OneTimePreKey = new PublishedPreKey(BobsOneTime.Id, BobsOneTime.PrivateKey.PublicKey),
            KyberPreKeyId = BobsKyber.Id,
            KyberPreKey = BobsKyber.KeyPair.PublicKey,
            KyberPreKeySignature = BobsKyber.Signature,
        };
    }

    public static LocalDevice Alice { get; }

    public static LocalDevice Bob { get; }

    public static PrivateKey Root { get; }

    public static PrivateKey ServerKey { get; }

    public static ServerCertificate Server { get; }

    public static SenderCertificate SenderOfAlice { get; }

    public static PreKeyRecord BobsOneTime { get; }

    public static SignedPreKeyRecord BobsSigned { get; }

    public static KyberPreKeyRecord BobsKyber { get; }

    public static PreKeyBundle BobsBundle { get; }

    public static SeededRandom Chance(ulong seed) => new(seed);

    public static ServiceId AccountOf(LocalDevice device) =>
        ServiceId.TryParse(device.Address.Name, out var id) ? id : throw new InvalidOperationException("Not an account.");

    /// <summary>What Bob keeps, fresh, with his prekeys and no session.</summary>
    public static InMemoryStores StoresOfBob()
    {
        var stores = new InMemoryStores();
        stores.Add(BobsOneTime);
        stores.Add(BobsSigned);
        stores.Add(BobsKyber, lastResort: true);
        return stores;
    }

    public static SessionCipher Cipher(LocalDevice self, InMemoryStores stores, ulong seed) =>
        new(self, stores, stores, stores, Chance(seed));

    private static LocalDevice Device(SeededRandom random, int device) => new(
        new ProtocolAddress(ServiceId.OfAccount(new Guid(random.Bytes(16))), device),
        IdentityKeyPair.Generate(random),
        (uint)(100 + device));
}
