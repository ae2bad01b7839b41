using System.Buffers.Binary;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;

namespace SecureChat.Server.Media;

/// <summary>Whether the other end of a connection has what was sent: TCP knows, where Linux is asked.</summary>
/// <remarks>
/// What is written to a socket is not yet sent: megabytes of a photo may wait in buffers when a phone loses its network. HTTP over a proxy ends
/// at the proxy; there a client says itself that it has everything.
/// </remarks>
internal readonly struct PeerReceipt
{
    // TCP_INFO of Linux: struct tcp_info in linux/tcp.h, whose layout is fixed.
    private const int Tcp = 6;
    private const int TcpInfo = 11;
    private const int Unacked = 24;
    private const int BytesAcked = 120;
    private const int NotSent = 144;
    private const int InfoSize = 232;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket? _socket;
    private readonly ulong _before;

    private PeerReceipt(Socket? socket, ulong before) => (_socket, _before) = (socket, before);

    /// <summary>Taken before a response is sent.</summary>
    public static PeerReceipt Of(HttpContext context)
    {
        // Streams of HTTP/2 share a connection: what is not acknowledged there may be of others.
        var socket = OperatingSystem.IsLinux() && HttpProtocol.IsHttp11(context.Request.Protocol)
            ? context.Features.Get<IConnectionSocketFeature>()?.Socket
            : null;
        return new PeerReceipt(socket, socket is null ? 0 : Read(socket).Acked);
    }

    /// <summary>Waits until the peer's TCP has acknowledged so many bytes. True also where nobody can tell.</summary>
    public async Task<bool> HasAsync(long bytes, TimeProvider time, CancellationToken ct)
    {
        if (_socket is null)
        {
            return true;
        }

        try
        {
            var began = time.GetTimestamp();
            for (var pause = TimeSpan.FromMilliseconds(5); time.GetElapsedTime(began) < Patience; pause *= 2)
            {
                if (Read(_socket) is var info && info.Acked - _before >= (ulong)bytes && info.Waiting is 0)
                {
                    return true;
                }

                await Task.Delay(pause, time, ct);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The connection is gone.
        }

        return false;
    }

    private static (ulong Acked, uint Waiting) Read(Socket socket)
    {
        Span<byte> info = stackalloc byte[InfoSize];
        return socket.GetRawSocketOption(Tcp, TcpInfo, info) >= NotSent + sizeof(uint)
            ? (BinaryPrimitives.ReadUInt64LittleEndian(info[BytesAcked..]),
                BinaryPrimitives.ReadUInt32LittleEndian(info[Unacked..]) + BinaryPrimitives.ReadUInt32LittleEndian(info[NotSent..]))
            : (ulong.MaxValue, 0);
    }
}
