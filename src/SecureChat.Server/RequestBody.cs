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
            if (read.IsCompleted || read.Buffer.Length > most)
            {
                var body = read.Buffer.Length > most ? null : read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
