using System.Buffers;

namespace SecureChat.Server;

/// <summary>Reads request bodies that are bytes, not JSON.</summary>
internal static class RequestBody
{
    /// <summary>The whole body; null: it is larger than <paramref name="most"/> bytes, whatever length was declared.</summary>
    public static async Task<byte[]?> ReadAsync(HttpRequest request, int most, CancellationToken ct)
    {
        if (request.ContentLength > most)
        {
            return null;
        }

        while (true)
        {
            var read = await request.BodyReader.ReadAsync(ct);
            if (read.Buffer.Length > most)
            {
                return null;
            }

            if (read.IsCompleted)
            {
                return read.Buffer.ToArray();
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
