using SecureChat.Signal.Addresses;
using SecureChat.Signal.Keys;

namespace SecureChat.Signal;

/// <summary>Who this side is.</summary>
/// <param name="address">This device's address.</param>
/// <param name="identity">The account's identity, which stays the caller's.</param>
/// <param name="registrationId">The number drawn at installation: 1..16380.</param>
public sealed class LocalDevice(ProtocolAddress address, IdentityKeyPair identity, uint registrationId)
{
    /// <summary>This device's address.</summary>
    public ProtocolAddress Address => address;

    /// <summary>The account's identity.</summary>
    public IdentityKeyPair Identity => identity;

    /// <summary>The number drawn at installation.</summary>
    public uint RegistrationId => registrationId;
}
