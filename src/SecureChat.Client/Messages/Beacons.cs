using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Messages;

/// <summary>
/// "I am back": after an absence in which the server may have forgotten something, contacts are told, so that they send it again at once.
/// Spec: docs/protocol/content.md#confirmation.
/// </summary>
internal sealed class Beacons(Device device, Delivery delivery)
{
    /// <summary>No server keeps anything for a shorter time than this, so nothing was forgotten in less.</summary>
    private static readonly TimeSpan Absence = TimeSpan.FromMinutes(30);

    private static readonly TimeSpan Seldom = TimeSpan.FromHours(1);
    private static readonly TimeSpan Spread = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMinutes(1);

    /// <summary>This device has just connected.</summary>
    public async Task ConnectedAsync(StoreTransaction rows, CancellationToken ct)
    {
        var self = await Device.SelfAsync(rows, ct);
        if (self.LastOnline != 0 && self.LastOnline.ToTime() + Absence <= device.Now)
        {
            await ReturnAsync(rows, ct);
        }

        await SeenAsync(rows, ct);
    }

    /// <summary>This device is connected, or was until now.</summary>
    public async Task SeenAsync(StoreTransaction rows, CancellationToken ct)
    {
        var self = await Device.SelfAsync(rows, ct);
        self.LastOnline = device.Now.Milliseconds();
        rows.Put(Tables.Self, Tables.Only, self);
    }

    /// <summary>Contacts are to be told, each after a random wait of its own, and at most once an hour.</summary>
    public async Task ReturnAsync(StoreTransaction rows, CancellationToken ct)
    {
        foreach (var (_, contact) in await rows.ListAsync(Tables.Contacts, ct))
        {
            if (contact is { Accepted: true, Blocked: false, SendsNoBeacon: false } && contact.Account.ToGuid() != device.Account
                && contact.LastBeacon.ToTime() + Seldom <= device.Now)
            {
                contact.BeaconDue = (device.Now + Jitter.Below(Spread)).Milliseconds();
                Contacts.Put(rows, contact);
            }
        }

        rows.Afterwards(device.Wake);
    }

    /// <summary>Sends those that are due.</summary>
    /// <returns>When the next one is; null: none.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        foreach (var contact in (await DueAsync(ct)).Where(contact => contact.BeaconDue.ToTime() <= device.Now))
        {
            var account = contact.Account.ToGuid();
            var content = await device.Turns.RunAsync(
                rows => device.NewContentAsync(
                    rows,
                    made => (made.Beacon, made.ProfileKey) = (new Beacon(), ByteString.CopyFrom(device.ProfileKey)),
                    ct),
                ct);
            var handed = await delivery.HandAsync(account, content, new Handing(), ct);
            await device.Turns.RunAsync(rows => RecordAsync(rows, account, handed, ct), ct);
        }

        var left = await DueAsync(ct);
        return left.Count == 0 ? null : left.Min(contact => contact.BeaconDue).ToTime();
    }

    private async Task RecordAsync(StoreTransaction rows, Guid account, Handed handed, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        if (handed == Handed.Later)
        {
            contact.BeaconDue = (device.Now + Jitter.Of(delivery.RetryAfter ?? PauseAfterFailure)).Milliseconds();
        }
        else
        {
            (contact.BeaconDue, contact.LastBeacon) = (0, device.Now.Milliseconds());
        }

        Contacts.Put(rows, contact);
    }

    private async Task<IReadOnlyList<ContactRecord>> DueAsync(CancellationToken ct) => await device.Turns.RunAsync(
        async rows => (IReadOnlyList<ContactRecord>)[.. (await rows.ListAsync(Tables.Contacts, ct)).Select(row => row.Record).Where(contact => contact.BeaconDue != 0)],
        ct);
}
