namespace SecureChat.Signal;

/// <summary>Why the library refused something, and what a client should do about it.</summary>
public enum SignalError
{
    /// <summary>
    /// The bytes are not a valid message of this session, or no valid envelope: damaged, forged, too old or too far ahead. Drop
    /// it, and acknowledge it to the server. If its sender is known and a contact, ask for it to be sent again; ask nobody else.
    /// </summary>
    InvalidMessage,

    /// <summary>The message has been decrypted before. Acknowledge it and drop it.</summary>
    DuplicateMessage,

    /// <summary>There is no session with the other side. For sending, fetch its prekeys; for a contact's message, ask that it be sent again.</summary>
    NoSession,

    /// <summary>
    /// The other side has another identity key than the one known. Tell the user; go on once the user or the app trusts it.
    /// </summary>
    UntrustedIdentity,

    /// <summary>A version of the protocol that is not safe any more. Tell the user that the other app is too old.</summary>
    LegacyVersion,

    /// <summary>A version of the protocol that is not known here. Tell the user to update.</summary>
    UnknownVersion,

    /// <summary>
    /// A key is malformed, or a point of low order, with which everybody would know the secret. In a bundle: start nothing with it, fetch
    /// another once, and if that is no better tell the user that nothing can be sent there safely. In an envelope: drop it, acknowledge it to the
    /// server, show nothing and answer nobody. In what comes to a new device: give up, and begin anew with another code.
    /// </summary>
    InvalidKey,

    /// <summary>
    /// A signature does not verify. In a bundle the server, or somebody before it, has put in a key of its own: start nothing with it, fetch
    /// another once, and if that is no better tell the user that nothing can be sent there safely. A message to a group was made by somebody
    /// else than its sender: treat it as an <see cref="InvalidMessage"/>.
    /// </summary>
    InvalidSignature,

    /// <summary>A prekey that the message names is unknown or used up. Ask a contact to send it again, in a new session.</summary>
    UnknownPreKey,

    /// <summary>A certificate is malformed, expired, or not signed under a trusted root. Drop the message.</summary>
    InvalidCertificate,

    /// <summary>The message was sent by this very device. Drop it.</summary>
    SelfSend,

    /// <summary>The sender's group key is not known. Ask a contact to send the message again, which brings the key along.</summary>
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
