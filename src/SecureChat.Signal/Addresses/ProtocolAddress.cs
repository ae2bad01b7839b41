namespace SecureChat.Signal.Addresses;

/// <summary>One device of somebody: what sessions and sender keys are kept under.</summary>
/// <param name="Name">The account: the text form of a <see cref="ServiceId"/>.</param>
/// <param name="DeviceId">1..127; 1 is the primary device.</param>
public readonly record struct ProtocolAddress(string Name, int DeviceId)
{
    /// <summary>The highest device id.</summary>
    public const int MaxDeviceId = 127;

    /// <summary>The address of a device of an account.</summary>
    public ProtocolAddress(ServiceId account, int deviceId)
        : this(account.ToString(), deviceId)
    {
    }

    /// <summary>Whether the device id is in range.</summary>
    public bool IsValid => !string.IsNullOrEmpty(Name) && DeviceId is >= 1 and <= MaxDeviceId;
}
