using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SecureChat.Bench.Media;

/// <summary>HTTP/1.1 on a plain socket, with as little work per byte as there can be: the server is to be the limit.</summary>
internal sealed class HttpConnection : IDisposable
{
    private const int ChunkBytes = 256 * 1024;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[ChunkBytes];
    private int _from;
    private int _to;

    public HttpConnection(IPEndPoint server) => _socket.Connect(server);

    /// <summary>Sends a request and reads the head of its answer.</summary>
    /// <param name="body">Sent as often as it takes to make <paramref name="length"/> bytes.</param>
    /// <exception cref="BenchException">The status is another than expected.</exception>
    public Dictionary<string, string> Ask(
        string request, int expected, ReadOnlyMemory<byte> body = default, long length = 0, params (string Name, string Value)[] headers)
    {
        var head = new StringBuilder($"{request} HTTP/1.1\r\nHost: localhost\r\n");
        foreach (var (name, value) in headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        if (!request.StartsWith("GET", StringComparison.Ordinal))
        {
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n");
        }

        Send(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
        for (var sent = 0L; sent < length;)
        {
            var at = (int)(sent % body.Length);
            var count = (int)Math.Min(Math.Min(ChunkBytes, body.Length - at), length - sent);
            Send(body.Span.Slice(at, count));
            sent += count;
        }

        var answer = ReadHead();
        return answer[""] == expected.ToString(CultureInfo.InvariantCulture)
            ? answer
            : throw new BenchException($"{request.Split(' ')[0]} was answered with {answer[""]} instead of {expected}.");
    }

    /// <summary>Reads the body of an answer; compares it if asked to.</summary>
    /// <exception cref="BenchException">It is not what was sent.</exception>
    public void ReadBody(long length, ReadOnlyMemory<byte> expected, bool compare)
    {
        for (var read = 0L; read < length;)
        {
            if (_from == _to)
            {
                Fill();
            }

            var count = (int)Math.Min(_to - _from, length - read);
            if (compare)
            {
                Compare(_buffer.AsSpan(_from, count), read, expected.Span);
            }

            _from += count;
            read += count;
        }
    }

    public void Dispose() => _socket.Dispose();

    private static void Compare(ReadOnlySpan<byte> got, long at, ReadOnlySpan<byte> expected)
    {
        while (got.Length > 0)
        {
            var rest = expected[(int)(at % expected.Length)..];
            var count = Math.Min(rest.Length, got.Length);
            if (!got[..count].SequenceEqual(rest[..count]))
            {
                throw new BenchException("A file did not come back as it was sent.");
            }

            got = got[count..];
            at += count;
        }
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[_socket.Send(bytes)..];
        }
    }

    private Dictionary<string, string> ReadHead()
    {
        (_from, _to) = (0, 0);
        int end;
        while ((end = _buffer.AsSpan(0, _to).IndexOf("\r\n\r\n"u8)) < 0)
        {
            Fill(append: true);
        }

        var lines = Encoding.ASCII.GetString(_buffer, 0, end).Split("\r\n");
        _from = end + 4;
        var head = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(
            pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        head[""] = lines[0].Split(' ')[1];
        return head;
    }

    private void Fill(bool append = false)
    {
        if (!append)
        {
            (_from, _to) = (0, 0);
        }

        var read = _socket.Receive(_buffer.AsSpan(_to));
        _to += read > 0 ? read : throw new BenchException("The server closed the connection.");
    }
}
