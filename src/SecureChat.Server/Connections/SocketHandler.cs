using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Server.Abuse;
using SecureChat.Server.Accounts;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Connections;

/// <summary>The socket's own port: shakes hands and runs a session on the bare connection, without ASP.NET in between.</summary>
internal sealed class SocketHandler(
    SocketAdmission admission, ProvisioningAddresses addresses, IEnumerable<AnonymousSocket> anonymous, RateLimiter limiter, SessionTable table,
    IOptions<ServerOptions> options)
    : ConnectionHandler
{
    // From the first byte of the connection to the end of the handshake.
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly AnonymousSocket[] _anonymous = [.. anonymous];
    private readonly IPNetwork[] _proxies =
        [.. options.Value.TrustedProxies.Select(text => IpNetworksAttribute.TryParse(text, out var network) ? network : default)];

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        try
        {
            if (await ShakeHandsAsync(connection) is { } serve)
            {
                await serve();
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client went away, or took too long.
        }
    }

    // Null: refused.
    private async Task<Func<Task>?> ShakeHandsAsync(ConnectionContext connection)
    {
        using var patience = new CancellationTokenSource(HandshakeTimeout, table.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, connection.ConnectionClosed);
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(either.Token);
            var request = WebSocketHandshake.Read(read.Buffer, out var end, out var isMalformed);
            if (request is not null)
            {
                input.AdvanceTo(end);
                return await AnswerAsync(connection, request, either.Token);
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (isMalformed)
            {
                await RefuseAsync(connection, ProtocolError.Malformed, default, either.Token);
                return null;
            }

            if (read.IsCompleted)
            {
                return null;
            }
        }
    }

    private async Task<Func<Task>?> AnswerAsync(ConnectionContext connection, WebSocketHandshake request, CancellationToken ct)
    {
        var isProvisioning = request.Path == "/ws/provisioning";
        var other = Array.Find(_anonymous, socket => socket.Path == request.Path);
        if (!isProvisioning && other is null && request.Path != "/ws")
        {
            await RefuseAsync(connection, ProtocolError.NotFound, default, ct);
            return null;
        }

        if (!request.IsUpgrade || !request.IsVersion13 || request.AcceptKey() is not { } accept
            || SocketAdmission.Choose(request["Sec-WebSocket-Protocol"], other?.Protocol ?? SocketAdmission.Protocol) is not { } protocol)
        {
            await RefuseAsync(connection, ProtocolError.Malformed, default, ct);
            return null;
        }

        var address = RateLimiter.Network(ClientAddress(connection, request));
        var wait = await limiter.TakeAsync(RateLimits.OpenSocket, address, 1, ct);
        if (wait > TimeSpan.Zero)
        {
            await RefuseAsync(connection, ProtocolError.RateLimited, wait, ct);
            return null;
        }

        var isJson = SocketAdmission.IsJson(protocol);
        if (isProvisioning || other is not null)
        {
            var namesItself = request["Authorization"] is not null || request.Ticket is not null;
            if (admission.RefuseAnonymous(request["Origin"], namesItself) is { } reason)
            {
                await RefuseAsync(connection, reason, default, ct);
                return null;
            }

            await AcceptAsync(connection, accept, protocol, ct);
            return other is null
                ? () => ProvisionAsync(connection, isJson)
                : () => ServeAsync(connection, other, new AnonymousClient(isJson, address, connection.Abort));
        }

        var (caller, refusal, pause) = await admission.AdmitAsync(request["Origin"], request["Authorization"], request.Ticket, address, ct);
        if (caller is null)
        {
            await RefuseAsync(connection, refusal!, pause, ct);
            return null;
        }

        await AcceptAsync(connection, accept, protocol, ct);
        return new BareSession(connection, caller, isJson, table).RunAsync;
    }

    // Rare and short: the BCL's WebSocket will do.
    private async Task ProvisionAsync(ConnectionContext connection, bool isJson)
    {
        await using var address = await addresses.OpenAsync(connection.ConnectionClosed);
        using var socket = Speak(connection, ProvisioningSocket.KeepAlive);
        await ProvisioningSocket.RunAsync(socket, address, isJson, connection.ConnectionClosed);
    }

    private static async Task ServeAsync(ConnectionContext connection, AnonymousSocket anonymous, AnonymousClient client)
    {
        using var socket = Speak(connection, Timeout.InfiniteTimeSpan);
        await anonymous.RunAsync(socket, client);
    }

    private static WebSocket Speak(ConnectionContext connection, TimeSpan keepAlive) => WebSocket.CreateFromStream(
        new ConnectionStream(connection.Transport), new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = keepAlive });

    private static async Task AcceptAsync(ConnectionContext connection, string accept, string protocol, CancellationToken ct) =>
        await connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(
            $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            $"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"), ct);

    // As on the API's port: the nearest address that is no listed proxy.
    private IPAddress? ClientAddress(ConnectionContext connection, WebSocketHandshake request)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        var forwarded = (request["X-Forwarded-For"] ?? "").Split(',', StringSplitOptions.TrimEntries);
        for (var i = forwarded.Length - 1; i >= 0 && IsProxy(address) && IPAddress.TryParse(forwarded[i], out var nearer); i--)
        {
            address = nearer;
        }

        return address;
    }

    private bool IsProxy(IPAddress? address) =>
        address is not null && Array.Exists(_proxies, proxy => proxy.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address));

    private static async Task RefuseAsync(ConnectionContext connection, ProtocolError refusal, TimeSpan wait, CancellationToken ct)
    {
        var seconds = (int)Math.Ceiling(wait.TotalSeconds);
        var body = $$"""{"type":"about:blank","title":"{{refusal.Title}}","status":{{refusal.Status}},"code":"{{refusal.Code}}"}""";
        var head = $"HTTP/1.1 {refusal.Status} {refusal.Code}\r\nContent-Type: application/problem+json\r\n" +
            $"Content-Length: {body.Length}\r\nCache-Control: no-store\r\nConnection: close\r\n" +
            (refusal == ProtocolError.Unauthorized ? "WWW-Authenticate: Bearer\r\n" : "") +
            (refusal == ProtocolError.Malformed ? "Sec-WebSocket-Version: 13\r\n" : "") +
            (seconds > 0 ? $"Retry-After: {seconds}\r\n" : "") + "\r\n";
        await connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(head + body), ct);
    }
}
