using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Keys;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;
using SecureChat.Signal.Sessions;
using DeviceMessage = SecureChat.Protocol.Messages.DeviceMessage;

namespace SecureChat.Client.Messages;

/// <summary>How a content is handed to the server.</summary>
/// <param name="Urgent">Worth waking a sleeping device for.</param>
/// <param name="Ephemeral">For connected devices alone.</param>
/// <param name="ExpiresIn">Seconds; null: the server's life.</param>
/// <param name="Identity">The only identity key that it may be encrypted for; null: the one that is trusted.</param>
/// <param name="Request">Sent instead of the content, and outside of a session: a request to send again (docs/protocol/retries.md).</param>
internal sealed record Handing(
    bool Urgent = false, bool Ephemeral = false, int? ExpiresIn = null, ByteString? Identity = null, ByteString? Request = null);

/// <summary>What became of a try to hand a content to the server.</summary>
internal enum Handed
{
    /// <summary>The server has it, for every device of the recipient.</summary>
    Accepted,

    /// <summary>Not now: no network, a limit, a full queue.</summary>
    Later,

    /// <summary>The recipient's identity changed, and the person has to agree first.</summary>
    AwaitsApproval,

    /// <summary>There is no such account (any more), or it has no other device.</summary>
    Nobody,
}

/// <summary>
/// Encrypts a content for every device of an account, seals it, and hands it to the server: without a name where the recipient gave the
/// right, else by name. Finds out by itself which devices there are. Spec: docs/protocol/messages.md#sending.
/// </summary>
internal sealed class Delivery(Device device)
{
    /// <summary>Each round learns of a device, a new session or a refused right; a server that goes on asking is not humoured.</summary>
    private const int MaxRounds = 6;

    /// <summary>Hands over a content; when the server says so, with the time to wait in <see cref="RetryAfter"/>.</summary>
    public async Task<Handed> HandAsync(Guid account, Content content, Handing handing, CancellationToken ct)
    {
        RetryAfter = null;
        try
        {
            return await HandInRoundsAsync(account, content, handing, ct);
        }
        catch (HttpRequestException)
        {
            return Handed.Later;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // HttpClient's own time-out.
            return Handed.Later;
        }
        catch (ServerException refused) when (refused.Code is "not_found" or "send_refused")
        {
            return Handed.Nobody;
        }
        catch (ServerException refused) when (refused.Status is 429 or >= 500 || refused.Code is "unexpected")
        {
            RetryAfter = refused.RetryAfter;
            return Handed.Later;
        }
    }

    /// <summary>After <see cref="Handed.Later"/>: how long the server asked to wait, if it did.</summary>
    public TimeSpan? RetryAfter { get; private set; }

    private async Task<Handed> HandInRoundsAsync(Guid account, Content content, Handing handing, CancellationToken ct)
    {
        var certificate = await device.CertificateAsync(ct);
        for (var round = 0; round < MaxRounds; round++)
        {
            var parcel = await device.Turns.RunAsync(rows => EncryptAsync(rows, account, content, certificate, handing, ct), ct);
            if (parcel.Outcome is { } outcome)
            {
                return outcome;
            }

            if (parcel.NeedsAllKeys || parcel.NeedsKeys.Count > 0)
            {
                if (await StartSessionsAsync(account, parcel, ct) is { } prevented)
                {
                    return prevented;
                }

                continue;
            }

            try
            {
                await PostAsync(account, content.Timestamp, parcel, handing, ct);
                return Handed.Accepted;
            }
            catch (ServerException refused) when (refused.Code is "mismatched_devices" or "stale_devices")
            {
                await device.Turns.RunAsync(rows => TakeInAsync(rows, account, refused.Mismatches, ct), ct);
            }
            catch (ServerException refused) when (refused.Code is "send_refused" && parcel.Right is not null)
            {
                await device.Turns.RunAsync(rows => RefusedRightAsync(rows, account, ct), ct);
            }
        }

        return Handed.Later;
    }

    private async Task<Parcel> EncryptAsync(
        StoreTransaction rows, Guid account, Content content, SenderCertificate? certificate, Handing handing, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        if (contact.ApprovalNeeded || (handing.Identity is { } identity && !contact.IdentityKey.IsEmpty && contact.IdentityKey != identity))
        {
            return new Parcel { Outcome = Handed.AwaitsApproval };
        }

        if (contact.Devices.Count == 0)
        {
            return account == device.Account ? new Parcel { Outcome = Handed.Nobody } : new Parcel { NeedsAllKeys = true };
        }

        var parcel = new Parcel();
        var cipher = device.Cipher(rows, out var stores);
        foreach (var target in contact.Devices)
        {
            var address = Device.AddressOf(account, (int)target.Device);
            using var session = await stores.LoadAsync(address, ct);
            if (session is null || !session.CanSend(device.Now) || !DeviceLists.Lists(contact, (int)target.Device)
                || !session.RemoteIdentity!.Serialize().AsSpan().SequenceEqual(contact.IdentityKey.Span)
                || await stores.IsIdleAsync(address, ct))
            {
                parcel.NeedsKeys.Add((int)target.Device);
            }
        }

        if (parcel.NeedsKeys.Count > 0)
        {
            return parcel;
        }

        var seals = certificate is not null && !contact.ProfileKey.IsEmpty && !contact.RightRefused;
        parcel.Right = seals ? Device.AccessKeyOf(contact.ProfileKey.Span) : null;

        // Whoever hears from a linked device for the first time must be able to see that it is one.
        if (content.Order is not null || device.Id != 1)
        {
            content.DeviceList = (await Contacts.GetAsync(rows, device.Account, ct)).DeviceList;
        }

        var padded = ContentPadding.Pad(content);
        foreach (var target in contact.Devices)
        {
            var address = Device.AddressOf(account, (int)target.Device);
            using var session = await stores.LoadAsync(address, ct);
            var message = handing.Request is { } request
                ? new SessionMessage(CiphertextType.PlaintextContent, request.Memory)
                : await cipher.EncryptAsync(address, padded, device.Now, ct);
            parcel.Devices.Add(ToDevice((int)target.Device, (int)session!.RemoteRegistrationId!, message, certificate, contact, content));
        }

        return parcel;
    }

    private DeviceMessage ToDevice(
        int id, int registrationId, SessionMessage message, SenderCertificate? certificate, ContactRecord contact, Content content)
    {
        if (certificate is null)
        {
            return new DeviceMessage(id, registrationId, (int)message.Type, message.Serialized.ToArray());
        }

        var hint = content.Order is null ? ContentHint.Implicit : ContentHint.Resendable;
        var envelope = SealedEnvelope.Seal(
            new SealedContent(message.Type, certificate, message.Serialized, hint),
            PublicKey.Parse(contact.IdentityKey.Span),
            device.Identity.PrivateKey,
            RandomSource.System);
        return new DeviceMessage(id, registrationId, (int)ContentType.Sealed, envelope);
    }

    private async Task PostAsync(Guid account, ulong timestamp, Parcel parcel, Handing handing, CancellationToken ct)
    {
        if (parcel.Right is { } right)
        {
            var message = new SealedMessage(
                Ids.New(), account, parcel.Devices, (long)timestamp, right, handing.ExpiresIn, handing.Urgent, handing.Ephemeral);
            await device.Api.CallAsync(HttpMethod.Post, "/v1/sealed/messages", accessToken: null, message, ct);
            return;
        }

        var named = new SendMessage(
            Ids.New(), [new MessageRecipient(account, parcel.Devices)], (long)timestamp, handing.ExpiresIn, handing.Urgent, handing.Ephemeral);
        await device.Credentials.WithTokenAsync(
            async token =>
            {
                await device.Api.CallAsync(HttpMethod.Post, "/v1/messages", token, named, ct);
                return true;
            },
            ct);
    }

    /// <summary>Fetches keys and starts sessions.</summary>
    /// <returns>What prevented it; null: nothing.</returns>
    private async Task<Handed?> StartSessionsAsync(Guid account, Parcel parcel, CancellationToken ct)
    {
        var bundles = new List<KeyBundles>();
        foreach (int? id in parcel.NeedsAllKeys ? [null] : parcel.NeedsKeys.Select(id => (int?)id))
        {
            // Without a name: who is about to be written to is nobody's business.
            bundles.Add(await device.Api.SendAsync<FetchKeys, KeyBundles>(
                HttpMethod.Post, "/v1/keys/fetch", accessToken: null, new FetchKeys(account, id), ct));
        }

        return await device.Turns.RunAsync(rows => StartAsync(rows, account, bundles, ct), ct);
    }

    private async Task<Handed?> StartAsync(StoreTransaction rows, Guid account, List<KeyBundles> bundles, CancellationToken ct)
    {
        var cipher = device.Cipher(rows, out var stores);
        foreach (var bundle in bundles)
        {
            if (await IsForeignAsync(rows, account, bundle, ct))
            {
                return Handed.Later;
            }

            var identity = PublicKey.Parse(bundle.IdentityKey);
            foreach (var keys in bundle.Devices.Where(keys => account != device.Account || keys.Device != device.Id))
            {
                var address = Device.AddressOf(account, keys.Device);
                try
                {
                    await cipher.StartAsync(address, ToBundle(identity, keys).Verify(), device.Now, ct);
                }
                catch (SignalException untrusted) when (untrusted.Error == SignalError.UntrustedIdentity)
                {
                    await stores.SaveAsync(address, identity, ct);
                    return Handed.AwaitsApproval;
                }

                await AddDeviceAsync(rows, account, keys.Device, keys.RegistrationId, ct);
            }
        }

        return null;
    }

    /// <summary>Whether the server named a device that is not the account's: then nothing is encrypted for any of those that it named.</summary>
    private async Task<bool> IsForeignAsync(StoreTransaction rows, Guid account, KeyBundles bundle, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        var fault = DeviceLists.Check(contact, bundle);
        if (fault is not null)
        {
            foreach (var foreign in contact.Devices.Where(known => !DeviceLists.Lists(contact, (int)known.Device)).ToList())
            {
                contact.Devices.Remove(foreign);
            }
        }

        DeviceLists.Tell(rows, device.Events, contact, fault);
        return fault is not null;
    }

    private static async Task AddDeviceAsync(StoreTransaction rows, Guid account, int id, int registrationId, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        Remove(contact, id);
        contact.Devices.Add(new ContactDevice { Device = (uint)id, RegistrationId = (uint)registrationId });
        Contacts.Put(rows, contact);
    }

    /// <summary>The server has said which devices there are.</summary>
    public async Task TakeInAsync(
        StoreTransaction rows, Guid account, IReadOnlyList<RecipientMismatch> mismatches, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        device.Cipher(rows, out var stores);
        foreach (var mismatch in mismatches.Where(mismatch => mismatch.Account == account))
        {
            foreach (var missing in mismatch.Missing)
            {
                Remove(contact, missing);
                contact.Devices.Add(new ContactDevice { Device = (uint)missing });
            }

            foreach (var extra in mismatch.Extra)
            {
                Remove(contact, extra);
                await ArchiveAsync(stores, account, extra, ct);
            }

            foreach (var stale in mismatch.Stale)
            {
                await ArchiveAsync(stores, account, stale, ct);
            }
        }

        Contacts.Put(rows, contact);
    }

    /// <summary>Ends the session with a device: the next message starts another, and what is on its way still arrives.</summary>
    public static async Task ArchiveAsync(SignalStores stores, Guid account, int id, CancellationToken ct)
    {
        var address = Device.AddressOf(account, id);
        using var session = await stores.LoadAsync(address, ct);
        if (session is not null)
        {
            await stores.StoreAsync(address, session.ArchiveCurrent(), ct);
        }
    }

    private static async Task RefusedRightAsync(StoreTransaction rows, Guid account, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        contact.RightRefused = true;
        Contacts.Put(rows, contact);
    }

    private static void Remove(ContactRecord contact, int id)
    {
        if (contact.Devices.FirstOrDefault(known => known.Device == (uint)id) is { } known)
        {
            contact.Devices.Remove(known);
        }
    }

    private static PreKeyBundle ToBundle(PublicKey identity, DeviceKeys keys) => new()
    {
        RegistrationId = (uint)keys.RegistrationId,
        IdentityKey = identity,
        SignedPreKey = new PublishedPreKey((uint)keys.SignedPreKey.KeyId, PublicKey.Parse(keys.SignedPreKey.Key)),
        SignedPreKeySignature = keys.SignedPreKey.Signature,
        OneTimePreKey = keys.OneTimeKey is { } oneTime
            ? new PublishedPreKey((uint)oneTime.KeyId, PublicKey.Parse(oneTime.Key))
            : null,
        KyberPreKeyId = (uint)keys.KyberKey.KeyId,
        KyberPreKey = KyberPublicKey.Parse(keys.KyberKey.Key),
        KyberPreKeySignature = keys.KyberKey.Signature,
    };

    /// <summary>What one round made: something to post, or what is missing for it.</summary>
    private sealed class Parcel
    {
        public Handed? Outcome { get; init; }

        public bool NeedsAllKeys { get; init; }

        public List<int> NeedsKeys { get; } = [];

        public List<DeviceMessage> Devices { get; } = [];

        public byte[]? Right { get; set; }
    }
}
