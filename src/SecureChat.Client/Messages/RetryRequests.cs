using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Keys;
using SecureChat.Signal.Retries;
using SecureChat.Signal.SealedSender;
using DeviceMessage = SecureChat.Protocol.Messages.DeviceMessage;

namespace SecureChat.Client.Messages;

/// <summary>"Send that again": what a device asks when it cannot read a message. Spec: docs/protocol/retries.md.</summary>
/// <remarks>To contacts alone: an answer to a stranger would tell that the device is on.</remarks>
internal sealed class RetryRequests(Device device)
{
    /// <summary>Requests that wait to be sent; more are not asked.</summary>
    private const int MaxWaiting = 100;

    /// <summary>Keeps a request, to be sent when the transaction is done.</summary>
    public async Task AskAsync(StoreTransaction rows, Opened opened, ulong timestamp, CancellationToken ct)
    {
        var contact = await Contacts.FindAsync(rows, opened.Sender, ct);
        if (contact is not { Accepted: true } || opened.Hint == ContentHint.Implicit)
        {
            return;
        }

        byte[] request;
        try
        {
            request = PlaintextContent.Serialize(
                DecryptionErrorMessage.ForOriginal(opened.Message.Span, opened.Type, timestamp, opened.Device));
        }
        catch (SignalException)
        {
            // Not even a message: nobody who keeps to the protocol sent it.
            return;
        }

        if ((await rows.ListAsync(Tables.RetryRequests, ct)).Count < MaxWaiting)
        {
            rows.Put(Tables.RetryRequests, $"{Tables.Hex(contact.Account)}/{timestamp}", new RetryRecord
            {
                Account = contact.Account,
                Timestamp = timestamp,
                Request = ByteString.CopyFrom(request),
            });
            rows.Afterwards(device.Wake);
        }
    }

    /// <summary>Sends what waits; each once, because the sender sends again by itself in the end.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        foreach (var (name, record) in await device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.RetryRequests, ct), ct))
        {
            try
            {
                await SendAsync(record, ct);
            }
            catch (Exception e) when (e is HttpRequestException or Connection.ServerException)
            {
                // Later, or never: the sender's outbox does not depend on it.
            }

            await device.Turns.RunAsync(
                rows =>
                {
                    rows.Remove(Tables.RetryRequests, name);
                    return Task.CompletedTask;
                },
                ct);
        }
    }

    private async Task SendAsync(RetryRecord record, CancellationToken ct)
    {
        var account = record.Account.ToGuid();
        var contact = await device.Turns.RunAsync(rows => Contacts.GetAsync(rows, account, ct).AsTask(), ct);
        var certificate = await device.CertificateAsync(ct);
        var seals = certificate is not null && !contact.ProfileKey.IsEmpty && !contact.RightRefused;
        var devices = new List<DeviceMessage>();
        foreach (var target in contact.Devices)
        {
            var content = seals ? Seal(record, contact, certificate!) : record.Request.ToByteArray();
            devices.Add(new DeviceMessage(
                (int)target.Device, await RegistrationIdAsync(account, target, ct), (int)(seals ? ContentType.Sealed : ContentType.Plaintext), content));
        }

        var now = device.Now.ToUnixTimeMilliseconds();
        if (seals)
        {
            await device.Api.CallAsync(HttpMethod.Post, "/v1/sealed/messages", accessToken: null, new SealedMessage(
                Ids.New(), account, devices, now, Device.AccessKeyOf(contact.ProfileKey.Span)), ct);
            return;
        }

        var named = new SendMessage(Ids.New(), [new MessageRecipient(account, devices)], now);
        await device.Credentials.WithTokenAsync(
            async token =>
            {
                await device.Api.CallAsync(HttpMethod.Post, "/v1/messages", token, named, ct);
                return true;
            },
            ct);
    }

    private byte[] Seal(RetryRecord record, ContactRecord contact, SenderCertificate certificate) => SealedEnvelope.Seal(
        new SealedContent(CiphertextType.PlaintextContent, certificate, record.Request.Memory, ContentHint.Implicit),
        PublicKey.Parse(contact.IdentityKey.Span),
        device.Identity.PrivateKey,
        RandomSource.System);

    private Task<int> RegistrationIdAsync(Guid account, ContactDevice target, CancellationToken ct) => device.Turns.RunAsync(
        async rows =>
        {
            device.Cipher(rows, out var stores);
            using var session = await stores.LoadAsync(Device.AddressOf(account, (int)target.Device), ct);
            return (int)(session?.RemoteRegistrationId ?? target.RegistrationId);
        },
        ct);
}
