namespace SecureChat.Server.Connections;

/// <summary>Why a socket is closed (RFC 6455 section 7.4; docs/protocol/transport.md#close-codes).</summary>
internal enum CloseCode
{
    Normal = 1000,
    GoingAway = 1001,
    ProtocolError = 1002,
    UnsupportedData = 1003,
    InvalidData = 1007,
    PolicyViolation = 1008,
    TooBig = 1009,
    InternalError = 1011,

    /// <summary>The device's credentials ended: sign in again before coming back.</summary>
    CredentialsEnded = 4401,

    /// <summary>Nothing was heard from the client for too long.</summary>
    Idle = 4408,

    /// <summary>The device connected again; do not reconnect by yourself.</summary>
    Displaced = 4409,
}
