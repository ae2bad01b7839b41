using SecureChat.Signal.Keys;

namespace SecureChat.Signal.Handshake;

/// <summary>
/// The public keys of a device that one new session starts from, as a server hands them out. Nothing in it is to be believed
/// before <see cref="Verify"/>. docs/protocol/sessions.md#prekeys.
/// </summary>
public sealed record PreKeyBundle
{
    /// <summary>The device's registration id: another one later means that the app was installed anew.</summary>
    public required uint RegistrationId { get; init; }

    /// <summary>The account's identity key, which signed the two signed ones.</summary>
    public required PublicKey IdentityKey { get; init; }

    /// <summary>The signed prekey.</summary>
    public required PublishedPreKey SignedPreKey { get; init; }

    /// <summary>The signature over the serialised signed prekey.</summary>
    public required ReadOnlyMemory<byte> SignedPreKeySignature { get; init; }

    /// <summary>The one-time prekey, or null if the server has run out of them.</summary>
    public PublishedPreKey? OneTimePreKey { get; init; }

    /// <summary>The number of the Kyber prekey.</summary>
    public required uint KyberPreKeyId { get; init; }

    /// <summary>The Kyber prekey: a one-time one, or the one of last resort.</summary>
    public required KyberPublicKey KyberPreKey { get; init; }

    /// <summary>The signature over the serialised Kyber prekey.</summary>
    public required ReadOnlyMemory<byte> KyberPreKeySignature { get; init; }

    /// <summary>The public halves of a device's own prekeys: what it publishes, as one bundle.</summary>
    /// <param name="registrationId">The device's registration id.</param>
    /// <param name="identity">The identity that signed the prekeys.</param>
    /// <param name="signedPreKey">The signed prekey.</param>
    /// <param name="kyberPreKey">A one-time Kyber prekey, or the one of last resort.</param>
    /// <param name="oneTimePreKey">A one-time prekey, if there is one left.</param>
    public static PreKeyBundle Of(
        uint registrationId,
        PublicKey identity,
        SignedPreKeyRecord signedPreKey,
        KyberPreKeyRecord kyberPreKey,
        PreKeyRecord? oneTimePreKey)
    {
        ArgumentNullException.ThrowIfNull(signedPreKey);
        ArgumentNullException.ThrowIfNull(kyberPreKey);
        return new PreKeyBundle
        {
            RegistrationId = registrationId,
            IdentityKey = identity,
            SignedPreKey = new PublishedPreKey(signedPreKey.Id, signedPreKey.PrivateKey.PublicKey),
            SignedPreKeySignature = signedPreKey.Signature,
            OneTimePreKey = oneTimePreKey is null ? null : new PublishedPreKey(oneTimePreKey.Id, oneTimePreKey.PrivateKey.PublicKey),
            KyberPreKeyId = kyberPreKey.Id,
            KyberPreKey = kyberPreKey.KeyPair.PublicKey,
            KyberPreKeySignature = kyberPreKey.Signature,
        };
    }

    /// <summary>Checks both signatures. Only what this returns can start a session.</summary>
    /// <exception cref="SignalException">
    /// <see cref="SignalError.InvalidSignature"/>: the server, or somebody before it, has put in a key of its own.
    /// </exception>
    public VerifiedBundle Verify() =>
        IdentityKey.Verify(SignedPreKey.PublicKey.Serialized, SignedPreKeySignature.Span)
        && IdentityKey.Verify(KyberPreKey.Serialized, KyberPreKeySignature.Span)
            ? new VerifiedBundle(this)
            : throw new SignalException(SignalError.InvalidSignature, "A prekey is not signed by the identity it comes with.");
}

/// <summary>A published elliptic-curve prekey.</summary>
/// <param name="Id">The number by which a message names it.</param>
/// <param name="PublicKey">The key.</param>
public sealed record PublishedPreKey(uint Id, PublicKey PublicKey);

/// <summary>A bundle whose signatures were checked.</summary>
public sealed class VerifiedBundle
{
    internal VerifiedBundle(PreKeyBundle bundle) => Bundle = bundle;

    /// <summary>The identity that the bundle belongs to. Whether that is the right person is for the user to compare.</summary>
    public PublicKey IdentityKey => Bundle.IdentityKey;

    internal PreKeyBundle Bundle { get; }
}
