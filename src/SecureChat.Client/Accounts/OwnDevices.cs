using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Accounts;

namespace SecureChat.Client.Accounts;

/// <summary>The account's own devices: the primary signs which ones there are, the others hold the server to it.</summary>
/// <remarks>Spec: docs/protocol/device-lists.md.</remarks>
internal sealed class OwnDevices(Device device)
{
    private bool IsPrimary => device.Id == 1;

    /// <summary>Compares what the server says with what was signed; the primary brings both together.</summary>
    public async Task CompareAsync(CancellationToken ct)
    {
        var server = await FetchAsync(ct);
        var publish = await device.Turns.RunAsync(rows => CompareAsync(rows, server, ct), ct);
        if (publish is not null)
        {
            await PublishAsync(publish, ct);
        }
    }

    /// <summary>What the server knows of the devices.</summary>
    public Task<DeviceList> FetchAsync(CancellationToken ct) => device.Credentials.WithTokenAsync(
        token => device.Api.SendAsync<object, DeviceList>(HttpMethod.Get, "/v1/devices", token, null, ct), ct);

    /// <summary>The person has agreed to link a device: it is on the list before it is there, so that nobody ever refuses it.</summary>
    /// <param name="until">When it is not waited for any more.</param>
    /// <returns>The signed list.</returns>
    /// <exception cref="InvalidOperationException">The account has no place for another device.</exception>
    public async Task<byte[]> AwaitAsync(int registrationId, DateTimeOffset until, CancellationToken ct)
    {
        var server = await FetchAsync(ct);
        if (server.Devices.Count >= Protocol.Limits.MaxDevices)
        {
            throw new InvalidOperationException("The account has six devices: remove one first.");
        }

        // The server gives the lowest id that is free.
        var id = Enumerable.Range(2, Protocol.Limits.MaxDevices).First(free => server.Devices.All(entry => entry.Device != free));
        var signed = await device.Turns.RunAsync(
            async rows =>
            {
                var self = await Device.SelfAsync(rows, ct);
                self.Awaited = new ContactDevice { Device = (uint)id, RegistrationId = (uint)registrationId };
                self.AwaitedUntil = until.Milliseconds();
                rows.Put(Tables.Self, Tables.Only, self);
                return await CompareAsync(rows, server, ct)
                    ?? (await Contacts.GetAsync(rows, device.Account, ct)).DeviceList.ToByteArray();
            },
            ct);
        await PublishAsync(signed, ct);
        return signed;
    }

    /// <summary>Takes a device off the list, and then from the server: nothing is encrypted for it from now on.</summary>
    public async Task RemoveAsync(int id, CancellationToken ct)
    {
        if (IsPrimary)
        {
            var server = await FetchAsync(ct);
            var without = server with { Devices = [.. server.Devices.Where(entry => entry.Device != id)] };
            var publish = await device.Turns.RunAsync(
                async rows =>
                {
                    var self = await Device.SelfAsync(rows, ct);
                    self.Awaited = self.Awaited?.Device == (uint)id ? null : self.Awaited;
                    rows.Put(Tables.Self, Tables.Only, self);
                    return await CompareAsync(rows, without, ct);
                },
                ct);
            if (publish is not null)
            {
                await PublishAsync(publish, ct);
            }
        }

        await device.Credentials.WithTokenAsync(
            async token =>
            {
                await device.Api.CallAsync<object>(
                    HttpMethod.Delete, $"/v1/devices/{id.ToString(System.Globalization.CultureInfo.InvariantCulture)}", token, null, ct);
                return true;
            },
            ct);
    }

    private async Task PublishAsync(byte[] signed, CancellationToken ct) => await device.Credentials.WithTokenAsync(
        async token =>
        {
            await device.Api.CallAsync(HttpMethod.Put, "/v1/devices/list", token, new PublishDeviceList(signed), ct);
            return true;
        },
        ct);

    /// <returns>What the server must be told; null: it knows.</returns>
    private async Task<byte[]?> CompareAsync(StoreTransaction rows, DeviceList server, CancellationToken ct)
    {
        var own = await Contacts.GetAsync(rows, device.Account, ct);
        var known = DeviceLists.Of(own);
        DeviceListFault? fault = null;
        if (!IsPrimary)
        {
            fault = DeviceLists.Served(own, device.Identity.PublicKey, server.List);
        }
        else if (await SignAsync(rows, own, known, server, ct) is { } signed)
        {
            // Somebody else has signed with this identity key; what they signed goes no further than this.
            fault = signed.IsForked ? DeviceListFault.Forked : null;
            own.DeviceList = ByteString.CopyFrom(signed.List);
        }

        var listed = DeviceLists.Of(own)?.Devices ?? [];
        own.Devices.Clear();
        own.Devices.AddRange(server.Devices
            .Where(entry => entry.Device != device.Id && listed.Contains(new ListedDevice(entry.Device, entry.RegistrationId)))
            .Select(entry => new ContactDevice { Device = (uint)entry.Device, RegistrationId = (uint)entry.RegistrationId }));
        var areListed = server.Devices.All(entry => listed.Contains(new ListedDevice(entry.Device, entry.RegistrationId)));
        DeviceLists.Tell(rows, device.Events, own, fault ?? (areListed ? null : DeviceListFault.Unlisted));
        return IsPrimary && !own.DeviceList.Span.SequenceEqual(server.List) ? own.DeviceList.ToByteArray() : null;
    }

    /// <summary>The list as it must be: what was on it and is still there, and the device that is waited for.</summary>
    /// <returns>Null: the list that is known says it already.</returns>
    private async Task<(byte[] List, bool IsForked)?> SignAsync(
        StoreTransaction rows, ContactRecord own, SignedDeviceList? known, DeviceList server, CancellationToken ct)
    {
        var self = await Device.SelfAsync(rows, ct);
        var there = server.Devices.Select(entry => new ListedDevice(entry.Device, entry.RegistrationId)).ToList();
        var devices = new HashSet<ListedDevice> { new(1, (int)self.RegistrationId) };
        devices.UnionWith((known?.Devices ?? []).Where(there.Contains));
        if (self.Awaited is { } awaited && device.Now.Milliseconds() < self.AwaitedUntil)
        {
            // It may have got another id than was foreseen, when two were linked at once.
            var came = there.Find(entry => entry.RegistrationId == (int)awaited.RegistrationId);
            devices.Add(came.Id > 1 ? came : new ListedDevice((int)awaited.Device, (int)awaited.RegistrationId));
        }

        var served = server.List is null ? null : SignedDeviceList.TryRead(server.List, device.Account, device.Identity.PublicKey);
        var isForked = known is not null && served is not null
            && (served.Counter > known.Counter || (served.Counter == known.Counter && !served.Devices.SequenceEqual(known.Devices)));
        if (known is not null && !isForked && devices.SetEquals(known.Devices))
        {
            return null;
        }

        var basis = new SignedDeviceList(Math.Max(known?.Counter ?? 0, served?.Counter ?? 0), []);
        return (basis.With(devices).Sign(own.Account.ToGuid(), device.Identity.PrivateKey), isForked);
    }
}
