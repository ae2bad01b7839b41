using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Protocol.Senders;
using SecureChat.Signal.Fingerprints;

namespace SecureChat.Client;

/// <summary>Other people: whom to hear from, and whether they are who they say.</summary>
public sealed partial class ChatClient
{
    /// <summary>Agrees to hear from an account: it gets receipts, and the right to send sealed. Writing to somebody agrees too.</summary>
    public async Task AcceptAsync(Guid account, CancellationToken ct)
    {
        await _device.Turns.RunAsync(
            async rows =>
            {
                await AgreeAsync(rows, account, ct);
                await SyncAsync(rows, new SyncMessage { Contact = new ContactUpdate { Account = account.ToBytes(), Accepted = true } }, ct);
            },
            ct);
        _housekeeping.Wake();
    }

    /// <summary>Everybody whom this device knows of, by name; those without one come last.</summary>
    public Task<IReadOnlyList<Contact>> ContactsAsync(CancellationToken ct) => _device.Turns.RunAsync(
        async rows => (IReadOnlyList<Contact>)[.. (await rows.ListAsync(Tables.Contacts, ct))
            .Select(row => Contact.Of(row.Record))
            .Where(contact => contact.Account != Account)
            .OrderBy(contact => contact.Name.Length == 0).ThenBy(contact => contact.Name, StringComparer.Ordinal)],
        ct);

    /// <summary>What the person calls an account, on their own devices alone; empty: nothing any more.</summary>
    /// <exception cref="ArgumentException">It is longer than 100 characters.</exception>
    public async Task SetNameAsync(Guid account, string name, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length > Contact.MaxName)
        {
            throw new ArgumentException("A name has at most 100 characters.", nameof(name));
        }

        await _device.Turns.RunAsync(
            async rows =>
            {
                await ChangeContactAsync(rows, account, contact => contact.Name = name, ct);
                await SyncAsync(rows, new SyncMessage { Contact = new ContactUpdate { Account = account.ToBytes(), Name = name } }, ct);
            },
            ct);
        _housekeeping.Wake();
    }

    /// <summary>Drops what an account sends, and has the server refuse what it sends under its name; or hears it again.</summary>
    /// <exception cref="Connection.ServerException">The server refused; here it is blocked or not, as asked.</exception>
    public async Task BlockAsync(Guid account, bool blocked, CancellationToken ct)
    {
        await _device.Turns.RunAsync(rows => ChangeContactAsync(rows, account, contact => contact.Blocked = blocked, ct), ct);
        await _device.Credentials.WithTokenAsync(
            async token =>
            {
                await _api.CallAsync(HttpMethod.Put, "/v1/senders/blocks", token, new BlockSender(account, blocked), ct);
                return true;
            },
            ct);
    }

    /// <summary>Whether an account is told when this device is back after an absence (at first it is): what it kept then comes sooner.</summary>
    public Task SetBeaconAsync(Guid account, bool sends, CancellationToken ct) =>
        _device.Turns.RunAsync(rows => ChangeContactAsync(rows, account, contact => contact.SendsNoBeacon = !sends, ct), ct);

    /// <summary>The safety number shared with an account: compare it face to face. Null while its identity is not known.</summary>
    public Task<Fingerprint?> SafetyNumberAsync(Guid account, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => await Contacts.FindAsync(rows, account, ct) is { IdentityKey.IsEmpty: false } contact
            ? Fingerprint.Create(
                Account.ToByteArray(bigEndian: true), _device.Identity.PublicKey.Serialize(), contact.Account.Span, contact.IdentityKey.Span)
            : null,
        ct);

    /// <summary>Whether the person has compared the safety number. It ends when the identity changes.</summary>
    public Task<bool> IsVerifiedAsync(Guid account, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => await Contacts.FindAsync(rows, account, ct) is { Verified: true }, ct);

    /// <summary>The person has compared the safety number, or takes that back.</summary>
    public Task SetVerifiedAsync(Guid account, bool verified, CancellationToken ct) =>
        _device.Turns.RunAsync(rows => ChangeContactAsync(rows, account, contact => contact.Verified = verified, ct), ct);

    /// <summary>The person agrees to an account's new identity: what waits for it is sent.</summary>
    public async Task ApproveIdentityAsync(Guid account, CancellationToken ct)
    {
        await _device.Turns.RunAsync(
            async rows =>
            {
                await ChangeContactAsync(rows, account, contact => contact.ApprovalNeeded = false, ct);
                await _outbox.ResumeAsync(rows, account, ct);
            },
            ct);
        await _housekeeping.SendAsync(ct);
    }

    /// <summary>From now on the account is a contact: what it sent before is confirmed too.</summary>
    private async Task AgreeAsync(StoreTransaction rows, Guid account, CancellationToken ct)
    {
        if ((await Contacts.GetAsync(rows, account, ct)).Accepted)
        {
            return;
        }

        await ChangeContactAsync(rows, account, contact => contact.Accepted = true, ct);
        foreach (var (_, message) in await rows.ListAsync(Tables.Messages(account.ToBytes()), ct))
        {
            if (message.Sender.ToGuid() == account)
            {
                await _receipts.DeliveredAsync(rows, account, message.Id, silent: false, inGroup: false, again: false, ct);
            }
        }
    }

    private static async Task ChangeContactAsync(StoreTransaction rows, Guid account, Action<ContactRecord> change, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        change(contact);
        Contacts.Put(rows, contact);
    }
}

/// <summary>Another account, as this device knows it.</summary>
/// <param name="Name">What the person calls it; empty: nothing.</param>
/// <param name="IsAccepted">Whether the person has written to it or agreed to hear from it.</param>
/// <param name="IsVerified">Whether the safety number was compared.</param>
/// <param name="NeedsApproval">Its identity changed, and nothing is sent until the person agrees.</param>
/// <param name="Timer">After which messages of the conversation destroy themselves; null: they stay.</param>
public sealed record Contact(
    Guid Account, string Name, bool IsAccepted, bool IsBlocked, bool IsVerified, bool NeedsApproval, TimeSpan? Timer)
{
    internal const int MaxName = 100;

    internal static Contact Of(ContactRecord record) => new(
        record.Account.ToGuid(), record.Name, record.Accepted, record.Blocked, record.Verified, record.ApprovalNeeded,
        record.Timer is { Seconds: > 0 } timer ? TimeSpan.FromSeconds(timer.Seconds) : null);
}
