using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Accounts;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Provisioning;
using ProvisioningMessage = SecureChat.Protocol.Accounts.ProvisioningMessage;

namespace SecureChat.Client.Accounts;

/// <summary>
/// A device that wants to be linked, as the primary sees it. Nothing that is secret has left this device: agree only if both screens
/// show the same number, and only if you began this yourself. A linked device reads everything from then on.
/// </summary>
public sealed class LinkRequest
{
    private readonly Device _device;
    private readonly OwnDevices _own;
    private readonly LinkOffer _offer;
    private readonly byte[] _nonce;

    private LinkRequest(Device device, OwnDevices own, LinkOffer offer, byte[] nonce)
    {
        (_device, _own, _offer, _nonce) = (device, own, offer, nonce);
        Number = offer.NumberFor(nonce);
    }

    /// <summary>What the new device must show too, such as <c>482 913</c>.</summary>
    public string Number { get; }

    internal static async Task<LinkRequest> BeginAsync(Device device, OwnDevices own, string code, CancellationToken ct)
    {
        if (device.Id != 1)
        {
            throw new InvalidOperationException("Only the account's first device links others.");
        }

        if (!LinkOffer.TryParse(code, out var offer))
        {
            throw new FormatException("This is not the code of a device that wants to be linked.");
        }

        var request = new LinkRequest(device, own, offer, RandomNumberGenerator.GetBytes(LinkOffer.NonceSize));
        await request.PostAsync(offer.First, new LinkHello { Nonce = ByteString.CopyFrom(request._nonce) }, ct);
        return request;
    }

    /// <summary>The numbers are the same: the device becomes one of the account.</summary>
    /// <exception cref="LinkFailedException">The new device does not wait any more.</exception>
    /// <exception cref="InvalidOperationException">The account has no place for another device.</exception>
    /// <exception cref="ServerException">The server refused.</exception>
    public async Task ApproveAsync(CancellationToken ct)
    {
        var code = await _device.Credentials.WithTokenAsync(
            token => _device.Api.SendAsync<object, LinkCode>(HttpMethod.Post, "/v1/devices/link-code", token, null, ct), ct);
        var list = await _own.AwaitAsync(_offer.RegistrationId, _device.Now + TimeSpan.FromSeconds(code.ExpiresIn), ct);
        await PostAsync(
            _offer.Second,
            new LinkSecrets
            {
                Nonce = ByteString.CopyFrom(_nonce),
                Account = _device.Account.ToBytes(),
                IdentityKeyPair = ByteString.CopyFrom(_device.Identity.Serialize()),
                ProfileKey = ByteString.CopyFrom(_device.ProfileKey),
                Code = code.Code,
                DeviceList = ByteString.CopyFrom(list),
            },
            ct);
    }

    private async Task PostAsync(byte[] address, IMessage content, CancellationToken ct)
    {
        var message = ProvisioningCipher.Encrypt(_offer.Key, content.ToByteArray(), RandomSource.System);
        try
        {
            await _device.Credentials.WithTokenAsync(
                async token =>
                {
                    await _device.Api.CallAsync(HttpMethod.Put, "/v1/provisioning", token, new ProvisioningMessage(address, message), ct);
                    return true;
                },
                ct);
        }
        catch (ServerException refused) when (refused.Code == "not_found")
        {
            throw new LinkFailedException(
                "The new device does not wait any more, or somebody else has answered its code already. Begin again on it.", refused);
        }
    }
}
