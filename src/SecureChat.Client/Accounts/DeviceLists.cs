using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Keys;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Accounts;

/// <summary>Holds what the server says of an account's devices against what the account has signed. Spec: docs/protocol/device-lists.md.</summary>
internal static class DeviceLists
{
    /// <summary>The newest list that is known; null: none. Its signature was verified when it was taken in.</summary>
    public static SignedDeviceList? Of(ContactRecord contact) =>
        contact.DeviceList.IsEmpty ? null : SignedDeviceList.TryRead(contact.DeviceList.Span);

    /// <summary>Whether the account says that it has this device. One that has never said anything has its first device alone.</summary>
    public static bool Lists(ContactRecord contact, int device) =>
        Of(contact) is { } list ? list.Devices.Any(listed => listed.Id == device) : device == 1;

    /// <summary>Takes in the keys that the server gave out, before a session is made with any of them.</summary>
    /// <returns>Null: all of their devices are the account's own.</returns>
    public static DeviceListFault? Check(ContactRecord contact, KeyBundles bundle)
    {
        var identity = PublicKey.Parse(bundle.IdentityKey);
        if (Served(contact, identity, bundle.DeviceList) is { } fault)
        {
            return fault;
        }

        var known = SignedDeviceList.TryRead(contact.DeviceList.Span, contact.Account.ToGuid(), identity);
        var areListed = bundle.Devices.All(keys =>
            known is null ? keys.Device == 1 : known.Devices.Contains(new ListedDevice(keys.Device, keys.RegistrationId)));
        return areListed ? null : DeviceListFault.Unlisted;
    }

    /// <summary>Takes in a list from the server.</summary>
    /// <param name="identity">Whose signature it must bear. A list that is known by another one says nothing: that the identity changed is told elsewhere.</param>
    public static DeviceListFault? Served(ContactRecord contact, PublicKey identity, byte[]? served)
    {
        var account = contact.Account.ToGuid();
        var known = SignedDeviceList.TryRead(contact.DeviceList.Span, account, identity);
        if (served is null)
        {
            return known is null ? null : DeviceListFault.RolledBack;
        }

        return SignedDeviceList.TryRead(served, account, identity) is { } list
            ? Compare(contact, known, list, served)
            : DeviceListFault.BadSignature;
    }

    /// <summary>Takes in what a content says of its sender's devices. An older list is one of before: the sender has not heard yet.</summary>
    public static DeviceListFault? Told(ContactRecord contact, ReadOnlySpan<byte> told)
    {
        if (told.IsEmpty)
        {
            return null;
        }

        var list = SignedDeviceList.TryRead(told, contact.Account.ToGuid(), PublicKey.Parse(contact.IdentityKey.Span));
        var fault = list is null ? DeviceListFault.BadSignature : Compare(contact, Of(contact), list, told);
        return fault == DeviceListFault.RolledBack ? null : fault;
    }

    /// <summary>What was told to be wrong and has not passed yet.</summary>
    public static DeviceListFault? Fault(this ContactRecord contact) => contact.ListFault == 0 ? null : (DeviceListFault)(int)contact.ListFault;

    /// <summary>Tells the person of a fault, once until it has passed.</summary>
    public static void Tell(StoreTransaction rows, EventFeed events, ContactRecord contact, DeviceListFault? fault)
    {
        var number = (uint)(fault ?? 0);
        if (number != contact.ListFault && number != 0)
        {
            events.Add(rows, new EventRecord { ListFault = new() { Account = contact.Account, Fault = number } });
        }

        contact.ListFault = number;
        Contacts.Put(rows, contact);
    }

    private static DeviceListFault? Compare(ContactRecord contact, SignedDeviceList? known, SignedDeviceList list, ReadOnlySpan<byte> signed)
    {
        if (list.Counter < known?.Counter)
        {
            return DeviceListFault.RolledBack;
        }

        if (list.Counter == known?.Counter)
        {
            return list.Devices.SequenceEqual(known.Devices) ? null : DeviceListFault.Forked;
        }

        contact.DeviceList = ByteString.CopyFrom(signed);
        foreach (var gone in contact.Devices.Where(device => list.Devices.All(listed => listed.Id != device.Device)).ToList())
        {
            contact.Devices.Remove(gone);
        }

        return null;
    }
}
