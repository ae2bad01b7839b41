using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace SecureChat.Server.Connections;

/// <summary>The opening handshake of RFC 6455 section 4, read strictly from a bare connection.</summary>
/// <remarks>Only what a WebSocket needs: one GET, at most 8 KiB of header, every byte of it well-formed (RFC 9112).</remarks>
internal sealed class WebSocketHandshake
{
    /// <summary>Most bytes of request line and headers.</summary>
    public const int MaxBytes = 8 * 1024;

    private readonly Dictionary<string, string> _headers = new(StringComparer.OrdinalIgnoreCase);

    private WebSocketHandshake(string path, string query) => (Path, Query) = (path, query);

    public string Path { get; }

    /// <summary>Without the question mark.</summary>
    public string Query { get; }

    /// <summary>The header's value; several of one name are joined with commas.</summary>
    public string? this[string header] => _headers.GetValueOrDefault(header);

    /// <summary>Whether it asks for a WebSocket, of whatever version.</summary>
    public bool IsUpgrade => Lists("Upgrade", "websocket") && Lists("Connection", "Upgrade");

    public bool IsVersion13 => this["Sec-WebSocket-Version"] == "13";

    /// <summary>The ticket of the query, or null.</summary>
    public string? Ticket
    {
        get
        {
            foreach (var pair in Query.Split('&'))
            {
                if (pair.StartsWith("ticket=", StringComparison.Ordinal))
                {
                    return pair["ticket=".Length..];
                }
            }

            return null;
        }
    }

    /// <summary>Value of <c>Sec-WebSocket-Accept</c>; null when the client's key is not 16 bytes in base64.</summary>
    public string? AcceptKey()
    {
        Span<byte> key = stackalloc byte[18];
        if (this["Sec-WebSocket-Key"] is not { Length: 24 } text
            || !Convert.TryFromBase64String(text, key, out var length) || length != 16)
        {
            return null;
        }

#pragma warning disable CA5350 // RFC 6455 section 4.2.2 asks for SHA-1; nothing secret depends on it.
        return Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(text + Magic)));
#pragma warning restore CA5350
    }

    /// <summary>Reads the head of a request, if all of it is there.</summary>
    /// <param name="end">Behind the empty line.</param>
    /// <returns>Null with <paramref name="isMalformed"/> unset: more is needed.</returns>
    public static WebSocketHandshake? Read(ReadOnlySequence<byte> input, out SequencePosition end, out bool isMalformed)
    {
        end = input.Start;
        isMalformed = false;
        var reader = new SequenceReader<byte>(input);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8))
        {
            isMalformed = input.Length >= MaxBytes;
            return null;
        }

        end = reader.Position;
        isMalformed = true;
        if (head.Length > MaxBytes)
        {
            return null;
        }

        var text = head.ToArray();
        if (!IsPlain(text))
        {
            return null;
        }

        var lines = Encoding.ASCII.GetString(text).Split("\r\n");
        if (lines[0].Split(' ') is not ["GET", ['/', ..] target, "HTTP/1.1"])
        {
            return null;
        }

        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var request = mark < 0
            ? new WebSocketHandshake(target, "")
            : new WebSocketHandshake(target[..mark], target[(mark + 1)..]);
        if (!request.ReadHeaders(lines.AsSpan(1)))
        {
            return null;
        }

        isMalformed = false;
        return request;
    }

    private bool ReadHeaders(ReadOnlySpan<string> lines)
    {
        foreach (var line in lines)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || line.AsSpan(0, colon).ContainsAnyExcept(TokenCharacters))
            {
                return false;
            }

            var (name, value) = (line[..colon], line[(colon + 1)..].Trim(' ', '\t'));
            if (_headers.TryAdd(name, value))
            {
                continue;
            }

            // What may stand once must not stand twice: somebody in between might have believed the other one.
            if (SingleHeaders.Contains(name))
            {
                return false;
            }

            _headers[name] += ", " + value;
        }

        return _headers.ContainsKey("Host") && !_headers.ContainsKey("Transfer-Encoding")
            && (this["Content-Length"] ?? "0") == "0";
    }

    private bool Lists(string header, string token) => (this[header] ?? "")
        .Split(',', StringSplitOptions.TrimEntries).Contains(token, StringComparer.OrdinalIgnoreCase);

    // Visible ASCII, spaces, tabs, and line ends as pairs.
    private static bool IsPlain(ReadOnlySpan<byte> head)
    {
        for (var i = 0; i < head.Length; i++)
        {
            var isLineEnd = head[i] == '\r' && i + 1 < head.Length && head[i + 1] == '\n';
            if (isLineEnd)
            {
                i++;
            }
            else if (head[i] is (< 0x20 and not (byte)'\t') or >= 0x7F)
            {
                return false;
            }
        }

        return true;
    }

    private const string Magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly HashSet<string> SingleHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Authorization", "Origin", "Content-Length", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
    };
}
