using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Protocol.Senders;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Client;

/// <summary>The account itself and its devices.</summary>
public sealed partial class ChatClient
{
    /// <summary>
    /// Asks a server what vouches for its senders, for a program that is not built for one server: fetch it once, show it, and keep it
    /// in <see cref="ServerAddress.TrustRoots"/>.
    /// </summary>
    /// <exception cref="ServerException">The server refused, or is none of ours.</exception>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    public static async Task<PublicKey> FetchTrustRootAsync(ServerAddress server, INetwork network, CancellationToken ct)
    {
        using var api = new ServerApi(server, network);
        var answer = await api.SendAsync<object, SenderRoot>(HttpMethod.Get, "/v1/senders/root", accessToken: null, null, ct);
        try
        {
            return PublicKey.Parse(answer.PublicKey);
        }
        catch (SignalException)
        {
            throw new ServerException("unexpected", 200, "The server's root is no public key.");
        }
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

    /// <summary>
    /// Deletes the account on the server with all that it owns, at once and for good; on the account's first device. What is in the
    /// local store stays the caller's to delete.
    /// </summary>
    /// <exception cref="ServerException">The server refused: <c>forbidden</c> on a linked device.</exception>
    public async Task DeleteAccountAsync(CancellationToken ct)
    {
        await _device.Credentials.WithTokenAsync(
            async token =>
            {
                await _api.CallAsync<object>(HttpMethod.Delete, "/v1/account", token, null, ct);
                return true;
            },
            ct);
        await DisconnectAsync(ct);
    }
}

/// <summary>One device of the account.</summary>
/// <param name="Id">1 is the primary.</param>
/// <param name="IsThis">Whether it is the one that asks.</param>
/// <param name="Added">The day it was added.</param>
/// <param name="LastSeen">The day it was last there.</param>
/// <param name="IsListed">Whether the primary has agreed to it. If not, nothing is encrypted for it: remove it.</param>
public sealed record OwnDevice(int Id, bool IsThis, DateOnly Added, DateOnly LastSeen, bool IsListed);
