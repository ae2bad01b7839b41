using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace SecureChat.Scenarios.Turn;

/// <summary>Whole messages to and from a TURN server over UDP, TCP or TLS.</summary>
internal sealed class TurnPipe(Socket socket, Stream? stream) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <param name="url">A TURN URL with address, port and transport, as the server gives it to clients.</param>
    public static async Task<TurnPipe> ConnectAsync(string url, CancellationToken ct)
    {
        var parts = url.Split(':', '?');
        var udp = parts[^1] is "transport=udp";
        var socket = new Socket(AddressFamily.InterNetwork, udp ? SocketType.Dgram : SocketType.Stream, udp ? ProtocolType.Udp : ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(parts[1]), int.Parse(parts[2], CultureInfo.InvariantCulture)), ct);
        if (udp)
        {
            return new TurnPipe(socket, null);
        }

        Stream stream = new NetworkStream(socket);
        if (parts[0] is "turns")
        {
            var tls = new SslStream(stream, false, (_, certificate, _, _) => Trust(certificate));
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, ct);
            stream = tls;
        }

        return new TurnPipe(socket, stream);
    }

    public async Task WriteAsync(byte[] message, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (stream is null)
            {
                await socket.SendAsync(message, ct);
                return;
            }

            await stream.WriteAsync(Padded(message), ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task<byte[]> ReadAsync(CancellationToken ct)
    {
        if (stream is null)
        {
            var datagram = new byte[2048];
            return datagram[..await socket.ReceiveAsync(datagram, ct)];
        }

        var head = new byte[4];
        await stream.ReadExactlyAsync(head, ct);
        var length = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2));
        var isData = head[0] >= 0x40;
        var rest = new byte[isData ? StunMessage.Padded(length) : length + StunMessage.HeaderSize - 4];
        await stream.ReadExactlyAsync(rest, ct);
        return [.. head, .. isData ? rest[..length] : rest];
    }

    public void Dispose()
    {
        stream?.Dispose();
        socket.Dispose();
        _turn.Dispose();
    }

    // RFC 8656 section 12.5: over a stream, data of a channel ends at a multiple of four.
    private static byte[] Padded(byte[] message) => [.. message, .. new byte[StunMessage.Padded(message.Length) - message.Length]];

    // The test made the certificate a moment ago; whom it names is not what these tests are about.
    private static bool Trust(X509Certificate? certificate) => certificate is not null;
}
