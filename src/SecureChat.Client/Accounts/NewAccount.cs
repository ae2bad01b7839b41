using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.Connection;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Accounts;

/// <summary>From nothing to a device with keys and credentials in its store.</summary>
internal static class NewAccount
{
    public const int ProfileKeySize = 32;

    /// <summary>libsignal's clients take no higher registration id.</summary>
    private const int MaxRegistrationId = 16380;

    /// <summary>Signs up: the store must be empty.</summary>
    public static async Task SignUpAsync(ChatOptions options, ServerApi api, SignUpProof proof, CancellationToken ct)
    {
        using var identity = IdentityKeyPair.Generate(RandomSource.System);
        var profileKey = RandomNumberGenerator.GetBytes(ProfileKeySize);
        await AddAsync(options, api, identity, profileKey, NewRegistrationId(), ByteString.Empty, device => api.SendAsync<Register, Session>(
            HttpMethod.Post,
            "/v1/auth/register",
            accessToken: null,
            new Register(identity.PublicKey.Serialize(), device, proof.Challenge, proof.Code, proof.InviteCode, proof.Lock),
            ct), ct);
    }

    /// <summary>Adds this device to an account whose primary gave it a code and the account's secrets.</summary>
    public static async Task LinkAsync(ChatOptions options, ServerApi api, int registrationId, LinkSecrets secrets, CancellationToken ct)
    {
        using var identity = IdentityKeyPair.Parse(secrets.IdentityKeyPair.Span);
        await AddAsync(options, api, identity, secrets.ProfileKey.ToByteArray(), registrationId, secrets.DeviceList, device =>
            api.SendAsync<LinkDevice, Session>(
                HttpMethod.Post, "/v1/devices/link", accessToken: null, new LinkDevice(secrets.Code, device), ct), ct);
    }

    /// <summary>A random registration id, which tells two devices of one number apart.</summary>
    public static int NewRegistrationId() => RandomNumberGenerator.GetInt32(1, MaxRegistrationId + 1);

    private static async Task AddAsync(
        ChatOptions options,
        ServerApi api,
        IdentityKeyPair identity,
        byte[] profileKey,
        int registrationId,
        ByteString deviceList,
        Func<NewDevice, Task<Session>> add,
        CancellationToken ct)
    {
        var rows = new StoreTransaction(options.Store);
        if (await rows.ReadAsync(Tables.Self, Tables.Only, ct) is not null)
        {
            throw new InvalidOperationException("The store holds a device already. Open it, or use an empty store.");
        }

        var now = options.Time.GetUtcNow();
        var self = new SelfRecord
        {
            RegistrationId = (uint)registrationId,
            IdentityKeyPair = ByteString.CopyFrom(identity.Serialize()),
            ProfileKey = ByteString.CopyFrom(profileKey),
            NextKeyId = (uint)RandomNumberGenerator.GetInt32(1, Limits.MaxKeyId / 2),
            Stream = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        };
        var (signed, lastResort) = PreKeys.MakeSigned(rows, self, identity, now);
        var oneTime = PreKeys.MakeOneTime(rows, self, identity, now, options.OneTimeKeys);
        var session = await add(new NewDevice((int)self.RegistrationId, signed, lastResort));

        self.Account = session.Account.ToBytes();
        self.Device = (uint)session.Device;
        rows.Put(Tables.Self, Tables.Only, self);
        rows.Put(Tables.Credentials, Tables.Only, Credentials.Of(session, now));
        Contacts.Put(rows, new ContactRecord
        {
            Account = self.Account,
            Accepted = true,
            IdentityKey = ByteString.CopyFrom(identity.PublicKey.Serialize()),
            DeviceList = deviceList,
        });
        await rows.CommitAsync(CancellationToken.None);

        // Sessions can be made without one-time keys: when this fails the next connection publishes them.
        await api.CallAsync(HttpMethod.Put, "/v1/keys", session.AccessToken, oneTime, ct);
        await MarkPublishedAsync(options, ct);
    }

    private static async Task MarkPublishedAsync(ChatOptions options, CancellationToken ct)
    {
        var rows = new StoreTransaction(options.Store);
        var self = await rows.ReadAsync(Tables.Self, Tables.Only, ct) ?? throw new LocalStoreException("The device is gone from its store.");
        self.KeysRefilled = options.Time.GetUtcNow().Milliseconds();
        rows.Put(Tables.Self, Tables.Only, self);
        await rows.CommitAsync(ct);
    }
}
