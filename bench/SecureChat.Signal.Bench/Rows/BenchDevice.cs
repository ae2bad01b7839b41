using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Groups;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Bench.Rows;

/// <summary>A device with stores that keep bytes: every step serialises, and loads again.</summary>
internal sealed class BenchDevice
{
    public static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000);

    private readonly SignedPreKeyRecord _signed;
    private uint _nextKey = 2;

    public BenchDevice()
        : this(IdentityKeyPair.Generate(RandomSource.System))
    {
    }

    /// <summary>Another device of an identity: what most of a device costs is not measured, so that it may be shared.</summary>
    public BenchDevice(IdentityKeyPair identity)
    {
        Address = new ProtocolAddress(ServiceId.OfAccount(Guid.CreateVersion7()), 1);
        Self = new LocalDevice(Address, identity, registrationId: 4711);
        Cipher = new SessionCipher(Self, Stores, Stores, Stores, RandomSource.System);
        Groups = new GroupCipher(new InMemorySenderKeyStore(), RandomSource.System);
        _signed = SignedPreKeyRecord.Generate(1, identity, Now, RandomSource.System);
        Stores.Add(_signed);
    }

    public ProtocolAddress Address { get; }

    public LocalDevice Self { get; }

    public InMemoryStores Stores { get; } = new();

    public SessionCipher Cipher { get; }

    public GroupCipher Groups { get; }

    /// <summary>A bundle with one-time keys of its own.</summary>
    public PreKeyBundle Bundle()
    {
        var id = _nextKey++;
        using var kyber = KyberPreKeyRecord.Generate(id, Self.Identity, Now, RandomSource.System);
        using var oneTime = PreKeyRecord.Generate(id, RandomSource.System);
        Stores.Add(kyber, lastResort: false);
        Stores.Add(oneTime);
        return new PreKeyBundle
        {
            RegistrationId = Self.RegistrationId,
            IdentityKey = Self.Identity.PublicKey,
            SignedPreKey = new PublishedPreKey(_signed.Id, _signed.PrivateKey.PublicKey),
            SignedPreKeySignature = _signed.Signature,
            OneTimePreKey = new PublishedPreKey(id, oneTime.PrivateKey.PublicKey),
            KyberPreKeyId = id,
            KyberPreKey = kyber.KeyPair.PublicKey,
            KyberPreKeySignature = kyber.Signature,
        };
    }

    /// <summary>Checks a bundle, starts a session from it, and encrypts the first message.</summary>
    public async Task<SessionMessage> StartAsync(ProtocolAddress remote, PreKeyBundle bundle, byte[] plaintext)
    {
        await Cipher.StartAsync(remote, bundle.Verify(), Now, CancellationToken.None);
        return await EncryptAsync(remote, plaintext);
    }

    /// <summary>A session in which both sides have answered.</summary>
    public async Task MeetAsync(BenchDevice other)
    {
        await other.DecryptAsync(Address, await StartAsync(other.Address, other.Bundle(), [1]));
        await DecryptAsync(other.Address, await other.EncryptAsync(Address, [2]));
    }

    public ValueTask<SessionMessage> EncryptAsync(ProtocolAddress remote, byte[] plaintext) =>
        Cipher.EncryptAsync(remote, plaintext, Now, CancellationToken.None);

    public ValueTask<byte[]> DecryptAsync(ProtocolAddress remote, SessionMessage message) =>
        Cipher.DecryptAsync(remote, message.Type, message.Serialized, CancellationToken.None);
}
