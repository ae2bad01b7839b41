using SecureChat.Client.Connection;
using SecureChat.Client.Files;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;

namespace SecureChat.Client;

/// <summary>Files, by way of the server's media relay.</summary>
public sealed partial class ChatClient
{
    /// <summary>
    /// Encrypts a file under a key of its own, uploads it, and sends the message that points to it. A broken line is taken up again.
    /// </summary>
    /// <exception cref="ArgumentException">It is empty, longer than 96 MiB, or of unknown length.</exception>
    /// <exception cref="ServerException">The server refused: <c>quota_used_up</c>, <c>storage_full</c>, …</exception>
    /// <exception cref="HttpRequestException">The server could not be reached for too long: nothing was sent.</exception>
    public async Task<ChatMessage> SendFileAsync(Guid to, OutgoingFile file, IProgress<FileProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(file);
        var media = await Upload.RunAsync(_device, file, progress, ct);
        return await SendAsync(to, new OutgoingMessage { Media = media, ViewOnce = file.ViewOnce }, ct);
    }

    /// <summary>Fetches a file and decrypts it. The server does not learn who fetches it. A broken line is taken up again.</summary>
    /// <param name="media">From a message, or from what <see cref="OpenOnceAsync"/> returned.</param>
    /// <param name="to">Gets the content as it comes: after an exception what it got must be thrown away.</param>
    /// <exception cref="ServerException">The server refused: <c>gone</c>, <c>not_found</c>: its time is over, or others have fetched it.</exception>
    /// <exception cref="SignalException">It is not what the sender has encrypted.</exception>
    /// <exception cref="HttpRequestException">The server could not be reached for too long.</exception>
    public Task DownloadAsync(Media media, Stream to, IProgress<FileProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(media);
        ArgumentNullException.ThrowIfNull(to);
        return Download.RunAsync(_device, media, to, progress, ct);
    }
}
