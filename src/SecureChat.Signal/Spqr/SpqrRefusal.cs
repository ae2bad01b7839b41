namespace SecureChat.Signal.Spqr;

/// <summary>Why a message's post-quantum part is refused. All of them leave the session as it was.</summary>
internal static class SpqrRefusal
{
    public static SignalException KeyGone() =>
        new(SignalError.DuplicateMessage, "The post-quantum key of this message has been used, or was kept long enough.");

    public static SignalException TooFarAhead() =>
        new(SignalError.InvalidMessage, "The message is too far ahead in its post-quantum chain.");

    public static SignalException UnknownEpoch() =>
        new(SignalError.InvalidMessage, "The message belongs to a post-quantum epoch that is not known.");

    public static SignalException NotAuthentic() =>
        new(SignalError.InvalidMessage, "The post-quantum key exchange was tampered with.");

    public static SignalException Malformed() =>
        new(SignalError.InvalidMessage, "The post-quantum part of the message is malformed.");

    public static SignalException VersionTooLow() =>
        new(SignalError.LegacyVersion, "The message comes without the post-quantum ratchet.");

    public static SignalException VersionChanged() =>
        new(SignalError.InvalidMessage, "The version of the post-quantum ratchet changed within a session.");
}
