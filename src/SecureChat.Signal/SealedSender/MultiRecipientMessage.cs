using System.Buffers;
using System.Buffers.Binary;
using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal.SealedSender;

/// <summary>A device that a message is for, and the registration id that the sender knows of it.</summary>
/// <param name="DeviceId">1..127.</param>
/// <param name="RegistrationId">14 bits; a server refuses a message for a device that has been reinstalled since.</param>
public readonly record struct RecipientDevice(int DeviceId, int RegistrationId);

/// <summary>An account that a message is sealed for.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="IdentityKey">The account's identity key.</param>
/// <param name="Devices">At least one.</param>
public sealed record MultiRecipient(ServiceId Account, PublicKey IdentityKey, IReadOnlyList<RecipientDevice> Devices);

/// <summary>What a message holds for one account.</summary>
public sealed class MultiRecipientPart
{
    internal MultiRecipientPart(ServiceId account, IReadOnlyList<RecipientDevice> devices, byte[] keyMaterial) =>
        (Account, Devices, KeyMaterial) = (account, devices, keyMaterial);

    /// <summary>Whose it is.</summary>
    public ServiceId Account { get; }

    /// <summary>The devices that the sender knows of.</summary>
    public IReadOnlyList<RecipientDevice> Devices { get; }

    internal byte[] KeyMaterial { get; }

    /// <summary>The part of the account's envelope that only it has; <see cref="MultiRecipientMessage.Shared"/> is the rest.</summary>
    public byte[] Beginning() => [SealedSenderV2.ReceivedVersion, .. KeyMaterial];
}

/// <summary>
/// One sealed message for many accounts, as it is sent to a server (version 2). The server cuts it into one envelope for each
/// account, without being able to read any. docs/protocol/sealed-sender.md#many-recipients.
/// </summary>
public sealed class MultiRecipientMessage
{
    /// <summary>The most accounts that are accepted in one message.</summary>
    public const int MaxRecipients = 4096;

    private const byte SentVersion = 0x23;
    private const int MaxRegistrationId = 0x3FFF;
    private const ushort MoreDevices = 0x8000;
    private const int KeyMaterialSize = SealedSenderV2.WrappedKeySize + SealedSenderV2.TagSize;

    private readonly byte[] _shared;

    private MultiRecipientMessage(IReadOnlyList<MultiRecipientPart> recipients, IReadOnlyList<ServiceId> excluded, byte[] shared) =>
        (Recipients, Excluded, _shared) = (recipients, excluded, shared);

    /// <summary>The accounts that the message is for, with what is made for each.</summary>
    public IReadOnlyList<MultiRecipientPart> Recipients { get; }

    /// <summary>Accounts that are named and get nothing: they share a group key and are told otherwise, or left out.</summary>
    public IReadOnlyList<ServiceId> Excluded { get; }

    /// <summary>Seals a content for many accounts.</summary>
    /// <param name="content">What to seal: usually a sender-key message.</param>
    /// <param name="recipients">The accounts, each once.</param>
    /// <param name="excluded">Accounts to be named as left out.</param>
    /// <param name="identity">The sender's identity key, the one in the certificate.</param>
    /// <param name="random">For the message key.</param>
    public static byte[] Seal(
        SealedContent content,
        IReadOnlyList<MultiRecipient> recipients,
        IReadOnlyList<ServiceId> excluded,
        PrivateKey identity,
        RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(recipients);
        ArgumentNullException.ThrowIfNull(excluded);
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(random);
        using var key = SealedSenderV2.NewKey(random);
        var writer = new ArrayBufferWriter<byte>();
        WriteByte(writer, SentVersion);
        WriteVarint(writer, (uint)(recipients.Count + excluded.Count));
        foreach (var recipient in recipients)
        {
            writer.Write(recipient.Account.ToBinary());
            WriteDevices(writer, recipient.Devices);
            writer.Write(SealedSenderV2.Wrap(key, recipient.IdentityKey, identity));
        }

        foreach (var account in excluded)
        {
            writer.Write(account.ToBinary());
            WriteByte(writer, 0);
        }

        writer.Write(key.Ephemeral.Raw);
        writer.Write(key.Encrypt(content.SerializePadded(SealedSenderV2.RoomIn)));
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>Reads a message as a server gets it.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidMessage"/>: malformed, or an account or a device comes twice;
    /// <see cref="SignalError.UnknownVersion"/>: another version.
    /// </exception>
    public static MultiRecipientMessage Parse(ReadOnlySpan<byte> message)
    {
        if (message.IsEmpty || message[0] != SentVersion)
        {
            throw new SignalException(SignalError.UnknownVersion, "Not a message for many recipients of version 2.");
        }

        var reader = new Reader(message[1..]);
        var count = reader.Varint();
        if (count > MaxRecipients)
        {
            throw SealedEnvelope.Malformed();
        }

        var (recipients, excluded, seen) = (new List<MultiRecipientPart>(), new List<ServiceId>(), new HashSet<ServiceId>());
        for (var i = 0; i < count; i++)
        {
            var account = reader.Account();
            if (!seen.Add(account))
            {
                throw SealedEnvelope.Malformed();
            }

            var devices = reader.Devices();
            if (devices.Count == 0)
            {
                excluded.Add(account);
                continue;
            }

            recipients.Add(new MultiRecipientPart(account, devices, reader.Take(KeyMaterialSize).ToArray()));
        }

        return reader.Rest.Length >= SealedSenderV2.EphemeralSize + Primitives.AesGcmSiv.TagSize
            ? new MultiRecipientMessage(recipients, excluded, reader.Rest.ToArray())
            : throw SealedEnvelope.Malformed();
    }

    /// <summary>What all envelopes end with.</summary>
    public ReadOnlyMemory<byte> Shared => _shared;

    /// <summary>The envelope that each of an account's devices gets.</summary>
    public byte[] EnvelopeFor(MultiRecipientPart recipient)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        return [.. recipient.Beginning(), .. _shared];
    }

    private static void WriteDevices(ArrayBufferWriter<byte> writer, IReadOnlyList<RecipientDevice> devices)
    {
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        for (var i = 0; i < devices.Count; i++)
        {
            var (device, registration) = devices[i];
            ArgumentOutOfRangeException.ThrowIfLessThan(device, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(device, ProtocolAddress.MaxDeviceId);
            ArgumentOutOfRangeException.ThrowIfNegative(registration);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(registration, MaxRegistrationId);
            var entry = writer.GetSpan(3);
            entry[0] = (byte)device;
            var more = i < devices.Count - 1 ? MoreDevices : 0;
            BinaryPrimitives.WriteUInt16BigEndian(entry[1..], (ushort)(registration | more));
            writer.Advance(3);
        }
    }

    private static void WriteVarint(ArrayBufferWriter<byte> writer, uint value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            WriteByte(writer, (byte)((value & 0x7F) | 0x80));
        }

        WriteByte(writer, (byte)value);
    }

    private static void WriteByte(ArrayBufferWriter<byte> writer, byte value)
    {
        writer.GetSpan(1)[0] = value;
        writer.Advance(1);
    }

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

        public ReadOnlySpan<byte> Take(int size)
        {
            if (Rest.Length < size)
            {
                throw SealedEnvelope.Malformed();
            }

            var taken = Rest[..size];
            Rest = Rest[size..];
            return taken;
        }

        public uint Varint()
        {
            var value = 0UL;
            for (var shift = 0; shift < 35; shift += 7)
            {
                var next = Take(1)[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                {
                    return value <= uint.MaxValue ? (uint)value : throw SealedEnvelope.Malformed();
                }
            }

            throw SealedEnvelope.Malformed();
        }

        public ServiceId Account() =>
            ServiceId.TryParse(Take(ServiceId.BinarySize), out var account) ? account : throw SealedEnvelope.Malformed();

        /// <summary>The devices of an account; none for one that is left out.</summary>
        public List<RecipientDevice> Devices()
        {
            var devices = new List<RecipientDevice>();
            for (var more = true; more;)
            {
                var device = Take(1)[0];
                if (device == 0 && devices.Count == 0)
                {
                    return devices;
                }

                var packed = BinaryPrimitives.ReadUInt16BigEndian(Take(sizeof(ushort)));
                more = (packed & MoreDevices) != 0;
                if (device is 0 or > ProtocolAddress.MaxDeviceId
                    || (packed & ~(MoreDevices | MaxRegistrationId)) != 0
                    || devices.Exists(known => known.DeviceId == device))
                {
                    throw SealedEnvelope.Malformed();
                }

                devices.Add(new RecipientDevice(device, packed & MaxRegistrationId));
            }

            return devices;
        }
    }
}
