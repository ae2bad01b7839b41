using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Groups;
using SecureChat.Protocol.Proto;
using SecureChat.Signal.Groups;

namespace SecureChat.Client;

/// <summary>Invite links of groups, and the requests of those who have one. The server learns neither who asks nor for what.</summary>
public sealed partial class ChatClient
{
    /// <summary>The invite link of a group; makes one if there is none. Whoever has it may ask to join; an admin lets them in.</summary>
    /// <param name="reset">Makes another, and the one before is of no use any more. Admins only, as is the first.</param>
    /// <inheritdoc cref="SetGroupNameAsync"/>
    public async Task<string> InviteToGroupAsync(Guid group, bool reset, CancellationToken ct)
    {
        await ChangeGroupAsync(
            group,
            state =>
            {
                if (!reset && !state.LinkSecret.IsEmpty)
                {
                    return false;
                }

                state.LinkSecret = Ids.RandomBytes(GroupInvite.Size);
                return true;
            },
            ct);
        using var invite = (await GroupWithLinkAsync(group, ct)).Invite;
        return invite?.Link ?? throw new InvalidOperationException("Somebody else has taken the link away meanwhile.");
    }

    /// <summary>Takes the invite link of a group away. Admins only.</summary>
    /// <inheritdoc cref="SetGroupNameAsync"/>
    public Task RevokeGroupInviteAsync(Guid group, CancellationToken ct) => ChangeGroupAsync(
        group,
        state =>
        {
            var isNews = !state.LinkSecret.IsEmpty;
            state.LinkSecret = ByteString.Empty;
            return isNews;
        },
        ct);

    /// <summary>What an invite link shows.</summary>
    /// <exception cref="FormatException">It is no invite link.</exception>
    /// <exception cref="ServerException">Its code is <c>not_found</c>: the link has been taken away, or the group is no more.</exception>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    public async Task<GroupShown> PreviewGroupAsync(string link, CancellationToken ct)
    {
        using var invite = GroupInvite.Parse(link);
        var shown = await ShownAsync(invite, ct);
        return new GroupShown(GroupRecords.ConversationOf(shown.Group), shown.Name, shown.Picture.Memory);
    }

    /// <summary>
    /// Asks to join a group. Once an admin has let this account in, <see cref="GroupChanged"/> tells; a refusal is not told. A request waits
    /// for seven days, and not beyond a removal of somebody else: ask again then.
    /// </summary>
    /// <exception cref="ServerException">As <see cref="PreviewGroupAsync"/>; or <c>queue_full</c>: too many ask at the same time.</exception>
    /// <inheritdoc cref="PreviewGroupAsync"/>
    public async Task<GroupShown> AskToJoinAsync(string link, CancellationToken ct)
    {
        using var invite = GroupInvite.Parse(link);
        var shown = await ShownAsync(invite, ct);
        var request = new GroupApplication
        {
            Account = Account.ToBytes(),
            IdentityKey = ByteString.CopyFrom(_device.Identity.PublicKey.Serialize()),
            ProfileKey = ByteString.CopyFrom(_device.ProfileKey),
            AskedAt = _device.Now.Milliseconds(),
        };
        await _device.Turns.RunAsync(
            rows =>
            {
                rows.Put(Tables.Asked, Tables.Hex(shown.Group), new SeenRecord { At = _device.Now.Milliseconds() });
                return Task.CompletedTask;
            },
            ct);
        using var key = invite.RequestKey();
        var ask = new AskToJoin(invite.Ask(shown, request, _device.Identity.PrivateKey));
        await new SignedRequests(_device.Api, key, _device.Options.Time).PostAsync("/v1/groups/requests", ask, ct);
        return new GroupShown(GroupRecords.ConversationOf(shown.Group), shown.Name, shown.Picture.Memory);
    }

    /// <summary>Who asks to join a group, one request for each account. An admin's client throws away what is forged or cannot be read.</summary>
    /// <exception cref="InvalidOperationException">There is no such group.</exception>
    /// <exception cref="ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    public async Task<IReadOnlyList<GroupApplicant>> GroupApplicantsAsync(Guid group, CancellationToken ct)
    {
        var (record, found) = await GroupWithLinkAsync(group, ct);
        using var invite = found;
        using var opened = new GroupSecret(record.Secret.Span);
        using var key = opened.RequestKey();
        var requests = new SignedRequests(_device.Api, key, _device.Options.Time);
        var waiting = (await requests.GetAsync<JoinRequests>("/v1/groups/requests", ct)).Requests;
        var applicants = new Dictionary<ByteString, GroupApplicant>();
        foreach (var one in waiting)
        {
            if (invite?.ReadRequest(record.Group, record.Secret.Span, one.Request) is { } asked && !record.Has(asked.Account)
                && await IsIdentityAsync(asked, ct) && applicants.TryAdd(asked.Account, new GroupApplicant(group, one.Id, asked)))
            {
                continue;
            }

            if (Group.Of(record, Account).Members.GetValueOrDefault(Account) == GroupRole.Admin)
            {
                await requests.DeleteAsync($"/v1/groups/requests/{one.Id}", ct);
            }
        }

        return [.. applicants.Values.OrderBy(applicant => applicant.AskedAt)];
    }

    /// <summary>Lets somebody in. Admins only.</summary>
    /// <inheritdoc cref="SetGroupNameAsync"/>
    public async Task ApproveAsync(GroupApplicant applicant, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(applicant);
        var asked = applicant.Request;
        var member = new GroupMember { Account = asked.Account, IdentityKey = asked.IdentityKey, ProfileKey = asked.ProfileKey };
        await ChangeGroupAsync(
            applicant.Group,
            state =>
            {
                if (GroupRules.MemberOf(state, member.Account) is not null)
                {
                    return false;
                }

                state.Members.Add(member);
                return true;
            },
            ct);
        await DenyAsync(applicant, ct);
    }

    /// <summary>Throws a request away; whoever asked is not told. Admins only.</summary>
    /// <inheritdoc cref="GroupApplicantsAsync"/>
    public async Task DenyAsync(GroupApplicant applicant, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(applicant);
        var (record, invite) = await GroupWithLinkAsync(applicant.Group, ct);
        using var unused = invite;
        using var opened = new GroupSecret(record.Secret.Span);
        using var key = opened.RequestKey();
        try
        {
            await new SignedRequests(_device.Api, key, _device.Options.Time).DeleteAsync($"/v1/groups/requests/{applicant.Id}", ct);
        }
        catch (ServerException gone) when (gone.Code == "not_found")
        {
            // Another admin was faster, or its time was over.
        }
    }

    private async Task<GroupInvitation> ShownAsync(GroupInvite invite, CancellationToken ct)
    {
        using var key = invite.RequestKey();
        var answer = await new SignedRequests(_device.Api, key, _device.Options.Time).GetAsync<GroupPreview>("/v1/groups/preview", ct);
        return invite.Read(answer.Preview) ?? throw new ServerException("unexpected", 200, "What the server shows is not of this link.");
    }

    private async Task<(GroupRecord Record, GroupInvite? Invite)> GroupWithLinkAsync(Guid group, CancellationToken ct)
    {
        var record = await _device.Turns.RunAsync(async rows => await GroupRecords.FindAsync(rows, group, ct), ct);
        var secret = record?.Newest()?.State.LinkSecret
            ?? throw new InvalidOperationException("There is no such group, or this account is not in it.");
        return (record!, secret.IsEmpty ? null : new GroupInvite(secret.Span));
    }

    // Somebody whom this device knows under another identity key is not who asks.
    private Task<bool> IsIdentityAsync(GroupApplication asked, CancellationToken ct) => _device.Turns.RunAsync(
        async rows =>
        {
            var known = (await Contacts.GetAsync(rows, asked.Account.ToGuid(), ct)).IdentityKey;
            return known.IsEmpty || known == asked.IdentityKey;
        },
        ct);
}
