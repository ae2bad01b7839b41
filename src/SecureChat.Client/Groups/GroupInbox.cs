using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Groups;

namespace SecureChat.Client.Groups;

/// <summary>
/// What comes for a group: shown only if its sender is in the state that it speaks of, and that state is this device's own (attack K4).
/// Spec: docs/protocol/groups.md#messages.
/// </summary>
internal sealed class GroupInbox(Device device)
{
    /// <summary>Contents of one group that wait for a newer state; beyond that the sender's outbox has to come again.</summary>
    private const int MaxHeld = 32;

    /// <summary>Newer versions of one group that others have told of.</summary>
    private const int MaxPending = 8;

    /// <summary>Groups that somebody has added this account to and whose state has not been fetched.</summary>
    private const int MaxJoining = 100;

    /// <summary>Takes in a content that names a group.</summary>
    /// <returns>Whether it is to be kept and shown now.</returns>
    public async Task<bool> AdmitAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        var content = arrived.Content;
        if (content.Group.Length != GroupRules.IdSize)
        {
            return false;
        }

        var record = await GroupRecords.FindAsync(rows, GroupRecords.ConversationOf(content.Group), ct);
        if (content is { Order: null, BodyCase: Content.BodyOneofCase.GroupUpdate })
        {
            await LearnAsync(rows, record, arrived, ct);
            return false;
        }

        if (record is null || content is not { Order.Sequence: > 0, GroupPoint.Hash.Length: GroupRules.HashSize }
            || content.BodyCase is Content.BodyOneofCase.ExpiryTimer or Content.BodyOneofCase.Sync)
        {
            return false;
        }

        return await IsAdmittedAsync(rows, record, arrived, ct);
    }

    /// <summary>Contents that waited for a state which is here now.</summary>
    public async Task<IReadOnlyList<Arrived>> ReleaseAsync(StoreTransaction rows, CancellationToken ct)
    {
        var released = new List<Arrived>();
        foreach (var (_, record) in await rows.ListAsync(Tables.Groups, ct))
        {
            var version = record.Newest()?.State.Version ?? 0;
            var ready = record.Held.Where(held => held.Content.GroupPoint.Version <= version).ToList();
            foreach (var held in ready)
            {
                record.Held.Remove(held);
                GroupRecords.Put(rows, record);
                var arrived = new Arrived(held.Sender.ToGuid(), held.Device, held.Content);
                if (await IsAdmittedAsync(rows, record, arrived, ct))
                {
                    released.Add(arrived);
                }
            }
        }

        return released;
    }

    private async Task<bool> IsAdmittedAsync(StoreTransaction rows, GroupRecord record, Arrived arrived, CancellationToken ct)
    {
        var (sender, point) = (arrived.Sender.ToBytes(), arrived.Content.GroupPoint);
        if (point.Version > (record.Newest()?.State.Version ?? 0))
        {
            Hold(rows, record, arrived);
            return false;
        }

        GroupFault? fault = !record.Has(sender) || record.IsLeft ? GroupFault.NotAMember
            : record.Known.FirstOrDefault(known => known.Version == point.Version) is not { } known ? GroupFault.OutOfReach
            : known.Hash != point.Hash ? GroupFault.Forked
            : await HasOtherIdentityAsync(rows, record, sender, ct) ? GroupFault.OtherIdentity
            : null;
        if (fault is { } refused)
        {
            GroupStates.Tell(rows, device, GroupRecords.ConversationOf(record.Group), refused, sender);
        }

        return fault is null;
    }

    private async Task<bool> HasOtherIdentityAsync(StoreTransaction rows, GroupRecord record, ByteString account, CancellationToken ct) =>
        account != device.Account.ToBytes()
        && (await Contacts.GetAsync(rows, account.ToGuid(), ct)).IdentityKey
            != GroupRules.MemberOf(record.Newest()!.State, account)!.IdentityKey;

    private void Hold(StoreTransaction rows, GroupRecord record, Arrived arrived)
    {
        var point = arrived.Content.GroupPoint;
        if (record.Held.Count < MaxHeld && record.Held.All(held => held.Content.Id != arrived.Content.Id))
        {
            record.Held.Add(new HeldContent
            {
                Content = arrived.Content,
                Device = arrived.Device,
                Sender = arrived.Sender.ToBytes(),
                ReceivedAt = device.Now.Milliseconds(),
            });
        }

        AddPending(record, new GroupAnchor { Version = point.Version, Hash = point.Hash, Account = arrived.Sender.ToBytes() });
        GroupRecords.Put(rows, record);
        rows.Afterwards(device.Wake);
    }

    /// <summary>A member, or somebody who adds this account, tells of a version and of how to read it.</summary>
    private async Task LearnAsync(StoreTransaction rows, GroupRecord? record, Arrived arrived, CancellationToken ct)
    {
        var (content, sender, update) = (arrived.Content, arrived.Sender.ToBytes(), arrived.Content.GroupUpdate);
        if (update.Version == 0 || update.Hash.Length != GroupRules.HashSize || update.Secret.Length is not (0 or GroupSecret.Size))
        {
            return;
        }

        if (record is null)
        {
            if (update.Secret.IsEmpty || (await rows.ListAsync(Tables.Groups, ct)).Count(row => row.Record.Newest() is null) >= MaxJoining)
            {
                return;
            }

            record = new GroupRecord { Group = content.Group, Secret = update.Secret };
        }

        // Who has left speaks for the version in which it did.
        var newest = record.Newest();
        if (record.Known.Any(known => known.Version == update.Version && known.Hash == update.Hash) && !record.Has(sender))
        {
            return;
        }

        // A newer version may have been told by somebody who is only in that one.
        if (newest is not null && !record.IsLeft && !record.Has(sender) && sender != device.Account.ToBytes()
            && update.Version <= newest.State.Version)
        {
            GroupStates.Tell(rows, device, GroupRecords.ConversationOf(record.Group), GroupFault.NotAMember, sender);
            return;
        }

        if (update.Version > (newest?.State.Version ?? 0))
        {
            AddPending(record, new GroupAnchor { Version = update.Version, Hash = update.Hash, Secret = update.Secret, Account = sender });
            record.NextTry = 0;
        }

        GroupRecords.Put(rows, record);
        rows.Afterwards(device.Wake);
        if (!content.SenderKey.IsEmpty)
        {
            await LearnKeyAsync(rows, arrived, ct);
        }
    }

    private static async Task LearnKeyAsync(StoreTransaction rows, Arrived arrived, CancellationToken ct)
    {
        try
        {
            await new SenderKeys(rows).LearnAsync(
                Device.AddressOf(arrived.Sender, (int)arrived.Device), arrived.Content.Group, arrived.Content.SenderKey, ct);
        }
        catch (SignalException)
        {
            // Malformed: what it sends under that key will not be read, and is asked for again.
        }
    }

    private static void AddPending(GroupRecord record, GroupAnchor anchor)
    {
        if (record.Pending.Any(known => known.Version == anchor.Version && known.Hash == anchor.Hash && known.Account == anchor.Account
            && known.Secret == anchor.Secret))
        {
            return;
        }

        record.Pending.Add(anchor);
        while (record.Pending.Count > MaxPending)
        {
            record.Pending.RemoveAt(0);
        }
    }
}
