using System.Security.Cryptography;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol;
using SecureChat.Protocol.Keys;
using SecureChat.Signal;
using SecureChat.Signal.Handshake;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Messages;

/// <summary>
/// Fetches the keys of an account's devices and starts sessions with them, if the keys are what the account can have published and the
/// devices those that it names itself. Spec: docs/protocol/keys.md#fetching, docs/protocol/device-lists.md.
/// </summary>
internal sealed class SessionStarts(Device device)
{
    /// <summary>Starts a session with each device, or with none of them.</summary>
    /// <param name="devices">Null: all that the server names.</param>
    /// <returns>What prevented it; null: nothing.</returns>
    /// <exception cref="ServerException">The server refused: <c>not_found</c> when there is no such account.</exception>
    public async Task<Handed?> RunAsync(Guid account, IReadOnlyList<int>? devices, CancellationToken ct)
    {
        if (devices is null)
        {
            KeyBundles[] all = [await FetchAsync(account, id: null, ct)];
            return await device.Turns.RunAsync(rows => StartAsync(rows, account, all, ct), ct);
        }

        var bundles = new List<KeyBundles>();
        foreach (var id in devices)
        {
            try
            {
                bundles.Add(await FetchAsync(account, id, ct));
            }
            catch (ServerException refused) when (refused.Code is "not_found")
            {
                // Removed meanwhile; or the account is gone, which the next round hears when no device is left.
                await device.Turns.RunAsync(rows => ForgetDeviceAsync(rows, account, id, ct), ct);
            }
        }

        return bundles.Count == 0 ? null : await device.Turns.RunAsync(rows => StartAsync(rows, account, bundles, ct), ct);
    }

    // Without a name: who is about to be written to is nobody's business.
    private Task<KeyBundles> FetchAsync(Guid account, int? id, CancellationToken ct) => device.Api.SendAsync<FetchKeys, KeyBundles>(
        HttpMethod.Post, "/v1/keys/fetch", accessToken: null, new FetchKeys(account, id), ct);

    private async Task<Handed?> StartAsync(StoreTransaction rows, Guid account, IReadOnlyList<KeyBundles> bundles, CancellationToken ct)
    {
        var read = bundles.Select(TryRead).ToList();
        if (await FaultAsync(rows, account, bundles, read, ct) is not null)
        {
            return Handed.Later;
        }

        var cipher = device.Cipher(rows, out var stores);
        foreach (var keys in read.SelectMany(keys => keys!).Where(keys => account != device.Account || keys.Device != device.Id))
        {
            var address = Device.AddressOf(account, keys.Device);
            try
            {
                await cipher.StartAsync(address, keys.Bundle, device.Now, ct);
            }
            catch (SignalException untrusted) when (untrusted.Error == SignalError.UntrustedIdentity)
            {
                await stores.SaveAsync(address, keys.Bundle.IdentityKey, ct);
                return Handed.AwaitsApproval;
            }

            var contact = await Contacts.GetAsync(rows, account, ct);
            contact.Forget(keys.Device);
            contact.Devices.Add(new ContactDevice { Device = (uint)keys.Device, RegistrationId = (uint)keys.RegistrationId });
            Contacts.Put(rows, contact);
        }

        return null;
    }

    /// <summary>What is wrong with what the server gave out: then nothing is encrypted for any of the devices that it named.</summary>
    private async Task<DeviceListFault?> FaultAsync(
        StoreTransaction rows, Guid account, IReadOnlyList<KeyBundles> bundles, List<List<DeviceBundle>?> read, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        DeviceListFault? fault = read.Contains(null)
            ? DeviceListFault.BadKeys
            : bundles.Select(bundle => DeviceLists.Check(contact, bundle)).FirstOrDefault(found => found is not null);
        if (fault is not null)
        {
            foreach (var foreign in contact.Devices.Where(known => !DeviceLists.Lists(contact, (int)known.Device)).ToList())
            {
                contact.Devices.Remove(foreign);
            }
        }

        DeviceLists.Tell(rows, device.Events, contact, fault);
        return fault;
    }

    private static async Task ForgetDeviceAsync(StoreTransaction rows, Guid account, int id, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, account, ct);
        contact.Forget(id);
        Contacts.Put(rows, contact);
    }

    /// <summary>Reads what the server gave out; null: no account has published that.</summary>
    private List<DeviceBundle>? TryRead(KeyBundles bundles)
    {
        if (bundles.Devices.Count > Limits.MaxDevices || !bundles.Devices.All(IsWithinLimits))
        {
            return null;
        }

        try
        {
            var identity = PublicKey.Parse(bundles.IdentityKey);
            return [.. bundles.Devices.Select(keys => new DeviceBundle(keys.Device, keys.RegistrationId, ToBundle(identity, keys).Verify()))];
        }
        catch (SignalException)
        {
            return null;
        }
    }

    private static bool IsWithinLimits(DeviceKeys keys) =>
        keys is { Device: >= 1 and <= Limits.MaxDeviceId, RegistrationId: >= 1 and <= Limits.MaxRegistrationId }
        && keys.SignedPreKey.KeyId >= 0 && keys.KyberKey.KeyId >= 0 && keys.OneTimeKey is null or { KeyId: >= 0 };

    private PreKeyBundle ToBundle(PublicKey identity, DeviceKeys keys) => new()
    {
        RegistrationId = (uint)keys.RegistrationId,
        IdentityKey = identity,
        SignedPreKey = new PublishedPreKey((uint)keys.SignedPreKey.KeyId, PublicKey.Parse(keys.SignedPreKey.Key)),
        SignedPreKeySignature = keys.SignedPreKey.Signature,
        OneTimePreKey = keys.OneTimeKey is { } oneTime ? new PublishedPreKey((uint)oneTime.KeyId, Unsigned(oneTime.Key)) : null,
        KyberPreKeyId = (uint)keys.KyberKey.KeyId,
        KyberPreKey = KyberPublicKey.Parse(keys.KyberKey.Key),
        KyberPreKeySignature = keys.KyberKey.Signature,
    };

    // Nobody signs one-time keys, so the server itself may have made one: of low order the handshake would refuse it.
    private PublicKey Unsigned(byte[] oneTimeKey)
    {
        var key = PublicKey.Parse(oneTimeKey);
        CryptographicOperations.ZeroMemory(device.Identity.PrivateKey.Agree(key));
        return key;
    }

    private sealed record DeviceBundle(int Device, int RegistrationId, VerifiedBundle Bundle);
}
