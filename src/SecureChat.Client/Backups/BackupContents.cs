using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;
using SecureChat.Signal.Media;

namespace SecureChat.Client.Backups;

/// <summary>
/// What of a device is in a backup, and how it comes back. Never: sessions, keys, messages that destroy themselves or open once, keys of
/// files. Spec: docs/protocol/backups.md#what-is-in-it.
/// </summary>
internal static class BackupContents
{
    private const int IdSize = 16;

    /// <summary>Everything that is backed up, as one body.</summary>
    /// <exception cref="BackupException">It is too large.</exception>
    public static async Task<byte[]> CollectAsync(StoreTransaction rows, Guid account, CancellationToken ct)
    {
        var items = new List<BackupItem>();
        foreach (var (_, contact) in await rows.ListAsync(Tables.Contacts, ct))
        {
            if (contact.Account.ToGuid() == account)
            {
                continue;
            }

            items.Add(new BackupItem { Contact = Of(contact) });
            items.AddRange(await MessagesAsync(rows, contact.Account, ct));
        }

        foreach (var (_, group) in await rows.ListAsync(Tables.Groups, ct))
        {
            if (group.Newest() is { } newest)
            {
                items.Add(new BackupItem { Group = new BackupGroup { Group = group.Group, Newest = newest.Signed } });
                items.AddRange(await MessagesAsync(rows, GroupRecords.ConversationOf(group.Group).ToBytes(), ct));
            }
        }

        var head = new BackupHead
        {
            Account = account.ToBytes(),
            Contacts = (ulong)items.Count(item => item.ItemCase == BackupItem.ItemOneofCase.Contact),
            Messages = (ulong)items.Count(item => item.ItemCase == BackupItem.ItemOneofCase.Message),
        };
        items.Insert(0, new BackupItem { Head = head });
        if (items.Sum(item => (long)item.CalculateSize() + 5) > MediaFormat.MaxContentLength)
        {
            throw new BackupException(BackupFault.TooLarge);
        }

        using var body = new MemoryStream();
        foreach (var item in items)
        {
            item.WriteDelimitedTo(body);
        }

        return body.ToArray();
    }

    /// <summary>Reads a body, whole.</summary>
    /// <exception cref="BackupException">It is none.</exception>
    public static (BackupHead Head, IReadOnlyList<BackupItem> Items) Read(byte[] body)
    {
        var items = new List<BackupItem>();
        try
        {
            using var stream = new MemoryStream(body);
            while (stream.Position < stream.Length)
            {
                items.Add(BackupItem.Parser.ParseDelimitedFrom(stream));
            }
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new BackupException(BackupFault.Damaged, e);
        }

        return items is [{ Head: { Account.Length: IdSize } head }, ..] && items.Skip(1).All(IsWhole)
            ? (head, items)
            : throw new BackupException(BackupFault.Damaged);
    }

    /// <summary>Puts everything into a device's store that is not there yet.</summary>
    public static async Task RestoreAsync(
        StoreTransaction rows, Guid account, BackupHead head, IReadOnlyList<BackupItem> items, CancellationToken ct)
    {
        foreach (var item in items)
        {
            switch (item.ItemCase)
            {
                case BackupItem.ItemOneofCase.Contact when item.Contact.Account.ToGuid() != account:
                    await RestoreAsync(rows, item.Contact, ct);
                    break;
                case BackupItem.ItemOneofCase.Group:
                    await RestoreAsync(rows, item.Group, ct);
                    break;
                case BackupItem.ItemOneofCase.Message:
                    await RestoreAsync(rows, account, head.Account, item.Message, ct);
                    break;
            }
        }
    }

    private static async Task<IEnumerable<BackupItem>> MessagesAsync(StoreTransaction rows, ByteString conversation, CancellationToken ct) =>
        (await rows.ListAsync(Tables.Messages(conversation), ct))
            .Where(row => row.Record.Content is { Expiry: null, ViewOnce: false })
            .Select(row => new BackupItem { Message = Of(row.Record) });

    private static BackupContact Of(ContactRecord contact) => new()
    {
        Account = contact.Account,
        IdentityKey = contact.IdentityKey,
        Verified = contact.Verified,
        Accepted = contact.Accepted,
        Blocked = contact.Blocked,
        ProfileKey = contact.ProfileKey,
        Name = contact.Name,
        Timer = contact.Timer,
        TimerTimestamp = contact.TimerTimestamp,
        SendsNoBeacon = contact.SendsNoBeacon,
    };

    private static BackupMessage Of(MessageRecord message)
    {
        var content = message.Content.Clone();
        if (content.Media is { } media)
        {
            // The relay has forgotten the file long before anybody restores: its key has no use but to be stolen.
            (media.Key, media.MediaId, media.Preview) = (ByteString.Empty, ByteString.Empty, ByteString.Empty);
        }

        return new BackupMessage
        {
            Conversation = message.Conversation,
            Sender = message.Sender,
            Content = content,
            Received = message.ReceivedAt,
            Read = message.ReadAt,
            TakenBack = message.Deleted,
            Edited = message.EditedAt,
            Progress = (uint)message.Progress,
            Reactions =
            {
                message.Reactions.Select(one => new BackupReaction { Sender = one.Sender, Emoji = one.Emoji, Timestamp = one.Timestamp }),
            },
        };
    }

    private static bool IsWhole(BackupItem item) => item.ItemCase switch
    {
        BackupItem.ItemOneofCase.Head => false,
        BackupItem.ItemOneofCase.Contact => item.Contact.Account.Length == IdSize,
        BackupItem.ItemOneofCase.Message =>
            item.Message is { Conversation.Length: IdSize, Sender.Length: IdSize, Content.Id.Length: IdSize },
        BackupItem.ItemOneofCase.Group =>
            item.Group is { Newest: { } newest } && GroupRules.Read(new GroupHistory { Versions = { newest } }, item.Group.Group) is not null,

        // What a later version has added.
        _ => true,
    };

    // Without its secret and for an account that is not in it: it is read, and joined again like any other.
    private static async Task RestoreAsync(StoreTransaction rows, BackupGroup kept, CancellationToken ct)
    {
        var record = new GroupRecord { Group = kept.Group, History = new GroupHistory { Versions = { kept.Newest } }, IsLeft = true };
        if (await GroupRecords.FindAsync(rows, GroupRecords.ConversationOf(kept.Group), ct) is null && record.Newest() is { } newest)
        {
            record.Known.Add(new GroupAnchor { Version = newest.State.Version, Hash = newest.Hash });
            GroupRecords.Put(rows, record);
        }
    }

    private static async Task RestoreAsync(StoreTransaction rows, BackupContact kept, CancellationToken ct)
    {
        var contact = await Contacts.GetAsync(rows, kept.Account.ToGuid(), ct);
        if (contact.IdentityKey.IsEmpty)
        {
            // With another identity than the backup's, the person is told, as of any change.
            (contact.IdentityKey, contact.Verified) = (kept.IdentityKey, kept.Verified);
        }

        contact.Accepted |= kept.Accepted;
        contact.Blocked |= kept.Blocked;
        contact.SendsNoBeacon |= kept.SendsNoBeacon;
        contact.ProfileKey = contact.ProfileKey.IsEmpty ? kept.ProfileKey : contact.ProfileKey;
        contact.Name = contact.Name.Length == 0 ? kept.Name : contact.Name;
        if (kept.TimerTimestamp > contact.TimerTimestamp)
        {
            (contact.Timer, contact.TimerTimestamp) = (kept.Timer, kept.TimerTimestamp);
        }

        Contacts.Put(rows, contact);
    }

    private static async Task RestoreAsync(
        StoreTransaction rows, Guid account, ByteString earlierAccount, BackupMessage kept, CancellationToken ct)
    {
        ByteString Now(ByteString sender) => sender == earlierAccount ? account.ToBytes() : sender;
        var (table, name) = (Tables.Messages(kept.Conversation), Tables.Key(Now(kept.Sender), kept.Content.Id));
        if (await rows.ReadAsync(table, name, ct) is not null)
        {
            return;
        }

        rows.Put(table, name, new MessageRecord
        {
            Conversation = kept.Conversation,
            Sender = Now(kept.Sender),
            Id = kept.Content.Id,
            Content = kept.Content,
            ReceivedAt = kept.Received,
            ReadAt = kept.Read,
            Deleted = kept.TakenBack,
            EditedAt = kept.Edited,

            // Nobody keeps what had not been sent: the outbox is not in a backup.
            Progress = kept.Progress == 0 ? MessageProgress.NotDelivered : (MessageProgress)kept.Progress,
            Reactions =
            {
                kept.Reactions.Select(one => new ReactionRecord { Sender = Now(one.Sender), Emoji = one.Emoji, Timestamp = one.Timestamp }),
            },
        });
    }
}
