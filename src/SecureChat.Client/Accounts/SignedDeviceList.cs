using System.Buffers.Binary;
using SecureChat.Protocol;
using SecureChat.Signal;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Accounts;

/// <summary>
/// Which devices an account has, as it says itself: a server can neither add one, nor bring a removed one back, unseen.
/// Spec: docs/protocol/device-lists.md.
/// </summary>
/// <param name="Counter">One more with every change; from 1.</param>
/// <param name="Devices">1 to 6, in order of id.</param>
internal sealed record SignedDeviceList(ulong Counter, IReadOnlyList<ListedDevice> Devices)
{
    private const int SignatureSize = 64;
    private const int EntrySize = 3;

    private static ReadOnlySpan<byte> Purpose => "secureChat device list v1"u8;

    /// <summary>Counter, entries, signature: 8 + 3 for each device + 64 bytes.</summary>
    public byte[] Sign(Guid account, PrivateKey identity)
    {
        var list = new byte[sizeof(ulong) + (Devices.Count * EntrySize)];
        BinaryPrimitives.WriteUInt64BigEndian(list, Counter);
        for (var i = 0; i < Devices.Count; i++)
        {
            var entry = list.AsSpan(sizeof(ulong) + (i * EntrySize), EntrySize);
            entry[0] = (byte)Devices[i].Id;
            BinaryPrimitives.WriteUInt16BigEndian(entry[1..], (ushort)Devices[i].RegistrationId);
        }

        return [.. list, .. identity.Sign(Signed(account, list), RandomSource.System)];
    }

    /// <returns>Null: malformed, or not signed by that identity for that account.</returns>
    public static SignedDeviceList? TryRead(ReadOnlySpan<byte> signed, Guid account, PublicKey identity) =>
        TryRead(signed) is { } list && identity.Verify(Signed(account, signed[..^SignatureSize]), signed[^SignatureSize..]) ? list : null;

    /// <summary>Reads one whose signature has been verified before.</summary>
    public static SignedDeviceList? TryRead(ReadOnlySpan<byte> signed)
    {
        var length = signed.Length - SignatureSize;
        if (length <= sizeof(ulong) || length > sizeof(ulong) + (Limits.MaxDevices * EntrySize) || (length - sizeof(ulong)) % EntrySize != 0)
        {
            return null;
        }

        var devices = new List<ListedDevice>();
        for (var entry = signed[sizeof(ulong)..length]; entry.Length > 0; entry = entry[EntrySize..])
        {
            var device = new ListedDevice(entry[0], BinaryPrimitives.ReadUInt16BigEndian(entry[1..]));
            if (device.Id is < 1 or > ProtocolAddress.MaxDeviceId || (devices.Count > 0 && devices[^1].Id >= device.Id))
            {
                return null;
            }

            devices.Add(device);
        }

        var counter = BinaryPrimitives.ReadUInt64BigEndian(signed);
        return counter > 0 ? new SignedDeviceList(counter, devices) : null;
    }

    /// <summary>The next list, with these devices.</summary>
    public SignedDeviceList With(IEnumerable<ListedDevice> devices) => new(Counter + 1, [.. devices.OrderBy(device => device.Id)]);

    private static byte[] Signed(Guid account, ReadOnlySpan<byte> list) => [.. Purpose, .. account.ToByteArray(bigEndian: true), .. list];
}

/// <summary>One device of a list.</summary>
internal readonly record struct ListedDevice(int Id, int RegistrationId);
