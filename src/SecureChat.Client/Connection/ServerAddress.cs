using System.Net.WebSockets;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Connection;

/// <summary>Which server a client talks to.</summary>
/// <param name="Api">Where the HTTP API is, without a path: <c>https://chat.example.org</c>.</param>
/// <param name="Socket">Where the socket is: <c>wss://chat.example.org/ws</c>. Null: on the API's port.</param>
public sealed record ServerAddress(Uri Api, Uri? Socket = null)
{
    /// <summary>
    /// The roots that vouch for senders who do not name themselves to the server (docs/protocol/sealed-sender.md). An app is built
    /// with its server's. With none, every message carries its sender's name and sealed ones are refused.
    /// </summary>
    public IReadOnlyList<PublicKey> TrustRoots { get; init; } = [];

    internal Uri SocketOrDefault
    {
        get
        {
            if (Socket is not null)
            {
                return Socket;
            }

            var scheme = Api.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
            return new UriBuilder(Api) { Scheme = scheme, Path = "/ws" }.Uri;
        }
    }
}

/// <summary>How a client reaches the network. Tests and hosts with a network of their own put something else in its place.</summary>
public interface INetwork
{
    /// <summary>Connections for requests.</summary>
    /// <param name="anonymous">
    /// For requests that must not be linked to the account: over connections that never carry a request with credentials.
    /// </param>
    HttpMessageHandler CreateHandler(bool anonymous);

    /// <summary>Opens a WebSocket.</summary>
    /// <param name="accessToken">For the <c>Authorization</c> header; null where <paramref name="address"/> carries a ticket.</param>
    Task<WebSocket> ConnectAsync(Uri address, string subprotocol, string? accessToken, CancellationToken ct);

    /// <summary>Whether a handshake can carry an <c>Authorization</c> header. Browsers cannot: they use a ticket.</summary>
    bool SendsHeaders { get; }
}

/// <summary>The platform's own network.</summary>
public sealed class SystemNetwork : INetwork
{
    /// <inheritdoc/>
    public bool SendsHeaders => !OperatingSystem.IsBrowser();

    /// <inheritdoc/>
    public HttpMessageHandler CreateHandler(bool anonymous) => new HttpClientHandler();

    /// <inheritdoc/>
    public async Task<WebSocket> ConnectAsync(Uri address, string subprotocol, string? accessToken, CancellationToken ct)
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.AddSubProtocol(subprotocol);
            if (accessToken is not null && !OperatingSystem.IsBrowser())
            {
                socket.Options.SetRequestHeader("Authorization", "Bearer " + accessToken);
            }

            await socket.ConnectAsync(address, ct);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
