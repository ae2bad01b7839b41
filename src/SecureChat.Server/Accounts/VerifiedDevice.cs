using System.Text.RegularExpressions;
using SecureChat.Protocol;
using SecureChat.Protocol.Accounts;

namespace SecureChat.Server.Accounts;

/// <summary>A new device whose every field is in range and whose keys are signed by the account's identity key.</summary>
internal sealed partial class VerifiedDevice
{
    private VerifiedDevice(NewDevice device) => Device = device;

    public NewDevice Device { get; }

    /// <summary>Sorted names, separated by commas, as they are stored.</summary>
    public string Capabilities => string.Join(',', (Device.Capabilities ?? []).Distinct().Order(StringComparer.Ordinal));

    /// <summary>Null and what is wrong, or the device and null.</summary>
    /// <param name="identityKey">33 bytes, serialised.</param>
    public static (VerifiedDevice? Device, ProtocolError? Refusal) Verify(NewDevice device, byte[] identityKey)
    {
        if (!IsWellFormed(device) || !SignedKeys.IsX25519(identityKey))
        {
            return (null, ProtocolError.Malformed);
        }

        return SignedKeys.IsSigned(device.SignedPreKey, identityKey) && SignedKeys.IsSigned(device.LastResortKey, identityKey)
                ? (new VerifiedDevice(device), null)
                : (null, ProtocolError.BadSignature);
    }

    private static bool IsWellFormed(NewDevice device) =>
        device.RegistrationId is >= 1 and <= Limits.MaxRegistrationId
        && SignedKeys.IsPreKey(device.SignedPreKey)
        && SignedKeys.IsKyberKey(device.LastResortKey)
        && (device.Name is null || device.Name.Length <= Limits.MaxDeviceNameBytes)
        && (device.Capabilities is null
            || (device.Capabilities.Count <= 16 && device.Capabilities.All(name => name is not null && CapabilityPattern().IsMatch(name))));

    [GeneratedRegex(@"\A[a-z0-9-]{1,32}\z", RegexOptions.CultureInvariant)]
    private static partial Regex CapabilityPattern();
}
