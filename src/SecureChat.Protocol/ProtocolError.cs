namespace SecureChat.Protocol;

/// <summary>A refusal a client can branch on. The table in docs/protocol/errors.md equals this one.</summary>
/// <param name="Code">Stable identifier; clients branch on it and on nothing else.</param>
/// <param name="Status">HTTP status; on the socket it travels in the problem frame.</param>
/// <param name="Title">One English sentence for developers.</param>
public sealed record ProtocolError(string Code, int Status, string Title)
{
    public static readonly ProtocolError Malformed =
        new("malformed", 400, "The request is not well-formed or a field is out of range.");

    public static readonly ProtocolError Unauthorized =
        new("unauthorized", 401, "The access token is missing, expired or no longer valid.");

    public static readonly ProtocolError Forbidden =
        new("forbidden", 403, "This device may not do that.");

    public static readonly ProtocolError NotFound =
        new("not_found", 404, "Nothing is found under that name.");

    public static readonly ProtocolError MethodNotAllowed =
        new("method_not_allowed", 405, "This path does not answer that method.");

    public static readonly ProtocolError MismatchedDevices =
        new("mismatched_devices", 409, "The message names a wrong set of devices; see missing and extra.");

    public static readonly ProtocolError KeysDiffer =
        new("keys_differ", 409, "The server holds other keys for this device; publish them again.");

    public static readonly ProtocolError StaleDevices =
        new("stale_devices", 410, "A registration id is out of date; start a new session with the listed devices.");

    public static readonly ProtocolError WrongOffset =
        new("wrong_offset", 409, "The upload stands at another offset; ask for it with HEAD.");

    public static readonly ProtocolError Gone =
        new("gone", 410, "Its time is over, or it was downloaded as often as it may be.");

    public static readonly ProtocolError TusVersion =
        new("tus_version", 412, "Send Tus-Resumable: 1.0.0.");

    public static readonly ProtocolError TooLarge =
        new("too_large", 413, "The content is larger than the limit.");

    public static readonly ProtocolError UnsupportedMediaType =
        new("unsupported_media_type", 415, "The endpoint takes another content type, and no content encoding.");

    public static readonly ProtocolError BadRange =
        new("bad_range", 416, "The file does not have that one range of bytes.");

    public static readonly ProtocolError BadSignature =
        new("bad_signature", 422, "A key's signature does not verify under the identity key.");

    public static readonly ProtocolError RateLimited =
        new("rate_limited", 429, "Too many requests; wait for the seconds in Retry-After.");

    public static readonly ProtocolError QuotaUsedUp =
        new("quota_used_up", 429, "The account has uploaded as much as it may in a day; wait for the seconds in Retry-After.");

    public static readonly ProtocolError TooManyUploads =
        new("too_many_uploads", 429, "The account has too many unfinished uploads; finish or delete one.");

    public static readonly ProtocolError ChecksumMismatch =
        new("checksum_mismatch", 460, "The part does not match its checksum and was thrown away.");

    public static readonly ProtocolError ProofOfWorkRequired =
        new("proof_of_work_required", 428, "Repeat the request with a proof of work for the challenge in this answer.");

    public static readonly ProtocolError InvalidIdentifier =
        new("invalid_identifier", 422, "Give one valid e-mail address, or one valid number in E.164 form.");

    public static readonly ProtocolError UnsupportedIdentifier =
        new("unsupported_identifier", 422, "This server sends no codes to that kind of identifier.");

    public static readonly ProtocolError UnsupportedPush =
        new("unsupported_push", 422, "This server does not send to that push service or endpoint.");

    public static readonly ProtocolError WrongCode =
        new("wrong_code", 403, "The code, link code or invite is wrong, used, expired or tried too often.");

    public static readonly ProtocolError InviteRequired =
        new("invite_required", 403, "A new account on this server needs an invite.");

    public static readonly ProtocolError RegistrationClosed =
        new("registration_closed", 403, "This server takes no new accounts.");

    public static readonly ProtocolError RegistrationLocked =
        new("registration_locked", 423, "The account has a registration lock; send its token, or wait for the seconds in Retry-After.");

    public static readonly ProtocolError TooManyDevices =
        new("too_many_devices", 409, "The account has as many devices as it may have.");

    public static readonly ProtocolError RoomFull =
        new("room_full", 409, "The room has as many peers as it may have.");

    public static readonly ProtocolError UsernameTaken =
        new("username_taken", 409, "None of these usernames is free, or the reservation is gone.");

    public static readonly ProtocolError CredentialsRefused =
        new("credentials_refused", 400, "This endpoint is anonymous: send no credentials, and use a connection of its own.");

    public static readonly ProtocolError SendRefused =
        new("send_refused", 401, "The recipient is unknown, or does not take this message from you.");

    public static readonly ProtocolError BadRequestSignature =
        new("bad_request_signature", 401, "The request's signature is missing, wrong or out of time.");

    public static readonly ProtocolError VersionConflict =
        new("version_conflict", 409, "Another version is stored; see version.");

    public static readonly ProtocolError Internal =
        new("internal", 500, "The server failed; the request can be repeated.");

    public static readonly ProtocolError Unavailable =
        new("unavailable", 503, "A store cannot be reached; repeat after the seconds in Retry-After.");

    public static readonly ProtocolError QueueFull =
        new("queue_full", 507, "A recipient's queue is full; nothing was stored for that recipient.");

    public static readonly ProtocolError StorageFull =
        new("storage_full", 507, "There is no room for more files; nothing was stored.");

    /// <summary>Every refusal there is, by slice order of docs/protocol/errors.md.</summary>
    public static IReadOnlyList<ProtocolError> All { get; } =
    [
        Malformed, Unauthorized, Forbidden, NotFound, MethodNotAllowed, MismatchedDevices, KeysDiffer, StaleDevices, TooLarge,
        UnsupportedMediaType, BadSignature, RateLimited, ProofOfWorkRequired, InvalidIdentifier,
        UnsupportedIdentifier, WrongCode, InviteRequired, RegistrationClosed, RegistrationLocked, TooManyDevices,
        UsernameTaken, CredentialsRefused, SendRefused, UnsupportedPush,
        BadRequestSignature, VersionConflict, Internal, Unavailable, QueueFull,
        WrongOffset, Gone, TusVersion, BadRange, QuotaUsedUp, TooManyUploads, ChecksumMismatch, StorageFull,
        RoomFull,
    ];
}
