namespace SecureChat.Protocol.Accounts;

/// <summary>The caller's devices. Spec: docs/protocol/accounts.md#devices.</summary>
/// <param name="List">The signed list as the primary published it; absent before it has.</param>
public sealed record DeviceList(IReadOnlyList<DeviceEntry> Devices, byte[]? List = null);

/// <summary>What the account says of its devices. Spec: docs/protocol/device-lists.md.</summary>
/// <param name="List">At most 256 bytes; the server does not read it.</param>
public sealed record PublishDeviceList(byte[] List);

/// <summary>One of the caller's devices.</summary>
/// <param name="Device">1 is the primary.</param>
/// <param name="RegistrationId">1..16383.</param>
/// <param name="Capabilities">Sorted.</param>
/// <param name="Created">The day it was added.</param>
/// <param name="LastSeen">The day it last refreshed its tokens.</param>
/// <param name="Name">Encrypted by the client; absent if it gave none.</param>
public sealed record DeviceEntry(
    int Device, int RegistrationId, IReadOnlyList<string> Capabilities, DateOnly Created, DateOnly LastSeen, byte[]? Name = null);

/// <summary>A new name for a device.</summary>
/// <param name="Name">Encrypted by the client, at most 225 bytes; null removes it.</param>
public sealed record RenameDevice(byte[]? Name = null);

/// <summary>What the primary passes to a new device, end-to-end encrypted. Spec: docs/protocol/accounts.md#linking.</summary>
/// <param name="Code">20 random bytes in base64url; good for one device.</param>
/// <param name="ExpiresIn">Seconds.</param>
public sealed record LinkCode(string Code, int ExpiresIn)
{
    /// <summary>Never the code.</summary>
    public override string ToString() => nameof(LinkCode);
}

/// <summary>A new device adds itself to the account whose primary gave it the code.</summary>
/// <param name="Device">Its keys are signed by the account's identity key, which the provisioning message carried.</param>
public sealed record LinkDevice(string Code, NewDevice Device)
{
    /// <summary>Never the code.</summary>
    public override string ToString() => nameof(LinkDevice);
}

/// <summary>An end-to-end encrypted message to a device that is not linked yet.</summary>
/// <param name="Address">16 bytes, as the new device shows them.</param>
/// <param name="Message">At most 64 KiB.</param>
public sealed record ProvisioningMessage(byte[] Address, byte[] Message);
