namespace SecureChat.Protocol;

/// <summary>One device of one account: what an envelope is addressed to.</summary>
/// <param name="Account">Random account id; equals the ACI a libsignal client uses as its address name.</param>
/// <param name="Device">1..127; 1 is the primary device.</param>
public readonly record struct DeviceAddress(Guid Account, int Device)
{
    /// <summary>Whether both parts are in range; an address off the wire is checked before it is used.</summary>
    public bool IsValid => Account != Guid.Empty && Device is >= 1 and <= Limits.MaxDeviceId;
}
