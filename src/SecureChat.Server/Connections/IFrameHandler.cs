using SecureChat.Server.Abuse;

namespace SecureChat.Server.Connections;

/// <summary>A slice that speaks on the socket. Connections never names it: slices register themselves.</summary>
internal interface IFrameHandler
{
    /// <summary>The fields of <c>ClientFrame.body</c> that it handles, each with its limit.</summary>
    /// <remarks><see cref="RateLimits.SocketFrames"/> is taken by the session; any other the slice takes itself.</remarks>
    IReadOnlyDictionary<int, RateLimit> Fields { get; }

    /// <summary>A device connected; returns the slice's half of the session.</summary>
    Task<ISessionFrames> OpenAsync(ClientSession session, CancellationToken ct);
}

/// <summary>What a slice keeps and does for one connected device.</summary>
internal interface ISessionFrames
{
    /// <summary>One frame. The next one waits until the result completes: what must keep its order happens before that.</summary>
    /// <param name="body">Valid until the call returns; the bytes of the field's message.</param>
    ValueTask HandleAsync(int field, ulong request, ReadOnlySpan<byte> body);

    /// <summary>About once a second.</summary>
    void Tick();

    /// <summary>The socket takes data again after it was congested.</summary>
    void Writable();

    ValueTask CloseAsync();
}
