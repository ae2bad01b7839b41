using SecureChat.Client.Accounts;
using SecureChat.Client.Calls;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client;

/// <summary>Conversations.</summary>
public sealed partial class ChatClient
{
    /// <summary>For so long the server keeps a signal of a call: as long as it rings.</summary>
    private const int CallSeconds = 60;

    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(28);

    /// <summary>Sends a text. It is durable when this ends; without a network it waits in the outbox.</summary>
    /// <returns>The message; its <see cref="ChatMessage.Progress"/> tells whether the server has it yet.</returns>
    /// <exception cref="ArgumentException">It is larger than a message may be.</exception>
    public Task<ChatMessage> SendAsync(Guid to, string text, CancellationToken ct) =>
        SendAsync(to, new OutgoingMessage { Text = text }, ct);

    /// <inheritdoc cref="SendAsync(Guid, string, CancellationToken)"/>
    public async Task<ChatMessage> SendAsync(Guid to, OutgoingMessage message, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        var id = await _device.Turns.RunAsync(
            async rows =>
            {
                var content = await AddAsync(rows, to, message.WriteTo, isMessage: true, ct);
                var own = content.Clone();
                if (message.ViewOnce)
                {
                    own.ClearBody();
                }

                await _conversations.ShowAsync(rows, to, Account, own, isFromElsewhere: false, ct);
                return content.Id;
            },
            ct);
        await _housekeeping.SendAsync(ct);
        return await FindAsync(to, Account, id.ToGuid(), ct)
            ?? throw new InvalidOperationException("The message destroyed itself while it was sent.");
    }

    /// <summary>Puts another text in the place of a message of one's own.</summary>
    public Task EditAsync(ChatMessage message, string text, CancellationToken ct) => ChangeAsync(
        message, content => content.Edit = new Edit { Target = message.Id.ToBytes(), Text = new Text { Body = text } }, ct);

    /// <summary>Takes a message of one's own back, on all devices.</summary>
    public Task TakeBackAsync(ChatMessage message, CancellationToken ct) =>
        ChangeAsync(message, content => content.Delete = new DeleteForEveryone { Target = message.Id.ToBytes() }, ct);

    /// <summary>Reacts to a message with one emoji; an empty one takes the reaction back.</summary>
    public Task ReactAsync(ChatMessage message, string emoji, CancellationToken ct) => ChangeAsync(
        message, content => content.Reaction = new Reaction { Target = message.Id.ToBytes(), Emoji = emoji }, ct);

    /// <summary>From now on messages of this conversation destroy themselves: 1 second to 28 days; null: they stay.</summary>
    /// <param name="fromSending">Whether the time begins with sending, not with reading.</param>
    public async Task SetTimerAsync(Guid with, TimeSpan? time, bool fromSending, CancellationToken ct)
    {
        if (time is { } span && (span < TimeSpan.FromSeconds(1) || span > LongestTimer))
        {
            throw new ArgumentOutOfRangeException(nameof(time), "A timer is 1 second to 28 days.");
        }

        var timer = new ExpiryTimer { Seconds = (uint)(time?.TotalSeconds ?? 0), FromSending = fromSending };
        if (await FindGroupAsync(with, ct) is not null)
        {
            await SetGroupTimerAsync(with, timer, ct);
            return;
        }

        await ChangeAsync(with, content => content.ExpiryTimer = timer, ct);
    }

    /// <summary>Tells somebody that the person types, or has stopped; to connected devices of contacts alone.</summary>
    public async Task SendTypingAsync(Guid to, bool stopped, CancellationToken ct)
    {
        var contact = await _device.Turns.RunAsync(rows => Contacts.GetAsync(rows, to, ct).AsTask(), ct);
        if (contact.Accepted)
        {
            await PassAsync(to, content => content.Typing = new Typing { Stopped = stopped }, new Handing(Ephemeral: true), ct);
        }
    }

    /// <summary>Sends one signal of a call, as docs/protocol/calls.md#between-two-people has it delivered.</summary>
    /// <returns>Whether the server took it.</returns>
    public Task<bool> SendCallAsync(Guid to, CallMessage signal, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(signal);
        return PassAsync(to, content => content.Call = signal.Clone(), HandingOf(signal), ct);
    }

    internal static Handing HandingOf(CallMessage signal) => SendCallMessage.DeliveryOf(signal) switch
    {
        CallDelivery.Urgent => new Handing(Urgent: true, ExpiresIn: CallSeconds),
        CallDelivery.Stored => new Handing(ExpiresIn: CallSeconds),
        _ => new Handing(Ephemeral: true),
    };

    /// <summary>The person has read these: timers begin, and contacts are told if the options say so.</summary>
    public Task MarkReadAsync(IReadOnlyCollection<ChatMessage> messages, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return _device.Turns.RunAsync(
            async rows =>
            {
                var at = _device.Now.Milliseconds();
                var read = new Read { At = at };
                foreach (var message in messages.Where(message => message.Sender != Account))
                {
                    var (sender, id) = (message.Sender.ToBytes(), message.Id.ToBytes());
                    if (await _conversations.ReadAsync(rows, message.Conversation, sender, id, at, ct))
                    {
                        read.Contents.Add(Contents.NameOf(message.Conversation.ToBytes(), sender, id));
                        await _receipts.ReadAsync(rows, message.Sender, id, ct);
                    }
                }

                if (read.Contents.Count > 0)
                {
                    await SyncAsync(rows, new SyncMessage { Read = read }, ct);
                }
            },
            ct);
    }

    /// <summary>Opens a message that opens once. Afterwards it is gone, here and on one's other devices.</summary>
    /// <returns>What was inside; null: it was opened before.</returns>
    public Task<OutgoingMessage?> OpenOnceAsync(ChatMessage message, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        return _device.Turns.RunAsync(
            async rows =>
            {
                var (with, sender, id) = (message.Conversation.ToBytes(), message.Sender.ToBytes(), message.Id.ToBytes());
                var record = await rows.ReadAsync(Tables.Messages(with), Tables.Key(sender, id), ct);
                if (record is not { Content.ViewOnce: true } || message.Sender == Account)
                {
                    return null;
                }

                await _receipts.ReadAsync(rows, message.Sender, id, ct);
                await _conversations.EraseAsync(rows, with, sender, id, ct);
                await SyncAsync(rows, new SyncMessage { Opened = new() { Content = Contents.NameOf(with, sender, id) } }, ct);
                return new OutgoingMessage { Text = record.Content.Text?.Body, Media = record.Content.Media, ViewOnce = true };
            },
            ct);
    }

    /// <summary>The messages of a conversation, in the order in which they came or were sent.</summary>
    public Task<IReadOnlyList<ChatMessage>> MessagesAsync(Guid with, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => (IReadOnlyList<ChatMessage>)[.. (await rows.ListAsync(Tables.Messages(with.ToBytes()), ct))
            .Select(row => new ChatMessage(row.Record))],
        ct);

    /// <summary>One message as it stands; null: it was never there, or has destroyed itself.</summary>
    public Task<ChatMessage?> FindAsync(Guid with, Guid sender, Guid id, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => await rows.ReadAsync(Tables.Messages(with.ToBytes()), Tables.Key(sender.ToBytes(), id.ToBytes()), ct) is { } record
            ? new ChatMessage(record)
            : null,
        ct);

    private Task ChangeAsync(ChatMessage message, Action<Content> set, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(message);
        return ChangeAsync(message.Conversation, set, ct);
    }

    private async Task ChangeAsync(Guid with, Action<Content> set, CancellationToken ct)
    {
        await _device.Turns.RunAsync(
            async rows =>
            {
                var content = await AddAsync(rows, with, set, isMessage: false, ct);
                await _conversations.ShowAsync(rows, with, Account, content.Clone(), isFromElsewhere: false, ct);
            },
            ct);
        await _housekeeping.SendAsync(ct);
    }

    /// <summary>Puts a content into the outbox, for its recipient and for one's other devices.</summary>
    private async Task<Content> AddAsync(StoreTransaction rows, Guid to, Action<Content> write, bool isMessage, CancellationToken ct)
    {
        var group = await GroupRecords.FindAsync(rows, to, ct);
        if (group is not null && !group.Has(Account.ToBytes()))
        {
            throw new InvalidOperationException("This account is not in the group.");
        }

        if (group is null)
        {
            await AgreeAsync(rows, to, ct);
        }

        var set = group is null ? (await Contacts.GetAsync(rows, to, ct)).Timer : group.Newest()!.State.Timer;
        var content = await _device.NewContentAsync(rows, write, ct);
        if (isMessage && set is { Seconds: > 0 } timer)
        {
            content.Expiry = new Expiry { Seconds = timer.Seconds, FromSending = timer.FromSending };
        }

        content.Group = group?.Group ?? Google.Protobuf.ByteString.Empty;

        // Too large is told at once, and not found out each time that it is sent, when order, keys and lists have come to it.
        ContentPadding.RequireRoom(content);
        if (group is null)
        {
            await _outbox.AddAsync(rows, to, content.Clone(), urgent: isMessage, ct);
        }
        else
        {
            group.Agreed = true;
            await _groupOutbox.AddAsync(rows, group, content.Clone(), ct);
        }

        var copy = content.Clone();
        if (copy.ViewOnce)
        {
            copy.ClearBody();
        }

        await SyncAsync(rows, new SyncMessage
        {
            Sent = new Sent { Recipient = group is null ? to.ToBytes() : Google.Protobuf.ByteString.Empty, Content = copy },
        }, ct);
        return content;
    }

    private async Task SyncAsync(StoreTransaction rows, SyncMessage sync, CancellationToken ct)
    {
        var own = await Contacts.GetAsync(rows, Account, ct);
        if (own.Devices.Count > 0)
        {
            await _outbox.AddAsync(rows, Account, await _device.NewContentAsync(rows, content => content.Sync = sync, ct), urgent: false, ct);
        }
    }

    /// <summary>Sends what nobody keeps.</summary>
    private async Task<bool> PassAsync(Guid to, Action<Content> set, Handing handing, CancellationToken ct)
    {
        var content = await _device.Turns.RunAsync(
            async rows =>
            {
                var made = await _device.NewContentAsync(rows, set, ct);
                if ((await Contacts.GetAsync(rows, to, ct)).Accepted)
                {
                    made.ProfileKey = Google.Protobuf.ByteString.CopyFrom(_device.ProfileKey);
                }

                return made;
            },
            ct);
        return await new Delivery(_device).HandAsync(to, content, handing, ct) == Handed.Accepted;
    }
}
