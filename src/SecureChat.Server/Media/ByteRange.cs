using Microsoft.Net.Http.Headers;

namespace SecureChat.Server.Media;

/// <summary>The bytes of a file that a request asks for (RFC 9110, section 14): all, or one range.</summary>
internal readonly record struct ByteRange(long From, long Count, bool IsPart)
{
    /// <summary>Null: a range that the file does not have, or more than one.</summary>
    public static ByteRange? Of(HttpRequest request, long length)
    {
        // If-Range asks whether the file is still the same; without validators it never is known to be, and all is sent.
        if (request.Headers.Range.Count is 0 || request.Headers.IfRange.Count > 0)
        {
            return new ByteRange(0, length, false);
        }

        if (!RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var header)
            || header.Unit != "bytes" || header.Ranges is not { Count: 1 })
        {
            return null;
        }

        var range = header.Ranges.First();
        var from = range.From ?? Math.Max(0, length - range.To!.Value);
        var to = range.From is null ? length - 1 : Math.Min(range.To ?? long.MaxValue, length - 1);
        return from < length && from <= to ? new ByteRange(from, to - from + 1, true) : null;
    }
}
