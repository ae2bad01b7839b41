namespace SecureChat.Client.Accounts;

/// <summary>What is wrong with the devices that the server names, or with their keys. In each case nothing is encrypted for them.</summary>
public enum DeviceListFault
{
    /// <summary>The list is not signed by the account's identity key, or is malformed.</summary>
    BadSignature = 1,

    /// <summary>An older list than one that was seen before, or none any more: a removed device may be back.</summary>
    RolledBack,

    /// <summary>Two lists with one number: others are shown another list, or a copy of the identity key signs too.</summary>
    Forked,

    /// <summary>A device that is not on the list.</summary>
    Unlisted,

    /// <summary>Keys that are malformed, or not signed by the identity key that they come with.</summary>
    BadKeys,
}
