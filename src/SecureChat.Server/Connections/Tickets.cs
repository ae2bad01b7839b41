using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using SecureChat.Protocol;
using SecureChat.Server.Accounts;
using SecureChat.Server.Storage;

namespace SecureChat.Server.Connections;

/// <summary>Single-use tickets for browsers, which cannot set a header on a WebSocket. Spec: docs/protocol/transport.md#tickets.</summary>
/// <remarks>Hot-store keys: <c>ticket:hash</c>, its value sealed under the ticket. The ticket stands in a URL, so it is worth nothing once used or after 30 seconds.</remarks>
internal sealed class Tickets(IHotStore hot, AccountDirectory directory)
{
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(30);

    public async Task<string> IssueAsync(Caller caller, CancellationToken ct)
    {
        var ticket = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var value = new byte[16 + 1 + 8];
        caller.Account.TryWriteBytes(value, bigEndian: true, out _);
        value[16] = (byte)caller.Device;
        BinaryPrimitives.WriteInt64BigEndian(value.AsSpan(17), caller.Epoch);
        await hot.SetAsync(Key(ticket), SecretKeyed.Seal(ticket, value), Life, ct);
        return ticket;
    }

    /// <summary>The device behind a ticket that was not used before and whose credentials still hold.</summary>
    public async Task<Caller?> RedeemAsync(string ticket, CancellationToken ct)
    {
        if (ticket.Length is not 43 || await hot.TakeAsync(Key(ticket), ct) is not { } kept
            || SecretKeyed.Open(ticket, kept) is not { Length: 25 } value)
        {
            return null;
        }

        var caller = new Caller(
            new DeviceAddress(new Guid(value.AsSpan(0, 16), bigEndian: true), value[16]),
            BinaryPrimitives.ReadInt64BigEndian(value.AsSpan(17)));
        return await directory.IsCurrentAsync(caller.Account, caller.Device, caller.Epoch, ct) ? caller : null;
    }

    private static string Key(string ticket) => SecretKeyed.Key(HotKeys.Ticket + ":", ticket);
}
