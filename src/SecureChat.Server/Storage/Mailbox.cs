using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Google.Protobuf;
using Microsoft.Extensions.Options;
using SecureChat.Protocol;
using SecureChat.Protocol.Proto;

namespace SecureChat.Server.Storage;

/// <summary>The one door for mail: stores it, and hands it to the connection that waits for it, on whichever node that is.</summary>
/// <remarks>
/// Nothing is stranded between storing and listening: mail is in the queue before its listener is looked up, and a listener is
/// attached before it first reads the queue, so one of the two sees the other. Notices between nodes are hints; what a lost
/// one leaves behind is found by the sweep. Hot-store keys: <c>presence:hash</c>, the node and number of the newest connection.
/// </remarks>
internal sealed class Mailbox(
    IMessageQueue queue, IHotStore hot, NodeNotices notices, IWakeUp wakeUps, IOptions<MailOptions> options, TimeProvider time)
{
    /// <summary>How long presence is believed without being renewed.</summary>
    public static readonly TimeSpan PresenceLife = TimeSpan.FromSeconds(60);

    private readonly ConcurrentDictionary<DeviceAddress, Attachment> _attached = new();
    private readonly ConcurrentDictionary<uint, Attachment> _numbers = new();
    private uint _lastNumber;

    /// <summary>Longest and default life of a message.</summary>
    public TimeSpan Life => options.Value.Life;

    /// <summary>Whether other nodes have the same queues.</summary>
    public bool IsShared => hot.IsShared;

    /// <summary>Attachments of this node.</summary>
    public IEnumerable<Attachment> Attached => _attached.Values;

    /// <summary>Announces what mails will end with, before the first of them is posted.</summary>
    public Task ShareAsync(SharedBody body, DateTimeOffset deadline, CancellationToken ct) => queue.ShareAsync(body, deadline, ct);

    /// <summary>Stores mail for devices of one account and hands it over. Order is settled when the call returns its task.</summary>
    /// <returns>False: a queue is full and nothing was stored. True: it survives <c>kill -9</c>.</returns>
    public async Task<bool> PostAsync(IReadOnlyList<Mail> mail, CancellationToken ct)
    {
        var positions = await queue.AppendAsync(mail, (index, position, previous) => Hand(mail[index], position, previous), ct);
        if (positions is null)
        {
            return false;
        }

        for (var i = 0; i < positions.Length; i++)
        {
            var to = mail[i].To;
            if (positions[i] == 0 || _attached.ContainsKey(to)
                || (hot.IsShared && await NotifyAsync(to, ReadOnlyMemory<byte>.Empty, ct)))
            {
                continue;
            }

            if (mail[i].Urgent)
            {
                await wakeUps.MailWaitsAsync(to, ct);
            }
        }

        return true;
    }

    /// <summary>Whether any node has a connection of the device.</summary>
    public async Task<bool> IsConnectedAsync(DeviceAddress device, CancellationToken ct) =>
        _attached.ContainsKey(device) || (hot.IsShared && await hot.GetAsync(PresenceKey(device), ct) is not null);

    /// <summary>Tells devices something on the server's own behalf. A device whose queue is full is not told.</summary>
    public async Task PostEventAsync(Guid account, IReadOnlyList<int> devices, Event e, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var id = Ids.New().ToByteArray(bigEndian: true);
        ReadOnlyMemory<byte> envelope = new Envelope
        {
            Id = UnsafeByteOperations.UnsafeWrap(id),
            Type = ContentType.Event,
            Timestamp = (ulong)now.ToUnixTimeMilliseconds(),
            ServerTime = CoarseSeconds(now),
            Content = e.ToByteString(),
        }.ToByteArray();

        // One by one: a full queue of one device does not keep the others from knowing.
        var once = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(id);
        foreach (var device in devices)
        {
            await PostAsync([new Mail(new DeviceAddress(account, device), once + (UInt128)device, now + Life, envelope)], ct);
        }
    }

    /// <summary>Hands an envelope to the device if it is connected anywhere; it is never stored.</summary>
    public Task PostLiveAsync(DeviceAddress to, ReadOnlyMemory<byte> envelope, CancellationToken ct)
    {
        if (_attached.TryGetValue(to, out var attachment))
        {
            attachment.Listener.OnLive(envelope);
            return Task.CompletedTask;
        }

        return hot.IsShared ? NotifyAsync(to, envelope, ct) : Task.CompletedTask;
    }

    /// <summary>Makes <paramref name="listener"/> the one that gets this device's mail; the one before it is displaced, on any node.</summary>
    /// <remarks>To be called before the queue is first read.</remarks>
    public async Task<Attachment> AttachAsync(DeviceAddress device, IMailListener listener, CancellationToken ct)
    {
        var attachment = new Attachment(device, Interlocked.Increment(ref _lastNumber), listener);
        _numbers[attachment.Number] = attachment;
        Attachment? before = null;
        _attached.AddOrUpdate(device, attachment, (_, old) =>
        {
            before = old;
            return attachment;
        });
        if (before is not null)
        {
            _numbers.TryRemove(before.Number, out _);
            before.Listener.OnDisplaced();
        }

        try
        {
            // What the device acknowledged there a moment ago must not be read again here.
            await (before?.Listener.SettledAsync() ?? Task.CompletedTask).WaitAsync(ct);
            await ShowPresenceAsync(attachment, ct);
            return attachment;
        }
        catch
        {
            // The connection ended meanwhile, or the store did not answer: nobody will detach what was never returned.
            await DetachAsync(attachment, CancellationToken.None);
            throw;
        }
    }

    public async Task DetachAsync(Attachment attachment, CancellationToken ct)
    {
        _numbers.TryRemove(attachment.Number, out _);
        var wasCurrent = _attached.TryRemove(KeyValuePair.Create(attachment.Device, attachment));
        if (wasCurrent
            && (!hot.IsShared
                || await hot.RemoveIfAsync(PresenceKey(attachment.Device), notices.Route(attachment.Number), ct)))
        {
            await wakeUps.DisconnectedAsync(attachment.Device, ct);
        }
    }

    /// <summary>Prolongs the presence of one connection; a newer one elsewhere is not overwritten.</summary>
    public async Task RenewAsync(Attachment attachment, CancellationToken ct)
    {
        if (!hot.IsShared || !_attached.TryGetValue(attachment.Device, out var current) || current != attachment)
        {
            return;
        }

        var key = PresenceKey(attachment.Device);
        var route = notices.Route(attachment.Number);
        var known = await hot.GetAsync(key, ct);
        if (known is null || known.AsSpan().SequenceEqual(route.Span))
        {
            await hot.SetAsync(key, route, PresenceLife, ct);
        }
        else if (!notices.IsHere(known))
        {
            Displaced(attachment, known);
        }
    }

    /// <summary>What another node has to say about a connection of this one.</summary>
    public void OnNotice(NodeNotice notice)
    {
        if (!_numbers.TryGetValue(notice.Number, out var attachment))
        {
            return;
        }

        switch (notice.Kind)
        {
            case NodeNoticeKind.Mail:
                attachment.Listener.OnWaiting();
                break;
            case NodeNoticeKind.Live:
                attachment.Listener.OnLive(notice.Content.ToArray());
                break;
            case NodeNoticeKind.Displaced:
                Displaced(attachment, notice.Content.Span);
                break;
        }
    }

    /// <summary>Seconds since 1970, rounded down to a minute: exact times would tell too much.</summary>
    public static ulong CoarseSeconds(DateTimeOffset now) => (ulong)(now.ToUnixTimeSeconds() / 60 * 60);

    private static string PresenceKey(DeviceAddress device)
    {
        Span<byte> name = stackalloc byte[17];
        device.Account.TryWriteBytes(name, bigEndian: true, out _);
        name[16] = (byte)device.Device;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        return $"{HotKeys.Presence}:{Base64Url.EncodeToString(hash[..16])}";
    }

    private async Task ShowPresenceAsync(Attachment attachment, CancellationToken ct)
    {
        if (!hot.IsShared)
        {
            return;
        }

        var (key, route) = (PresenceKey(attachment.Device), notices.Route(attachment.Number));
        var elsewhere = await hot.GetAsync(key, ct);
        await hot.SetAsync(key, route, PresenceLife, ct);
        if (elsewhere is not null && !notices.IsHere(elsewhere))
        {
            notices.Displace(elsewhere, route.Span);
        }
    }

    private bool Hand(Mail mail, long position, long previous) =>
        _attached.TryGetValue(mail.To, out var attachment)
        && attachment.Listener.OnMail(position, previous, mail.Whole);

    // False: it is connected nowhere.
    private async Task<bool> NotifyAsync(DeviceAddress to, ReadOnlyMemory<byte> live, CancellationToken ct)
    {
        if (await hot.GetAsync(PresenceKey(to), ct) is not { } route)
        {
            return false;
        }

        if (notices.IsHere(route))
        {
            // It attached here while the mail was being stored.
            if (_attached.TryGetValue(to, out var attachment))
            {
                attachment.Listener.OnWaiting();
            }
        }
        else if (live.IsEmpty)
        {
            notices.Mail(route);
        }
        else
        {
            notices.Live(route, live.Span);
        }

        return true;
    }

    // Mail that was handed to the displaced connection is still queued, and the newer one may have read the queue before that.
    private void Displaced(Attachment attachment, ReadOnlySpan<byte> by)
    {
        _numbers.TryRemove(attachment.Number, out _);
        _attached.TryRemove(KeyValuePair.Create(attachment.Device, attachment));
        attachment.Listener.OnDisplaced();
        notices.Mail(by);
    }
}

/// <summary>Who gets a device's mail. Every method is called from anywhere, also under the queue's lock: it must not block or call back.</summary>
internal interface IMailListener
{
    /// <summary>New mail, stored or about to be. Calls may come out of order; <paramref name="previous"/> tells.</summary>
    /// <param name="previous">Whoever has seen everything up to this position misses nothing before <paramref name="position"/>.</param>
    /// <returns>Whether it was sent to the device, so that its acknowledgement may soon follow.</returns>
    bool OnMail(long position, long previous, ReadOnlyMemory<byte> envelope);

    /// <summary>Mail may wait in the queue that was not handed over.</summary>
    void OnWaiting();

    /// <summary>An envelope that is not stored anywhere.</summary>
    void OnLive(ReadOnlyMemory<byte> envelope);

    /// <summary>A newer connection of the device took its place.</summary>
    void OnDisplaced();

    /// <summary>Completes when all that the device has acknowledged here so far has left the queue, or could not.</summary>
    Task SettledAsync() => Task.CompletedTask;
}

/// <summary>One listening connection.</summary>
/// <param name="Number">Names it in notices to this node; never used again.</param>
internal sealed record Attachment(DeviceAddress Device, uint Number, IMailListener Listener);
