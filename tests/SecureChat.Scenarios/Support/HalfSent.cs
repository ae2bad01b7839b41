using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace SecureChat.Scenarios.Support;

/// <summary>A part of an upload that stops in the middle with its connection open.</summary>
internal sealed class HalfSent(Uri server) : IDisposable
{
    private readonly TcpClient _client = new();

    public async Task SendAsync(string upload, long declared, int sent, CancellationToken ct)
    {
        await _client.ConnectAsync(server.Host, server.Port, ct);
        var head = string.Create(
            CultureInfo.InvariantCulture,
            $"PATCH {upload} HTTP/1.1\r\nHost: {server.Authority}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            + $"Content-Type: application/offset+octet-stream\r\nContent-Length: {declared}\r\n\r\n");
        await _client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head), ct);
        await _client.GetStream().WriteAsync(new byte[sent], ct);
    }

    public void Dispose() => _client.Dispose();
}
