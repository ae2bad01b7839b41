using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Keys;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
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

    private readonly SessionStarts _starts = new(device);

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
        catch (ServerException refused) when (refused.Code is "not_found" or "send_refused")
        {
            return Handed.Nobody;
        }
        catch (ServerException refused)
        {
            // One of ours has a reason that passes; another may say anything, and must not keep others waiting.
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
                if (await _starts.RunAsync(account, parcel.NeedsAllKeys ? null : parcel.NeedsKeys, ct) is { } prevented)
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
                Ids.New(), account, parcel.Devices, (long)Math.Min(timestamp, long.MaxValue), right, handing.ExpiresIn, handing.Urgent, handing.Ephemeral);
            await device.Api.CallAsync(HttpMethod.Post, "/v1/sealed/messages", accessToken: null, message, ct);
            return;
        }

        var named = new SendMessage(
            Ids.New(), [new MessageRecipient(account, parcel.Devices)], (long)Math.Min(timestamp, long.MaxValue), handing.ExpiresIn, handing.Urgent, handing.Ephemeral);
        await device.Credentials.WithTokenAsync(
            async token =>
            {
                await device.Api.CallAsync(HttpMethod.Post, "/v1/messages", token, named, ct);
                return true;
            },
            ct);
    }

    /// <summary>The server has said which devices there are.</summary>
    public async Task TakeInAsync(
        StoreTransaction rows, Guid account, IReadOnlyList<RecipientMismatch> mismatches, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        device.Cipher(rows, out var stores);
        foreach (var mismatch in mismatches.Where(mismatch => mismatch.Account == account))
        {
            foreach (var missing in mismatch.Missing.Where(IsDevice))
            {
                contact.Forget(missing);
                contact.Devices.Add(new ContactDevice { Device = (uint)missing });
            }

            foreach (var extra in mismatch.Extra.Where(IsDevice))
            {
                contact.Forget(extra);
                await ArchiveAsync(stores, account, extra, ct);
            }

            foreach (var stale in mismatch.Stale.Where(IsDevice))
            {
                await ArchiveAsync(stores, account, stale, ct);
            }
        }

        Contacts.Put(rows, contact);
    }

    private static bool IsDevice(int id) => id is >= 1 and <= Limits.MaxDeviceId;

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
