using SecureChat.Signal.Keys;
using SecureChat.Signal.Wire;

namespace SecureChat.Signal.Retries;

/// <summary>
/// "I could not decrypt what you sent": names the message, so that its sender can send it again, and the ratchet key that it
/// came under, so that the sender can tell whether its session is the broken one. docs/protocol/retries.md.
/// </summary>
public sealed class DecryptionErrorMessage
{
    private const int SignalMessageMacSize = 8;

    private DecryptionErrorMessage(PublicKey? ratchetKey, ulong timestamp, uint deviceId) =>
        (RatchetKey, Timestamp, DeviceId) = (ratchetKey, timestamp, deviceId);

    /// <summary>The sender's ratchet key in the message that failed; none for a message to a group.</summary>
    public PublicKey? RatchetKey { get; }

    /// <summary>The time by which the sender named the message, in Unix milliseconds.</summary>
    public ulong Timestamp { get; }

    /// <summary>The sender's device.</summary>
    public uint DeviceId { get; }

    /// <summary>Reports a message that failed.</summary>
    /// <param name="message">The message as it came.</param>
    /// <param name="type">Its kind.</param>
    /// <param name="timestamp">The time by which its sender named it, in Unix milliseconds.</param>
    /// <param name="senderDeviceId">The device that sent it.</param>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidMessage"/>: it is not even a message of that kind, or of one that is not encrypted.
    /// </exception>
    public static DecryptionErrorMessage ForOriginal(
        ReadOnlySpan<byte> message, CiphertextType type, ulong timestamp, int senderDeviceId)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(senderDeviceId);
        var ratchetKey = type switch
        {
            CiphertextType.Message => RatchetKeyOf(message),
            CiphertextType.PreKeyMessage => RatchetKeyOf(InnerMessage(message)),
            CiphertextType.SenderKeyMessage => null,
            _ => throw Malformed(),
        };
        return new DecryptionErrorMessage(ratchetKey, timestamp, (uint)senderDeviceId);
    }

    /// <summary>Reads a report.</summary>
    /// <exception cref="SignalException"><see cref="SignalError.InvalidMessage"/>.</exception>
    public static DecryptionErrorMessage Parse(ReadOnlySpan<byte> serialized)
    {
        var reader = new ProtoReader(serialized);
        PublicKey? ratchetKey = null;
        ulong? timestamp = null;
        uint deviceId = 0;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    ratchetKey = PublicKey.ParseOrNull(reader.Bytes()) ?? throw Malformed();
                    break;
                case 2:
                    timestamp = reader.UInt64();
                    break;
                case 3:
                    deviceId = reader.UInt32();
                    break;
            }
        }

        return reader.IsValid && timestamp is { } time
            ? new DecryptionErrorMessage(ratchetKey, time, deviceId)
            : throw Malformed();
    }

    /// <summary>The report as bytes.</summary>
    public byte[] Serialize()
    {
        var writer = new ProtoWriter();
        if (RatchetKey is not null)
        {
            writer.Bytes(1, RatchetKey.Serialized);
        }

        return writer.UInt(2, Timestamp).UInt(3, DeviceId).ToArray();
    }

    internal static SignalException Malformed() =>
        new(SignalError.InvalidMessage, "Not a report of a message that could not be decrypted.");

    private static PublicKey RatchetKeyOf(ReadOnlySpan<byte> signalMessage)
    {
        if (signalMessage.Length < 1 + SignalMessageMacSize)
        {
            throw Malformed();
        }

        return PublicKey.ParseOrNull(Field(signalMessage[1..^SignalMessageMacSize], 1)) ?? throw Malformed();
    }

    private static ReadOnlySpan<byte> InnerMessage(ReadOnlySpan<byte> preKeyMessage) =>
        preKeyMessage.IsEmpty ? throw Malformed() : Field(preKeyMessage[1..], 4);

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> message, int number)
    {
        var reader = new ProtoReader(message);
        ReadOnlySpan<byte> found = [];
        while (reader.Next())
        {
            if (reader.Field == number)
            {
                found = reader.Bytes();
            }
        }

        return reader.IsValid ? found : throw Malformed();
    }
}
