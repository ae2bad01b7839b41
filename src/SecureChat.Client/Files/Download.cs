using System.Buffers.Text;
using System.Net.Http.Headers;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Media;

namespace SecureChat.Client.Files;

/// <summary>Fetches a file without saying who fetches it, and decrypts it as it comes. Spec: docs/protocol/media.md#downloading.</summary>
internal sealed class Download : IDisposable
{
    public const int IdSize = 24;

    private const string ClaimHeader = "Media-Claim";

    private readonly Device _device;
    private readonly MediaDecryption _decryption;
    private readonly string _path;
    private readonly Stream _to;
    private readonly IProgress<FileProgress>? _progress;
    private readonly long _total;
    private readonly byte[] _segment = new byte[MediaFormat.EncryptedSegmentSize];
    private readonly byte[] _content = new byte[MediaFormat.SegmentSize];
    private string? _claim;
    private bool _hasHeader;
    private int _filled;
    private long _received;

    private Download(Device device, Media media, Stream to, IProgress<FileProgress>? progress)
    {
        (_device, _to, _progress) = (device, to, progress);
        _path = "/v1/media/" + Base64Url.EncodeToString(media.MediaId.Span);
        _decryption = new MediaDecryption(media.Key.Span, checked((long)media.Length));
        _total = MediaFormat.FileLength((long)media.Length);
    }

    public static async Task RunAsync(Device device, Media media, Stream to, IProgress<FileProgress>? progress, CancellationToken ct)
    {
        if (media.MediaId.Length != IdSize || media.Length is 0 or > MediaFormat.MaxContentLength)
        {
            throw new SignalException(SignalError.InvalidMessage, "The message does not point to a file.");
        }

        using var download = new Download(device, media, to, progress);
        await download.RunAsync(ct);
    }

    public void Dispose() => _decryption.Dispose();

    private async Task RunAsync(CancellationToken ct)
    {
        var patience = new Patience(_device.Options.Time);
        while (_received < _total)
        {
            var before = _received;
            try
            {
                await ReceiveAsync(ct);
            }
            catch (Exception e) when (patience.Allows(e, ct))
            {
                if (_received > before)
                {
                    patience.Renew();
                }

                await patience.WaitAsync(e, ct);
            }
        }

        await _to.FlushAsync(ct);
        await FarewellAsync(ct);
    }

    private async Task ReceiveAsync(CancellationToken ct)
    {
        using var answer = await _device.Api.SendAsync(
            () =>
            {
                var request = new HttpRequestMessage(HttpMethod.Get, _path);
                if (_claim is not null)
                {
                    request.Headers.Add(ClaimHeader, _claim);
                    request.Headers.Range = _received > 0 ? new RangeHeaderValue(_received, null) : null;
                }

                return request;
            },
            accessToken: null,
            ct);
        _claim ??= answer.Headers.TryGetValues(ClaimHeader, out var claims) ? claims.First() : null;
        if (answer.Content.Headers.ContentLength is { } length && length != _total - _received)
        {
            throw Damaged();
        }

        await using var body = await answer.Content.ReadAsStreamAsync(ct);
        while (_received < _total)
        {
            var wanted = _hasHeader ? _decryption.NextSegment : MediaFormat.HeaderSize;
            var read = await body.ReadAsync(_segment.AsMemory(_filled, wanted - _filled), ct);
            if (read == 0)
            {
                throw new IOException("The file ended early.");
            }

            (_filled, _received) = (_filled + read, _received + read);
            if (_filled == wanted)
            {
                await TakeInAsync(wanted, ct);
            }
        }
    }

    private async Task TakeInAsync(int length, CancellationToken ct)
    {
        _filled = 0;
        if (!_hasHeader)
        {
            _decryption.ReadHeader(_segment.AsSpan(0, length));
            _hasHeader = true;
            return;
        }

        var written = _decryption.DecryptNext(_segment.AsSpan(0, length), _content);
        await _to.WriteAsync(_content.AsMemory(0, written), ct);
        _progress?.Report(new FileProgress(_received, _total));
    }

    /// <summary>Everything has arrived and was authentic: the server need not keep it for another try.</summary>
    private async Task FarewellAsync(CancellationToken ct)
    {
        try
        {
            using var answer = await _device.Api.SendAsync(
                () =>
                {
                    var request = new HttpRequestMessage(HttpMethod.Delete, _path);
                    request.Headers.Add(ClaimHeader, _claim);
                    return request;
                },
                accessToken: null,
                ct);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ServerException)
        {
            // The claim ends by itself soon.
        }
    }

    private static SignalException Damaged() => new(SignalError.InvalidMessage, "The file does not have the length that its sender gave.");
}
