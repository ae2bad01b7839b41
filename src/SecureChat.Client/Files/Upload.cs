using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Media;

namespace SecureChat.Client.Files;

/// <summary>Encrypts a file on its way to the relay. Spec: docs/protocol/media.md.</summary>
internal static class Upload
{
    /// <summary>Encrypted bytes in one request, about: what is sent again when the line breaks.</summary>
    private const int PartSize = 1024 * 1024;

    private const int MaxNameBytes = 255;
    private const int MaxPreviewBytes = 8 * 1024;
    private const string Version = "1.0.0";

    /// <returns>What the recipient needs to fetch it.</returns>
    public static async Task<Media> RunAsync(Device device, OutgoingFile file, IProgress<FileProgress>? progress, CancellationToken ct)
    {
        var length = Check(file);
        var key = MediaEncryption.NewKey(RandomSource.System);
        using var encryption = new MediaEncryption(key, length);
        var total = MediaFormat.FileLength(length);
        var (address, id) = await AnnounceAsync(device, file, total, ct);
        var until = device.Now + file.Life;
        var part = new byte[PartSize + MediaFormat.EncryptedSegmentSize];
        encryption.WriteHeader(part);
        var (filled, sent) = (MediaFormat.HeaderSize, 0L);
        var content = new byte[MediaFormat.SegmentSize];
        while (sent < total)
        {
            while (filled < PartSize && !encryption.IsDone)
            {
                var piece = content.AsMemory(0, encryption.NextContent);
                await file.Content.ReadExactlyAsync(piece, ct);
                filled += encryption.EncryptNext(piece.Span, part.AsSpan(filled));
            }

            await SendAsync(device, address, part.AsMemory(0, filled), sent, at => progress?.Report(new FileProgress(at, total)), ct);
            (sent, filled) = (sent + filled, 0);
        }

        return new Media
        {
            MediaId = ByteString.CopyFrom(id),
            Key = ByteString.CopyFrom(key),
            Length = (ulong)length,
            ContentType = file.ContentType,
            Name = NameOf(file),
            AvailableUntil = until.Milliseconds(),
            Preview = ByteString.CopyFrom(file.Preview.Span),
            Caption = file.Caption,
        };
    }

    private static long Check(OutgoingFile file)
    {
        long length;
        try
        {
            length = file.Content.Length - file.Content.Position;
        }
        catch (NotSupportedException e)
        {
            throw new ArgumentException("The length of a file must be known before it is sent.", nameof(file), e);
        }

        return length is < 1 or > OutgoingFile.MaxLength ? throw new ArgumentException("A file has 1 byte to 96 MiB.", nameof(file))
            : file.Preview.Length > MaxPreviewBytes ? throw new ArgumentException("A preview has at most 8 KiB.", nameof(file))
            : file.Life < TimeSpan.FromMinutes(1) || file.Life > TimeSpan.FromMinutes(120)
                ? throw new ArgumentException("A file lives 1 to 120 minutes.", nameof(file))
            : length;
    }

    private static string NameOf(OutgoingFile file)
    {
        var name = file.Name[(file.Name.LastIndexOfAny(['/', '\\']) + 1)..];
        while (Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
        {
            name = name[..^(name.Length > 1 && char.IsLowSurrogate(name[^1]) ? 2 : 1)];
        }

        return name;
    }

    /// <summary>The only request that says whose upload it is, and the server forgets it when the file is complete.</summary>
    private static async Task<(string Address, byte[] Id)> AnnounceAsync(Device device, OutgoingFile file, long total, CancellationToken ct)
    {
        var downloads = file.ViewOnce ? 1 : Limits.MaxDevices;
        using var answer = await device.Credentials.WithTokenAsync(
            token => device.Api.SendAsync(
                () =>
                {
                    var request = Request(HttpMethod.Post, "/v1/media");
                    request.Headers.Add("Upload-Length", total.ToString(CultureInfo.InvariantCulture));
                    request.Headers.Add("Upload-Metadata", $"life {Encoded((int)file.Life.TotalMinutes)},downloads {Encoded(downloads)}");
                    return request;
                },
                token,
                ct),
            ct);
        var id = answer.Headers.TryGetValues("Media-Id", out var ids) ? System.Buffers.Text.Base64Url.DecodeFromChars(ids.First()) : [];
        return answer.Headers.Location is { } address && id.Length == Download.IdSize
            ? (address.ToString(), id)
            : throw new Connection.ServerException("unexpected", (int)answer.StatusCode, "The server did not say where to upload.");
    }

    private static async Task SendAsync(
        Device device, string address, ReadOnlyMemory<byte> part, long at, Action<long> report, CancellationToken ct)
    {
        var patience = new Patience(device.Options.Time);
        var offset = at;
        while (offset < at + part.Length)
        {
            try
            {
                var rest = part[(int)(offset - at)..];
                using var answer = await device.Api.SendAsync(
                    () =>
                    {
                        var request = Request(HttpMethod.Patch, address);
                        request.Headers.Add("Upload-Offset", offset.ToString(CultureInfo.InvariantCulture));
                        request.Content = new ReadOnlyMemoryContent(rest);
                        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
                        return request;
                    },
                    accessToken: null,
                    ct);
                offset = at + part.Length;
            }
            catch (Exception e) when (patience.Allows(e, ct))
            {
                await patience.WaitAsync(e, ct);
                var reached = await OffsetAsync(device, address, ct);
                if (reached > offset)
                {
                    patience.Renew();
                }

                offset = reached is { } known && known >= at && known <= at + part.Length ? known : offset;
            }

            report(offset);
        }
    }

    /// <summary>How much the server has; null: it cannot be asked just now.</summary>
    private static async Task<long?> OffsetAsync(Device device, string address, CancellationToken ct)
    {
        try
        {
            using var answer = await device.Api.SendAsync(() => Request(HttpMethod.Head, address), accessToken: null, ct);
            return answer.Headers.TryGetValues("Upload-Offset", out var said)
                && long.TryParse(said.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var offset) ? offset : null;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return null;
        }
    }

    private static HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, path);
        request.Headers.Add("Tus-Resumable", Version);
        return request;
    }

    private static string Encoded(int number) =>
        Convert.ToBase64String(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));
}
