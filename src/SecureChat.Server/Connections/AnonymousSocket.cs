using System.Net.WebSockets;

namespace SecureChat.Server.Connections;

/// <summary>A socket of a slice's own, on both ports, that takes no credentials. Connections never names it: slices register theirs.</summary>
/// <param name="Path">Where it is opened.</param>
/// <param name="Protocol">The subprotocols without their ending, <c>.proto</c> or <c>.json</c>.</param>
/// <param name="RunAsync">Serves one client until the socket is closed by either side. The caller disposes the socket.</param>
/// <param name="HasOwnPages">Whether a page of this server opens it, so that its origin need not be listed.</param>
internal sealed record AnonymousSocket(
    string Path, string Protocol, Func<WebSocket, AnonymousClient, Task> RunAsync, bool HasOwnPages = false);

/// <summary>Of somebody without credentials, all that a socket knows.</summary>
/// <param name="IsJson">Frames are text in protobuf's canonical JSON.</param>
/// <param name="Network">What shares a limit: <see cref="Abuse.RateLimiter.Network"/>.</param>
/// <param name="Abort">Ends the connection without another word.</param>
internal sealed record AnonymousClient(bool IsJson, byte[] Network, Action Abort);
