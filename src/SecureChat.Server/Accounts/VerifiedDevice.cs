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
    public static (VerifiedDevice? Device, ProtocolError? Refusal) Verify(NewDevice device, ReadOnlySpan<byte> identityKey)
    {
        if (!IsWellFormed(device) || identityKey is not [X25519Type, ..] || identityKey.Length is not Limits.PublicKeyBytes)
        {
            return (null, ProtocolError.Malformed);
        }

        // The signature covers the serialised form, type byte included.
        return XEdDsa.Verify(identityKey, device.SignedPreKey.Key, device.SignedPreKey.Signature)
            && XEdDsa.Verify(identityKey, device.LastResortKey.Key, device.LastResortKey.Signature)
                ? (new VerifiedDevice(device), null)
                : (null, ProtocolError.BadSignature);
    }

    private static bool IsWellFormed(NewDevice device) =>
        device.RegistrationId is >= 1 and <= Limits.MaxRegistrationId
        && IsWellFormed(device.SignedPreKey, X25519Type, Limits.PublicKeyBytes)
        && IsWellFormed(device.LastResortKey, KyberType, Limits.KyberPublicKeyBytes)
        && (device.Name is null || device.Name.Length <= Limits.MaxDeviceNameBytes)
        && (device.Capabilities is null
            || (device.Capabilities.Count <= 16 && device.Capabilities.All(name => name is not null && CapabilityPattern().IsMatch(name))));

    private static bool IsWellFormed(SignedKey key, byte type, int keyBytes) =>
        key.KeyId >= 0 && key.Key.Length == keyBytes && key.Key[0] == type && key.Signature.Length is Limits.SignatureBytes;

    [GeneratedRegex(@"\A[a-z0-9-]{1,32}\z", RegexOptions.CultureInvariant)]
    private static partial Regex CapabilityPattern();

    // The first byte of a serialised key.
    private const byte X25519Type = 0x05;
    private const byte KyberType = 0x08;
}
