namespace SecureChat.Protocol.Calls;

/// <summary>Answer of <c>POST /v1/calls/relays</c>: the servers that one call may use. Spec: docs/protocol/calls.md#relays.</summary>
/// <param name="IceServers">For WebRTC's <c>RTCConfiguration</c> as they are. Empty: the operator has none.</param>
/// <param name="ExpiresIn">Seconds in which an allocation must be made; it lives on after them.</param>
public sealed record CallRelays(IReadOnlyList<RelayServer> IceServers, int ExpiresIn);

/// <summary>STUN or TURN servers of one region, in the shape of WebRTC's <c>RTCIceServer</c>.</summary>
/// <param name="Urls"><c>stun:</c>, <c>turn:</c> or <c>turns:</c> URLs (RFC 7064, RFC 7065), in the operator's order.</param>
/// <param name="Region">The operator's name for where they are: a client takes the nearest.</param>
/// <param name="Username">For TURN alone: when it expires, and random bytes that are new with each answer.</param>
/// <param name="Credential">For TURN alone: base64 of HMAC-SHA1 of the username.</param>
public sealed record RelayServer(IReadOnlyList<string> Urls, string Region, string? Username = null, string? Credential = null)
{
    /// <summary>Never the credential.</summary>
    public override string ToString() => nameof(RelayServer);
}
