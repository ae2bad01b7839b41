using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Proto;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>An account's devices after the first: listing, renaming, linking, removing.</summary>
/// <remarks>
/// Spec: docs/protocol/accounts.md#devices. Key in the hot store: <c>link:hash</c> of a link code holds, sealed under the code, the
/// account (16 bytes) and the epoch of the primary that made it (8).
/// </remarks>
internal sealed class DeviceStore(Database db, IHotStore hot, IMessageQueue queue, AccountStore accounts, Mailbox mailbox,
    IOptions<AccountsOptions> options, TimeProvider time)
{
    public async Task<DeviceList> ListAsync(Guid account, CancellationToken ct)
    {
        var rows = await db.QueryAsync<DeviceRow>($"""
            SELECT device, registration_id, name, capabilities, created_day, last_seen_day
            FROM devices WHERE account = {account} ORDER BY device
            """, ct);
        var list = await db.FirstOrDefaultAsync<byte[]>($"SELECT device_list FROM accounts WHERE account = {account}", ct);
        return new DeviceList([.. rows.Select(row => row.ToEntry())], list);
    }

    /// <summary>Keeps what the account says of its devices; the server only hands it on.</summary>
    public Task PublishListAsync(Guid account, byte[] list, CancellationToken ct) =>
        db.ExecuteAsync($"UPDATE accounts SET device_list = {list} WHERE account = {account}", ct);

    public async Task<bool> RenameAsync(DeviceAddress device, byte[]? name, CancellationToken ct) =>
        await db.ExecuteAsync(
            $"UPDATE devices SET name = {name} WHERE account = {device.Account} AND device = {device.Device}", ct) > 0;

    /// <summary>Removes a linked device; false: there is none.</summary>
    public async Task<bool> RemoveAsync(DeviceAddress device, CancellationToken ct)
    {
        var ended = await db.InTransactionAsync(
            transaction => accounts.EndDevicesAsync(transaction, device.Account, device.Device, device.Device, ct), ct);
        await accounts.AnnounceAsync(device.Account, ended, ct);
        return ended.Count > 0;
    }

    /// <summary>Makes a code with which one device can be linked; null: the account is full already.</summary>
    public async Task<LinkCode?> CreateLinkCodeAsync(Caller primary, CancellationToken ct)
    {
        if ((await ListAsync(primary.Account, ct)).Devices.Count >= Limits.MaxDevices)
        {
            return null;
        }

        var code = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(20));
        var value = new byte[24];
        primary.Account.TryWriteBytes(value, bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(value.AsSpan(16), primary.Epoch);
        await hot.SetAsync(LinkKey(code), SecretKeyed.Seal(code, value), LinkCodeLife, ct);
        return new LinkCode(code, (int)LinkCodeLife.TotalSeconds);
    }

    /// <summary>Adds a device to the account that made the code, or tells why not.</summary>
    public async Task<(Session? Session, ProtocolError? Refusal)> LinkAsync(LinkDevice request, CancellationToken ct)
    {
        if (request.Code.Length is not 27 || await hot.GetAsync(LinkKey(request.Code), ct) is not { } kept
            || SecretKeyed.Open(request.Code, kept) is not { Length: 24 } maker)
        {
            return (null, ProtocolError.WrongCode);
        }

        var (account, epoch) = (new Guid(maker.AsSpan(0, 16), bigEndian: true), BinaryPrimitives.ReadInt64BigEndian(maker.AsSpan(16)));
        if (await accounts.FindAsync(account, ct) is not { } row)
        {
            return (null, ProtocolError.WrongCode);
        }

        // Before the code is used up: a client that made a mistake can correct it.
        var (device, refusal) = VerifiedDevice.Verify(request.Device, row.IdentityKey);
        if (device is null)
        {
            return (null, refusal);
        }

        if (await hot.TakeAsync(LinkKey(request.Code), ct) is null)
        {
            return (null, ProtocolError.WrongCode);
        }

        var (session, full) = await InsertAsync(account, epoch, row.IdentityKey, device, ct);
        if (session is not null)
        {
            await accounts.AnnounceAsync(account, [], ct);
            var others = (await ListAsync(account, ct)).Devices.Select(known => known.Device).Where(known => known != session.Device);
            await mailbox.PostEventAsync(
                account, [.. others], new Event { DeviceAdded = new() { Device = (uint)session.Device } }, ct);
        }

        return (session, session is not null ? null : full ? ProtocolError.TooManyDevices : ProtocolError.WrongCode);
    }

    /// <summary>Removes linked devices that were not seen for <see cref="AccountsOptions.LinkedDeviceIdleDays"/>.</summary>
    public async Task<int> ReapAsync(CancellationToken ct)
    {
        var day = Days.Since1970(time.GetUtcNow()) - options.Value.LinkedDeviceIdleDays;
        var idle = await db.QueryAsync<IdleDevice>(
            $"SELECT account, device FROM devices WHERE device > 1 AND last_seen_day < {day} LIMIT 500", ct);
        foreach (var device in idle)
        {
            await RemoveAsync(new(device.Account, device.Device), ct);
        }

        return idle.Count;
    }

    private Task<(Session? Session, bool Full)> InsertAsync(
        Guid account, long primaryEpoch, byte[] identityKey, VerifiedDevice device, CancellationToken ct) =>
        db.InTransactionAsync<(Session?, bool)>(
            async transaction =>
            {
                // Locking the account lets one device in at a time; its key must still be the one that was verified against.
                var key = await transaction.FirstOrDefaultAsync<byte[]>(
                    $"SELECT identity_key FROM accounts WHERE account = {account} {db.ForUpdate}", ct);
                var present = await transaction.QueryAsync<EndedDevice>(
                    $"SELECT device, epoch FROM devices WHERE account = {account}", ct);
                if (key is null || !key.AsSpan().SequenceEqual(identityKey)
                    || !present.Exists(known => known.Device is 1 && known.Epoch == primaryEpoch))
                {
                    return (null, false);
                }

                if (present.Count >= Limits.MaxDevices)
                {
                    return (null, true);
                }

                var free = Enumerable.Range(2, Limits.MaxDeviceId - 1).First(id => !present.Exists(known => known.Device == id));
                var address = new DeviceAddress(account, free);

                // What was left for a removed device of the same id must not reach the new one.
                await queue.ClearAsync(address, ct);
                return (await accounts.InsertDeviceAsync(transaction, address, device, ct), false);
            },
            ct);

    private static string LinkKey(string code) => SecretKeyed.Key(HotKeys.Link + ":", code);

    private static readonly TimeSpan LinkCodeLife = TimeSpan.FromMinutes(10);

    private sealed class IdleDevice
    {
        public Guid Account { get; init; }

        public int Device { get; init; }
    }

    private sealed class DeviceRow
    {
        public int Device { get; init; }

        public int RegistrationId { get; init; }

        public byte[]? Name { get; init; }

        public string Capabilities { get; init; } = "";

        public long CreatedDay { get; init; }

        public long LastSeenDay { get; init; }

        public DeviceEntry ToEntry() => new(
            Device, RegistrationId, Capabilities.Split(',', StringSplitOptions.RemoveEmptyEntries),
            Days.ToDate(CreatedDay), Days.ToDate(LastSeenDay), Name);
    }
}
