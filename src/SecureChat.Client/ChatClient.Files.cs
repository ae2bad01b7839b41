using SecureChat.Client.Connection;
using SecureChat.Client.Files;
using SecureChat.Client.LocalStore;
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

    /// <summary>Fetches a file that opens once and then opens it: when the way is cut it is still there, to be tried again.</summary>
    /// <param name="to">Told what it is before anything is fetched, and says where it goes; what it throws leaves the message unopened.</param>
    /// <returns>Null: it is no file that opens once, or this account sent it.</returns>
    /// <inheritdoc cref="DownloadAsync"/>
    public async Task<Media?> DownloadOnceAsync(ChatMessage message, Func<Media, Stream> to, IProgress<FileProgress>? progress, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(to);
        var (with, sender, id) = (message.Conversation.ToBytes(), message.Sender.ToBytes(), message.Id.ToBytes());
        var record = await _device.Turns.RunAsync(async rows => await rows.ReadAsync(Tables.Messages(with), Tables.Key(sender, id), ct), ct);
        if (record is not { Content: { ViewOnce: true, Media: { } media } } || message.Sender == Account)
        {
            return null;
        }

        var content = to(media);
        await DownloadAsync(media, content, progress, ct);
        await content.FlushAsync(ct);
        await OpenOnceAsync(message, ct);
        return media;
    }
}
