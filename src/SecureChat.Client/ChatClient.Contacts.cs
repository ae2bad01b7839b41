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

    /// <summary>The account's devices, as the server names them and as the account's own list does.</summary>
    /// <exception cref="Connection.ServerException">The server refused.</exception>
    public async Task<IReadOnlyList<OwnDevice>> DevicesAsync(CancellationToken ct)
    {
        var server = await _own.FetchAsync(ct);
        var listed = await _device.Turns.RunAsync(async rows => DeviceLists.Of(await Contacts.GetAsync(rows, Account, ct)), ct);
        return [.. server.Devices.Select(entry => new OwnDevice(
            entry.Device, entry.Device == DeviceId, entry.Created, entry.LastSeen,
            listed?.Devices.Contains(new ListedDevice(entry.Device, entry.RegistrationId)) ?? false))];
    }

    /// <summary>Looks at the code that a device shows which wants to be linked; on the account's first device.</summary>
    /// <exception cref="FormatException">It is no such code.</exception>
    /// <exception cref="LinkFailedException">The device does not wait any more, or somebody else has answered.</exception>
    public Task<LinkRequest> ReviewLinkAsync(string code, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(code);
        return LinkRequest.BeginAsync(_device, _own, code, ct);
    }

    /// <summary>Removes a linked device; a linked device removes itself alone. It reads nothing that is sent afterwards.</summary>
    /// <exception cref="Connection.ServerException">The server refused: <c>not_found</c>, <c>forbidden</c>.</exception>
    public Task RemoveDeviceAsync(int device, CancellationToken ct) => _own.RemoveAsync(device, ct);

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
                await _receipts.DeliveredAsync(rows, account, message.Id, silent: false, ct);
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

/// <summary>One device of the account.</summary>
/// <param name="Id">1 is the primary.</param>
/// <param name="IsThis">Whether it is the one that asks.</param>
/// <param name="Added">The day it was added.</param>
/// <param name="LastSeen">The day it was last there.</param>
/// <param name="IsListed">Whether the primary has agreed to it. If not, nothing is encrypted for it: remove it.</param>
public sealed record OwnDevice(int Id, bool IsThis, DateOnly Added, DateOnly LastSeen, bool IsListed);
