namespace SecureChat.Signal;

/// <summary>Why the library refused something, and what a client should do about it.</summary>
public enum SignalError
{
    /// <summary>
    /// The bytes are not a valid message of this session: damaged, forged, too old or too far ahead. Drop the message; ask the
    /// sender to send it again.
    /// </summary>
    InvalidMessage,

    /// <summary>The message has been decrypted before. Acknowledge it and drop it.</summary>
    DuplicateMessage,

    /// <summary>There is no session with the other side. Fetch its prekeys, or ask it to send again.</summary>
    NoSession,

    /// <summary>
    /// The other side has another identity key than the one known. Tell the user; go on once the user or the app trusts it.
    /// </summary>
    UntrustedIdentity,

    /// <summary>A version of the protocol that is not safe any more. Tell the user that the other app is too old.</summary>
    LegacyVersion,

    /// <summary>A version of the protocol that is not known here. Tell the user to update.</summary>
    UnknownVersion,

    /// <summary>A key is malformed, or a point that must not be used. Refuse whatever it came in.</summary>
    InvalidKey,

    /// <summary>A signature does not verify. Refuse whatever it came in.</summary>
    InvalidSignature,

    /// <summary>A prekey that the message names is unknown or used up. Ask the sender for a new session.</summary>
    UnknownPreKey,

    /// <summary>A certificate is malformed, expired, or not signed under a trusted root. Drop the message.</summary>
    InvalidCertificate,

    /// <summary>The message was sent by this very device. Drop it.</summary>
    SelfSend,

    /// <summary>The sender's group key is not known. Ask the sender for it.</summary>
    NoSenderKey,

    /// <summary>A stored record cannot be read. Treat it as missing.</summary>
    InvalidRecord,

    /// <summary>A username, or a link to one, is malformed. Show it to the user as such.</summary>
    InvalidUsername,
}

/// <summary>The one exception of this library: a refusal with a reason. The state it was about is left as it was.</summary>
#pragma warning disable CA1032 // A refusal without a reason does not exist.
public sealed class SignalException(SignalError error, string message, Exception? inner = null)
    : Exception(message, inner)
#pragma warning restore CA1032
{
    /// <summary>The reason.</summary>
    public SignalError Error { get; } = error;
}
