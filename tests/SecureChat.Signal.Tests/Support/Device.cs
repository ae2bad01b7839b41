using SecureChat.Signal.Addresses;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Sessions;

namespace SecureChat.Signal.Tests.Support;

/// <summary>One device of somebody, with this library and stores in memory: what an application would have.</summary>
internal sealed class Device : IDisposable
{
    public static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000);
    private uint _nextKey = 1;

    public Device(SeededRandom random, int deviceId = 1, Guid? account = null, IdentityKeyPair? identity = null)
    {
        Random = random;
        Address = new ProtocolAddress(ServiceId.OfAccount(account ?? new Guid(random.Bytes(16))), deviceId);
        Self = new LocalDevice(Address, identity ?? new IdentityKeyPair(PrivateKey.Generate(random)), (uint)random.Below(16380) + 1);
        Cipher = CipherOn(Stores);
        PublishSigned();
    }

    public SeededRandom Random { get; }

    public ProtocolAddress Address { get; }

    public LocalDevice Self { get; }

    public InMemoryStores Stores { get; } = new();

    public SessionCipher Cipher { get; }

    /// <summary>The device as libsignal's driver names it.</summary>
    public object PeerAddress => new { name = Address.Name, device = Address.DeviceId };

    /// <summary>The signed prekey that bundles name.</summary>
    public SignedPreKeyRecord Signed { get; private set; } = null!;

    public DateTimeOffset Now { get; set; } = Start;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public SessionCipher CipherOn(InMemoryStores stores) => new(Self, stores, stores, stores, Random);

    /// <summary>A bundle as a server hands it out.</summary>
    /// <param name="oneTime">With a fresh one-time key.</param>
    /// <param name="kyberOneTime">The Kyber key is a fresh one-time one and not that of last resort; left out: as the other.</param>
    public PreKeyBundle Bundle(bool oneTime, bool? kyberOneTime = null)
    {
        var id = _nextKey++;
        using var kyber = KyberPreKeyRecord.Generate(id, Self.Identity, Now, Random);
        Stores.Add(kyber, lastResort: !(kyberOneTime ?? oneTime));
        using var record = oneTime ? PreKeyRecord.Generate(id, Random) : null;
        if (record is not null)
        {
            Stores.Add(record);
        }

        return PreKeyBundle.Of(Self.RegistrationId, Self.Identity.PublicKey, Signed, kyber, record);
    }

    /// <summary>Starts a session with another device.</summary>
    public async Task StartAsync(Device other, bool oneTime = true, bool? kyberOneTime = null) =>
        await Cipher.StartAsync(other.Address, other.Bundle(oneTime, kyberOneTime).Verify(), Now, Ct);

    public async Task<SessionMessage> EncryptAsync(ProtocolAddress remote, byte[] plaintext) =>
        await Cipher.EncryptAsync(remote, plaintext, Now, Ct);

    public async Task<byte[]> DecryptAsync(ProtocolAddress remote, SessionMessage message) =>
        await Cipher.DecryptAsync(remote, message.Type, message.Serialized, Ct);

    /// <summary>The reason for which a message is refused; fails if it is not.</summary>
    public async Task<SignalError> RefusalAsync(ProtocolAddress remote, SessionMessage message) =>
        (await Assert.ThrowsAsync<SignalException>(() => DecryptAsync(remote, message))).Error;

    /// <summary>The stored record with another device, as it is in the store.</summary>
    public async Task<byte[]?> StoredAsync(ProtocolAddress remote)
    {
        using var record = await ((ISessionStore)Stores).LoadAsync(remote, Ct);
        return record?.Serialize();
    }

    public void PublishSigned()
    {
        Signed = SignedPreKeyRecord.Generate(_nextKey++, Self.Identity, Now, Random);
        Stores.Add(Signed);
    }

    public void Dispose()
    {
        Signed.Dispose();
        Self.Identity.Dispose();
    }
}
