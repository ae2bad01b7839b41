using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using SecureChat.Server.Connections;

namespace SecureChat.Server.Tests.Support;

/// <summary>Asks the socket's own port from any address and on the clock of the test, without a network in between.</summary>
internal static class BareConnection
{
    /// <summary>The status that a handshake is answered with.</summary>
    public static async Task<int> StatusAsync(Node node, string target = "/ws", IPAddress? from = null, string headers = "")
    {
        var (inbound, outbound) = (new Pipe(), new Pipe());
        await using var connection = new DefaultConnectionContext(
            "test", new Duplex(inbound.Reader, outbound.Writer), new Duplex(outbound.Reader, inbound.Writer));
        connection.RemoteEndPoint = new IPEndPoint(from ?? IPAddress.Loopback, 40_000);
        var serving = node.Get<SocketHandler>().OnConnectedAsync(connection);
        var ct = TestContext.Current.CancellationToken;
        await inbound.Writer.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + $"Sec-WebSocket-Protocol: securechat.v1.proto\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"),
            ct);
        var answer = await outbound.Reader.ReadAtLeastAsync("HTTP/1.1 101".Length, ct).AsTask().WaitAsync(TimeSpan.FromSeconds(20), ct);
        var status = int.Parse(Encoding.ASCII.GetString(answer.Buffer.FirstSpan)[9..12], CultureInfo.InvariantCulture);

        // The client goes away, whatever it was told.
        await inbound.Writer.CompleteAsync();
        await outbound.Reader.CompleteAsync();
        await serving.WaitAsync(TimeSpan.FromSeconds(20), ct);
        return status;
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
