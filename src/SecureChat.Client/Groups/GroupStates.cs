using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using SecureChat.Signal.Groups;

namespace SecureChat.Client.Groups;

/// <summary>
/// The state of groups: fetched, believed only as far as members have signed it, and changed version by version.
/// Spec: docs/protocol/groups.md#what-members-check.
/// </summary>
internal sealed class GroupStates(Device device, GroupOutbox outbox)
{
    private const int MaxKnown = 64;
    private const int MaxAttempts = 8;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMinutes(1);

    private readonly GroupStateServer _server = new(device);

    /// <summary>Changes a group as the person asks, on top of whatever others change at the same time.</summary>
    /// <param name="edit">Makes the change; false: there is nothing to change any more.</param>
    /// <exception cref="InvalidOperationException">Not a group of this account, or its role does not allow the change.</exception>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached; the change may have been made.</exception>
    public async Task ChangeAsync(Guid conversation, Func<GroupVersion, bool> edit, CancellationToken ct)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (await device.Turns.RunAsync(rows => PrepareAsync(rows, conversation, edit, ct), ct) is not { } change)
            {
                return;
            }

            try
            {
                await _server.PutAsync(change, ct);
                await device.Turns.RunAsync(
                    async rows =>
                    {
                        await AcceptAsync(rows, conversation, change.Steps, change.NewSecret ?? change.Secret, ct);
                        await AnnounceAsync(rows, conversation, ct);
                    },
                    ct);
                await outbox.TellAsync(conversation, Untold(change.Steps), ct);
                return;
            }
            catch (ServerException lost) when (lost.Code == "version_conflict")
            {
                // Somebody was first; or it was this very change, and its answer was lost.
                await SyncAsync(conversation, ct);
                var newest = await device.Turns.RunAsync(
                    async rows => (await GroupRecords.FindAsync(rows, conversation, ct))?.Newest(), ct);
                if (newest?.Hash == change.Steps[^1].Hash)
                {
                    await device.Turns.RunAsync(rows => AnnounceAsync(rows, conversation, ct), ct);
                    return;
                }
            }
        }

        throw new InvalidOperationException("Others change the group all the time. Try again.");
    }

    /// <summary>Makes a group, first here and then on the server.</summary>
    public async Task<Guid> CreateAsync(GroupVersion first, CancellationToken ct)
    {
        var record = new GroupRecord { Group = first.Group, Secret = Ids.RandomBytes(GroupSecret.Size) };
        var signed = GroupRules.Sign(first, device.Identity.PrivateKey);
        var step = new GroupStep(first, signed, GroupRules.HashOf(signed));
        if (GroupRules.Read(new GroupHistory { Versions = { signed } }, first.Group) is null)
        {
            throw new ArgumentException("A name has at most 256 bytes, a picture 8 KiB, and a group 1000 members.");
        }

        await _server.PutAsync(new GroupChange(record.Group, record.Secret, null, [step]), ct);
        var conversation = GroupRecords.ConversationOf(record.Group);
        await device.Turns.RunAsync(
            async rows =>
            {
                GroupRecords.Put(rows, record);
                await AcceptAsync(rows, conversation, [step], record.Secret, ct);
                await AnnounceAsync(rows, conversation, ct);
            },
            ct);
        return conversation;
    }

    /// <summary>Fetches the state of a group and takes in what follows from the version that this device has.</summary>
    public async Task SyncAsync(Guid conversation, CancellationToken ct)
    {
        if (await device.Turns.RunAsync(async rows => await GroupRecords.FindAsync(rows, conversation, ct), ct) is not { } record)
        {
            return;
        }

        // The newest secret first: under an older one there is nothing, or what a server that lies has kept.
        var secrets = record.Pending.Where(anchor => anchor.Secret.Length == GroupSecret.Size).OrderByDescending(anchor => anchor.Version)
            .Select(anchor => anchor.Secret).Append(record.Secret).Where(secret => !secret.IsEmpty).Distinct();
        var fault = GroupFault.NotFound;
        foreach (var secret in secrets)
        {
            var (history, refused) = await _server.FetchAsync(record.Group, secret, ct);
            if (history is not null)
            {
                var judged = GroupHistories.Judge(record, history, secret, device.Account.ToBytes());
                refused = judged.Fault;
                if (refused is null)
                {
                    await device.Turns.RunAsync(rows => TakeAsync(rows, conversation, record, judged.Steps, secret, ct), ct);
                    return;
                }
            }

            fault = refused ?? fault;
        }

        await device.Turns.RunAsync(rows => RefuseAsync(rows, conversation, fault, ct), ct);
    }

    /// <summary>Fetches states of which others have said that there are newer versions.</summary>
    /// <returns>When the next one is due; null: none.</returns>
    public async Task<DateTimeOffset?> RunAsync(CancellationToken ct)
    {
        DateTimeOffset? next = null;
        void Consider(DateTimeOffset due) => next = next is null || due < next ? due : next;
        foreach (var (_, record) in await device.Turns.RunAsync(async rows => await rows.ListAsync(Tables.Groups, ct), ct))
        {
            var conversation = GroupRecords.ConversationOf(record.Group);
            if (record.NextTry <= device.Now.Milliseconds())
            {
                try
                {
                    await RunAsync(conversation, record, ct);
                }
                catch (ServerException)
                {
                    // This one later; the others have nothing to do with it.
                    await device.Turns.RunAsync(rows => PostponeAsync(rows, conversation, ct), ct);
                }
                catch (HttpRequestException)
                {
                    // As soon as there is a network again.
                    Consider(device.Now + Jitter.Of(PauseAfterFailure));
                }
            }

            var due = await device.Turns.RunAsync(async rows => await GroupRecords.FindAsync(rows, conversation, ct), ct);
            if (due is { Refusals: > 0 } && due.NextTry > device.Now.Milliseconds())
            {
                Consider(due.NextTry.ToTime());
            }
        }

        return next;
    }

    private async Task RunAsync(Guid conversation, GroupRecord record, CancellationToken ct)
    {
        var newest = record.Newest();
        if (newest is not null && record.LeftEpoch > newest.State.Epoch && IsAdmin(newest)
            && await device.Turns.RunAsync(rows => GroupRecords.IsAgreedAsync(rows, record, ct), ct))
        {
            await RotateAsync(conversation, record.LeftEpoch, ct);
        }

        if (record.Pending.Any(anchor => anchor.Version > (newest?.State.Version ?? 0)))
        {
            await SyncAsync(conversation, ct);
        }
    }

    // Whoever left by themselves knows the secret: the first admin who sees it makes another.
    private async Task RotateAsync(Guid conversation, uint epoch, CancellationToken ct)
    {
        try
        {
            await ChangeAsync(conversation, state => Rotates(state, epoch), ct);
        }
        catch (InvalidOperationException)
        {
            // Another admin was faster, and has taken the role from this one.
        }
    }

    private static bool Rotates(GroupVersion state, uint epoch)
    {
        var isOwed = state.Epoch < epoch;
        state.Epoch = isOwed ? epoch : state.Epoch;
        return isOwed;
    }

    private bool IsAdmin(GroupStep newest) =>
        GroupRules.MemberOf(newest.State, device.Account.ToBytes()) is { Role: GroupRole.Admin };

    private async Task<GroupChange?> PrepareAsync(StoreTransaction rows, Guid conversation, Func<GroupVersion, bool> edit, CancellationToken ct)
    {
        var own = device.Account.ToBytes();
        if (await GroupRecords.FindAsync(rows, conversation, ct) is not { } record || record.Newest() is not { } before || record.IsLeft || !record.Has(own))
        {
            throw new InvalidOperationException("There is no such group, or this account is not in it.");
        }

        var next = GroupRules.Next(before, own);
        if (!edit(next))
        {
            return null;
        }

        var isRemoving = before.State.Members.Any(member => member.Account != own && GroupRules.MemberOf(next, member.Account) is null);
        next.Epoch = isRemoving ? before.State.Epoch + 1 : next.Epoch;
        var signed = GroupRules.Sign(next, device.Identity.PrivateKey);
        var step = new GroupStep(next, signed, GroupRules.HashOf(signed));
        if (GroupRules.Read(new GroupHistory { Versions = { signed } }, record.Group) is null || !GroupRules.Follows(before, step))
        {
            throw new InvalidOperationException("Only an admin may do that, a group has an admin, and at most 1000 members.");
        }

        ByteString? fresh = null;
        if (next.Epoch != before.State.Epoch)
        {
            // Durable before the server has it: nobody else knows it.
            fresh = Ids.RandomBytes(GroupSecret.Size);
            record.Pending.Add(new GroupAnchor { Version = next.Version, Hash = step.Hash, Secret = fresh, Account = own });
            GroupRecords.Put(rows, record);
        }

        return new GroupChange(record.Group, record.Secret, fresh, [.. GroupRules.Read(record.History, record.Group)!, step]);
    }

    /// <summary>Accepts what is newer than what this device had, and tells when the server keeps to itself what a member had said before it was asked.</summary>
    private async Task TakeAsync(
        StoreTransaction rows, Guid conversation, GroupRecord asked, IReadOnlyList<GroupStep> steps, ByteString secret, CancellationToken ct)
    {
        var own = device.Account.ToBytes();
        var newest = steps[^1].State.Version;
        var isWithheld = asked.Pending.Any(anchor => anchor.Version > newest && anchor.Account != own && asked.Has(anchor.Account));
        if (!isWithheld || newest > (asked.Newest()?.State.Version ?? 0))
        {
            await AcceptAsync(rows, conversation, steps, secret, ct);
        }

        if (isWithheld)
        {
            await RefuseAsync(rows, conversation, GroupFault.RolledBack, ct);
        }
    }

    private async Task AcceptAsync(
        StoreTransaction rows, Guid conversation, IReadOnlyList<GroupStep> steps, ByteString secret, CancellationToken ct)
    {
        var record = await GroupRecords.FindAsync(rows, conversation, ct)
            ?? throw new LocalStoreException("The group is gone from its store.");
        var before = record.Newest()?.State;
        var newest = steps[^1].State;
        if (before is not null && before.Version > newest.Version)
        {
            // It was fetched before this device went on: neither it nor its secret is the newest any more.
            return;
        }

        (record.Refusals, record.Fault) = (0, 0);
        record.Secret = secret;
        foreach (var old in record.Pending.Where(anchor => anchor.Version <= newest.Version).ToList())
        {
            record.Pending.Remove(old);
        }

        if (before is not null && before.Version == newest.Version)
        {
            GroupRecords.Put(rows, record);
            return;
        }

        record.History = GroupHistories.Write(steps);
        foreach (var step in steps.Where(step => step.State.Version > (before?.Version ?? 0)))
        {
            record.Known.Add(new GroupAnchor { Version = step.State.Version, Hash = step.Hash });
        }

        while (record.Known.Count > MaxKnown)
        {
            record.Known.RemoveAt(0);
        }

        var news = steps.Where(step => step.State.Version >= (before?.Version ?? 0)).ToList();
        var isAnyGone = false;
        for (var i = 1; i < news.Count; i++)
        {
            var isGone = Gone(news[i - 1], news[i]).Count > 0;
            isAnyGone |= isGone;
            record.LeftEpoch = isGone && news[i].State.Epoch == news[i - 1].State.Epoch ? news[i].State.Epoch + 1 : record.LeftEpoch;
        }

        if (isAnyGone || newest.Epoch != before?.Epoch)
        {
            // Nothing that is sent from now on can be read with what they had.
            record.Distribution = ByteString.Empty;
            record.Introduced.Clear();
        }

        record.IsLeft = GroupRules.MemberOf(newest, device.Account.ToBytes()) is null;
        await NoteAgreementAsync(rows, record, steps, ct);
        GroupRecords.Put(rows, record);
        await LearnMembersAsync(rows, newest, ct);
        device.Events.Add(rows, new EventRecord { Group = new() { Conversation = conversation.ToBytes() } });
        rows.Afterwards(device.Wake);
    }

    private async Task NoteAgreementAsync(StoreTransaction rows, GroupRecord record, IReadOnlyList<GroupStep> steps, CancellationToken ct)
    {
        var own = device.Account.ToBytes();
        var group = Tables.Hex(record.Group);
        record.Agreed |= steps.Any(step => step.State.Author == own) || await rows.ReadAsync(Tables.Asked, group, ct) is not null;
        rows.Remove(Tables.Asked, group);
        for (var i = 0; i < steps.Count; i++)
        {
            // What was before the first that is shown is not known, unless there was nothing.
            var isFirst = i == 0 ? steps[i].State.Version == 1 : GroupRules.MemberOf(steps[i - 1].State, own) is null;
            record.AddedBy = isFirst && GroupRules.MemberOf(steps[i].State, own) is not null ? steps[i].State.Author : record.AddedBy;
        }
    }

    /// <summary>Whom no message in the group tells: who was removed; and everybody, when this account has left.</summary>
    private List<ByteString> Untold(IReadOnlyList<GroupStep> steps)
    {
        var gone = Gone(steps[^2], steps[^1]);
        return gone.Contains(device.Account.ToBytes()) ? [.. steps[^1].State.Members.Select(member => member.Account)] : gone;
    }

    private static List<ByteString> Gone(GroupStep before, GroupStep after) =>
        [.. before.State.Members.Select(member => member.Account).Where(account => GroupRules.MemberOf(after.State, account) is null)];

    /// <summary>Tells the members, who fetch the state then.</summary>
    private async Task AnnounceAsync(StoreTransaction rows, Guid conversation, CancellationToken ct)
    {
        var record = await GroupRecords.FindAsync(rows, conversation, ct);
        if (record?.Newest() is { } newest && !record.IsLeft)
        {
            var update = new GroupUpdate { Version = newest.State.Version, Hash = newest.Hash };
            await outbox.AddAsync(rows, record, await device.NewContentAsync(rows, content => content.GroupUpdate = update, ct), ct);
        }
    }

    private async Task LearnMembersAsync(StoreTransaction rows, GroupVersion state, CancellationToken ct)
    {
        foreach (var member in state.Members.Where(member => member.Account != device.Account.ToBytes() && !member.ProfileKey.IsEmpty))
        {
            var contact = await Contacts.GetAsync(rows, member.Account.ToGuid(), ct);
            if (contact.ProfileKey.IsEmpty)
            {
                contact.ProfileKey = member.ProfileKey;
                Contacts.Put(rows, contact);
            }
        }
    }

    private async Task RefuseAsync(StoreTransaction rows, Guid conversation, GroupFault fault, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, conversation, ct) is not { } record)
        {
            return;
        }

        if (record.Fault != (uint)fault)
        {
            record.Fault = (uint)fault;
            Tell(rows, device, conversation, fault, account: null);
        }

        Postpone(rows, record);
    }

    private async Task PostponeAsync(StoreTransaction rows, Guid conversation, CancellationToken ct)
    {
        if (await GroupRecords.FindAsync(rows, conversation, ct) is { } record)
        {
            Postpone(rows, record);
        }
    }

    private void Postpone(StoreTransaction rows, GroupRecord record)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(record.Refusals++, 10));
        record.NextTry = (device.Now + Jitter.Of(pause)).Milliseconds();
        GroupRecords.Put(rows, record);
    }

    public static void Tell(StoreTransaction rows, Device device, Guid conversation, GroupFault fault, ByteString? account) =>
        device.Events.Add(rows, new EventRecord
        {
            Group = new() { Conversation = conversation.ToBytes(), Fault = (uint)fault, Account = account ?? ByteString.Empty },
        });
}
