using System.Net.Http.Headers;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;
using SecureChat.Signal.SealedSender;

namespace SecureChat.Client.Groups;

/// <summary>
/// Hands a content to the members of a group: encrypted once under this device's sender key and sealed for all of them in one request;
/// in its session to whoever gave no right to send sealed. Spec: docs/protocol/groups.md#messages.
/// </summary>
internal sealed class GroupFanOut(Device device, Delivery delivery)
{
    private const int MaxRounds = 5;

    /// <summary>Sends a content to the members that it is due for; answers what became of it for each.</summary>
    public async Task<IReadOnlyDictionary<ByteString, Handed>> SendAsync(GroupLot lot, CancellationToken ct)
    {
        var results = new Dictionary<ByteString, Handed>();
        await IntroduceAsync(lot.Conversation, device.Account.ToBytes(), again: false, ct);
        foreach (var again in lot.Recipients.Where(recipient => recipient.Accepted > 0))
        {
            // It may be the sender key that was lost.
            var introduced = await IntroduceAsync(lot.Conversation, again.Account, again: true, ct);
            results[again.Account] = introduced == Handed.Accepted ? await HandAsync(lot, again.Account, ct) : introduced;
        }

        await SendOnceAsync(lot, [.. lot.Recipients.Where(recipient => recipient.Accepted == 0).Select(recipient => recipient.Account)], results, ct);
        return results;
    }

    /// <summary>Tells an account that there is a newer version, and not how to read it.</summary>
    public async Task TellAsync(Guid conversation, Guid account, CancellationToken ct)
    {
        var content = await device.Turns.RunAsync(
            async rows =>
            {
                var record = await GroupRecords.FindAsync(rows, conversation, ct);
                return record?.Newest() is { } newest
                    ? await device.NewContentAsync(
                        rows,
                        made => (made.Group, made.GroupUpdate) = (record.Group, new GroupUpdate { Version = newest.State.Version, Hash = newest.Hash }),
                        ct)
                    : null;
            },
            ct);
        if (content is not null)
        {
            await delivery.HandAsync(account, content, new Handing(), ct);
        }
    }

    private async Task SendOnceAsync(
        GroupLot lot, List<ByteString> accounts, Dictionary<ByteString, Handed> results, CancellationToken ct)
    {
        var certificate = accounts.Count > 0 ? await CertificateAsync(ct) : null;
        var isRefused = false;
        for (var round = 0; round < MaxRounds && accounts.Any(account => !results.ContainsKey(account)); round++)
        {
            foreach (var account in accounts.Where(account => !results.ContainsKey(account)).ToList())
            {
                if (await IntroduceAsync(lot.Conversation, account, again: false, ct) is not Handed.Accepted and var handed)
                {
                    results[account] = handed;
                }
            }

            List<ByteString> waiting = [.. accounts.Where(account => !results.ContainsKey(account))];
            var parcel = isRefused || certificate is null
                ? null
                : await device.Turns.RunAsync(rows => SealAsync(rows, lot, waiting, certificate, ct), ct);
            if (parcel is null)
            {
                break;
            }

            if (await PostAsync(lot, parcel, ct) is { } outcome)
            {
                foreach (var account in parcel.Accounts)
                {
                    results[account] = outcome;
                }

                break;
            }

            isRefused = parcel.IsRefused;
        }

        // By session: who gave no right, and all of them when one right was wrong, because the server does not say whose.
        foreach (var account in accounts.Where(account => !results.ContainsKey(account)).ToList())
        {
            results[account] = await HandAsync(lot, account, ct);
        }
    }

    private async Task<SenderCertificate?> CertificateAsync(CancellationToken ct)
    {
        try
        {
            return await device.CertificateAsync(ct);
        }
        catch (Exception e) when (e is HttpRequestException or ServerException)
        {
            return null;
        }
    }

    private async Task<Handed> HandAsync(GroupLot lot, ByteString account, CancellationToken ct)
    {
        var identity = await device.Turns.RunAsync(
            async rows => await GroupRecords.FindAsync(rows, lot.Conversation, ct) is { } record ? IdentityOf(record, account) : null, ct);
        return identity is null
            ? Handed.Nobody
            : await delivery.HandAsync(account.ToGuid(), lot.Content.Clone(), new Handing(IsUrgent(lot.Content), Identity: identity), ct);
    }

    /// <summary>Gives a member the secret, the version and this device's sender key, in its session, unless all of its devices have them.</summary>
    private async Task<Handed> IntroduceAsync(Guid conversation, ByteString account, bool again, CancellationToken ct)
    {
        var (content, record) = await device.Turns.RunAsync(rows => MakeIntroductionAsync(rows, conversation, account, again, ct), ct);
        if (content is null)
        {
            return record is null ? Handed.Nobody : Handed.Accepted;
        }

        var handed = await delivery.HandAsync(account.ToGuid(), content, new Handing(Identity: IdentityOf(record!, account)), ct);
        await device.Turns.RunAsync(rows => RecordAsync(rows, conversation, account, record!.Distribution, handed, ct), ct);
        return handed;
    }

    private async Task<(Content? Content, GroupRecord? Record)> MakeIntroductionAsync(
        StoreTransaction rows, Guid conversation, ByteString account, bool again, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, conversation, ct) is not { } record || record.IsLeft || IdentityOf(record, account) is null)
        {
            return (null, null);
        }

        var contact = await Contacts.GetAsync(rows, account.ToGuid(), ct);
        var isOwn = account == device.Account.ToBytes();
        if (isOwn ? contact.Devices.Count == 0 || IsIntroduced(record, contact) : !again && IsIntroduced(record, contact))
        {
            return (null, record);
        }

        if (record.Distribution.IsEmpty)
        {
            record.Distribution = Ids.New().ToBytes();
            GroupRecords.Put(rows, record);
        }

        var newest = record.Newest()!;
        var key = await new SenderKeys(rows).DistributeAsync(device.Local.Address, record.Group, record.Distribution.ToGuid(), ct);
        var update = new GroupUpdate { Secret = record.Secret, Version = newest.State.Version, Hash = newest.Hash };
        var content = await device.NewContentAsync(
            rows,
            made =>
            {
                (made.Group, made.SenderKey, made.GroupUpdate) = (record.Group, key, update);
                made.ProfileKey = ByteString.CopyFrom(device.ProfileKey);
            },
            ct);
        return (content, record);
    }

    private async Task RecordAsync(
        StoreTransaction rows, Guid conversation, ByteString account, ByteString distribution, Handed handed, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, conversation, ct) is not { } record || record.Distribution != distribution)
        {
            return;
        }

        var contact = await Contacts.GetAsync(rows, account.ToGuid(), ct);
        if (handed == Handed.Accepted)
        {
            Forget(record, account);
            record.Introduced.AddRange(contact.Devices.Select(known => new GroupDevice { Account = account, Device = known.Device }));
            GroupRecords.Put(rows, record);
        }
        else if (handed == Handed.AwaitsApproval && contact.IdentityKey != IdentityOf(record, account))
        {
            GroupStates.Tell(rows, device, conversation, GroupFault.OtherIdentity, account);
        }
    }

    /// <summary>One sealed message for all who gave the right to it; null: none did.</summary>
    private async Task<GroupParcel?> SealAsync(
        StoreTransaction rows, GroupLot lot, IReadOnlyList<ByteString> accounts, SenderCertificate certificate, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, lot.Conversation, ct) is not { Distribution.IsEmpty: false } record)
        {
            return null;
        }

        device.Cipher(rows, out var stores);
        var parcel = new GroupParcel();
        var recipients = new List<MultiRecipient>();
        foreach (var account in accounts)
        {
            var contact = await Contacts.GetAsync(rows, account.ToGuid(), ct);
            if (contact.ProfileKey.IsEmpty || contact.RightRefused || contact.ApprovalNeeded || !IsIntroduced(record, contact)
                || contact.IdentityKey != IdentityOf(record, account))
            {
                continue;
            }

            var devices = new List<RecipientDevice>();
            foreach (var target in contact.Devices)
            {
                using var session = await stores.LoadAsync(Device.AddressOf(account.ToGuid(), (int)target.Device), ct);
                devices.Add(new RecipientDevice((int)target.Device, (int)(session?.RemoteRegistrationId ?? target.RegistrationId)));
            }

            recipients.Add(new MultiRecipient(
                ServiceId.OfAccount(account.ToGuid()), PublicKey.Parse(contact.IdentityKey.Span), devices));
            parcel.Accounts.Add(account);
            parcel.Rights.Add(ByteString.CopyFrom(Device.AccessKeyOf(contact.ProfileKey.Span)));
        }

        if (recipients.Count == 0)
        {
            return null;
        }

        var padded = ContentPadding.Pad(lot.Content);
        var message = await new SenderKeys(rows).EncryptAsync(device.Local.Address, record.Distribution.ToGuid(), padded, ct);
        var content = new SealedContent(CiphertextType.SenderKeyMessage, certificate, message, ContentHint.Resendable);
        parcel.Message = MultiRecipientMessage.Seal(content, recipients, [], device.Identity.PrivateKey, RandomSource.System);
        return parcel;
    }

    /// <summary>Posts a parcel; null: the devices or the rights are others than known, and there is something to do first.</summary>
    private async Task<Handed?> PostAsync(GroupLot lot, GroupParcel parcel, CancellationToken ct)
    {
        var many = new SealedMany
        {
            Id = Ids.New().ToBytes(),
            Message = ByteString.CopyFrom(parcel.Message),
            Rights = { parcel.Rights },
            Timestamp = lot.Content.Timestamp,
            Urgent = IsUrgent(lot.Content),
        }.ToByteArray();
        try
        {
            using var answer = await device.Api.SendAsync(() => MakeRequest(many), accessToken: null, ct);
            return Handed.Accepted;
        }
        catch (ServerException refused) when (refused.Code is "mismatched_devices" or "stale_devices")
        {
            await device.Turns.RunAsync(rows => TakeInAsync(rows, lot.Conversation, refused, ct), ct);
            return null;
        }
        catch (ServerException refused) when (refused.Code is "send_refused")
        {
            parcel.IsRefused = true;
            return null;
        }
        catch (Exception e) when (e is ServerException or HttpRequestException)
        {
            return Handed.Later;
        }
    }

    private static HttpRequestMessage MakeRequest(byte[] many)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/sealed/many") { Content = new ByteArrayContent(many) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        return request;
    }

    private async Task TakeInAsync(StoreTransaction rows, Guid conversation, ServerException refused, CancellationToken ct)
    {
        var record = await GroupRecords.FindAsync(rows, conversation, ct);
        foreach (var account in refused.Mismatches.Select(mismatch => mismatch.Account).Distinct())
        {
            await delivery.TakeInAsync(rows, account, refused.Mismatches, ct);
            if (record is not null)
            {
                Forget(record, account.ToBytes());
                GroupRecords.Put(rows, record);
            }
        }
    }

    private static bool IsUrgent(Content content) =>
        content.BodyCase is Content.BodyOneofCase.Text or Content.BodyOneofCase.Media;

    private static ByteString? IdentityOf(GroupRecord record, ByteString account) =>
        record.Newest() is { } newest ? GroupRules.MemberOf(newest.State, account)?.IdentityKey : null;

    private static bool IsIntroduced(GroupRecord record, ContactRecord contact) =>
        contact.Devices.Count > 0 && contact.Devices.All(known => record.Introduced.Any(
            introduced => introduced.Account == contact.Account && introduced.Device == known.Device));

    private static void Forget(GroupRecord record, ByteString account)
    {
        foreach (var device in record.Introduced.Where(device => device.Account == account).ToList())
        {
            record.Introduced.Remove(device);
        }
    }

    /// <summary>One request to all who gave the right to send sealed.</summary>
    private sealed class GroupParcel
    {
        public List<ByteString> Accounts { get; } = [];

        public List<ByteString> Rights { get; } = [];

        public byte[] Message { get; set; } = [];

        /// <summary>One of the rights is wrong, and the server does not say which.</summary>
        public bool IsRefused { get; set; }
    }
}
