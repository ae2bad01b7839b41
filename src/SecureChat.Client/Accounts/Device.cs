using System.Security.Cryptography;
using SecureChat.Client.Connection;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Protocol.Senders;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Sessions;

namespace SecureChat.Client.Accounts;

/// <summary>This device: who it is, and what all of its parts work with.</summary>
internal sealed class Device : IDisposable
{
    /// <summary>A certificate is replaced so long before its end: the recipient may open the envelope hours later.</summary>
    private static readonly TimeSpan CertificateMargin = TimeSpan.FromHours(4);

    private static ReadOnlySpan<byte> AccessKeyPurpose => "secureChat access key v1"u8;

    public Device(ChatOptions options, ServerApi api, SelfRecord self, EventFeed events)
    {
        (Options, Api, Events) = (options, api, events);
        Account = self.Account.ToGuid();
        Id = (int)self.Device;
        Stream = self.Stream;
        ProfileKey = self.ProfileKey.ToByteArray();
        Identity = IdentityKeyPair.Parse(self.IdentityKeyPair.Span);
        Local = new LocalDevice(AddressOf(Account, Id), Identity, self.RegistrationId);
        Turns = new StoreTurns(options.Store);
        Credentials = new Credentials(options.Store, api, options.Time);
    }

    public ChatOptions Options { get; }

    public ServerApi Api { get; }

    public EventFeed Events { get; }

    public Guid Account { get; }

    public int Id { get; }

    public ulong Stream { get; }

    public byte[] ProfileKey { get; }

    public IdentityKeyPair Identity { get; }

    public LocalDevice Local { get; }

    public StoreTurns Turns { get; }

    public Credentials Credentials { get; }

    public DateTimeOffset Now => Options.Time.GetUtcNow();

    /// <summary>Wakes the one who does what is due; set by the client.</summary>
    public Action Wake { get; set; } = () => { };

    public static ProtocolAddress AddressOf(Guid account, int device) => new(ServiceId.OfAccount(account), device);

    /// <summary>The right to send sealed that a profile key gives.</summary>
    public static byte[] AccessKeyOf(ReadOnlySpan<byte> profileKey)
    {
        var key = new byte[16];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, profileKey, key, [], AccessKeyPurpose);
        return key;
    }

    /// <summary>The protocol library on the rows of one transaction.</summary>
    public SessionCipher Cipher(StoreTransaction rows, out SignalStores stores)
    {
        stores = new SignalStores(rows, Now, Options.IdentityPolicy, account => Events.Add(
            rows, new EventRecord { IdentityChanged = account.ToBytes() }));
        return new SessionCipher(Local, stores, stores, stores, RandomSource.System);
    }

    /// <summary>The number by which a content of this device is named, and its time: later than any before.</summary>
    public async Task<ulong> NextTimestampAsync(StoreTransaction rows, CancellationToken ct)
    {
        var self = await SelfAsync(rows, ct);
        self.LastTimestamp = Math.Max(Now.Milliseconds(), self.LastTimestamp + 1);
        rows.Put(Tables.Self, Tables.Only, self);
        return self.LastTimestamp;
    }

    /// <summary>A content with a name and a time.</summary>
    public async Task<Content> NewContentAsync(StoreTransaction rows, Action<Content> set, CancellationToken ct)
    {
        var content = new Content { Id = Ids.New().ToBytes(), Timestamp = await NextTimestampAsync(rows, ct) };
        set(content);
        return content;
    }

    public static async Task<SelfRecord> SelfAsync(StoreTransaction rows, CancellationToken ct) =>
        await rows.ReadAsync(Tables.Self, Tables.Only, ct) ?? throw new LocalStoreException("The device is gone from its store.");

    /// <summary>This device's certificate for sealed messages; null without trust roots.</summary>
    /// <exception cref="ServerException">The server gave none, or <c>unexpected</c>: one that is not this device's or that no root vouches for.</exception>
    public async Task<SenderCertificate?> CertificateAsync(CancellationToken ct)
    {
        if (Options.Server.TrustRoots.Count == 0)
        {
            return null;
        }

        var self = await Turns.RunAsync(rows => SelfAsync(rows, ct), ct);
        if (!self.Certificate.IsEmpty && SenderCertificate.Parse(self.Certificate.Span) is var kept && kept.Expires >= (Now + CertificateMargin).Milliseconds())
        {
            return kept;
        }

        var answer = await Credentials.WithTokenAsync(
            token => Api.SendAsync<object, DeliveryCertificate>(HttpMethod.Get, "/v1/senders/certificate", token, null, ct), ct);
        var fresh = TryReadCertificate(answer.Certificate)
            ?? throw new ServerException("unexpected", 200, "The server's certificate is not this device's, or no trust root vouches for it.");
        await Turns.RunAsync(
            async rows =>
            {
                var current = await SelfAsync(rows, ct);
                current.Certificate = Google.Protobuf.ByteString.CopyFrom(answer.Certificate);
                rows.Put(Tables.Self, Tables.Only, current);
            },
            ct);
        return fresh;
    }

    // Its time is not judged here: this device's clock may be wrong.
    private SenderCertificate? TryReadCertificate(byte[] serialized)
    {
        try
        {
            var certificate = SenderCertificate.Parse(serialized);
            return certificate.Sender.Equals(Local.Address) && certificate.IdentityKey.Equals(Identity.PublicKey)
                && certificate.IsValid([.. Options.Server.TrustRoots], now: 0)
                    ? certificate
                    : null;
        }
        catch (SignalException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        Identity.Dispose();
        Events.Dispose();
        Turns.Dispose();
        Credentials.Dispose();
        CryptographicOperations.ZeroMemory(ProfileKey);
    }
}
