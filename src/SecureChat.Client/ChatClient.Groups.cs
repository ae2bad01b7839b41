using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Groups;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client;

/// <summary>Groups, whose members the server does not know. What is sent to a group goes by its id, as to an account.</summary>
public sealed partial class ChatClient
{
    /// <summary>Makes a group whose admin this account is.</summary>
    /// <param name="members">Accounts whose keys this device knows: those written to or heard from.</param>
    /// <exception cref="ArgumentException">The name or the number of members is too large.</exception>
    /// <exception cref="InvalidOperationException">An account's keys are not known yet.</exception>
    /// <exception cref="Connection.ServerException">The server refused.</exception>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    public async Task<Group> CreateGroupAsync(string name, IReadOnlyCollection<Guid> members, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(members);
        var first = new GroupVersion
        {
            Group = Ids.RandomBytes(GroupRules.IdSize),
            Version = 1,
            Author = Account.ToBytes(),
            Name = name,
        };
        first.Members.Add(new GroupMember
        {
            Account = first.Author,
            IdentityKey = ByteString.CopyFrom(_device.Identity.PublicKey.Serialize()),
            ProfileKey = ByteString.CopyFrom(_device.ProfileKey),
            Role = GroupRole.Admin,
        });
        first.Members.Add(await DescribeAsync(members, ct));
        var id = await _groups.CreateAsync(first, ct);
        await _housekeeping.SendAsync(ct);
        return (await FindGroupAsync(id, ct))!;
    }

    /// <summary>The groups that this device knows of.</summary>
    public Task<IReadOnlyList<Group>> GroupsAsync(CancellationToken ct) => _device.Turns.RunAsync(
        async rows => (IReadOnlyList<Group>)[.. (await rows.ListAsync(Tables.Groups, ct)).Select(row => Group.Of(row.Record, Account))], ct);

    /// <summary>One group as this device knows it; null: none of that id.</summary>
    public Task<Group?> FindGroupAsync(Guid group, CancellationToken ct) => _device.Turns.RunAsync(
        async rows => await GroupRecords.FindAsync(rows, group, ct) is { } record ? Group.Of(record, Account) : null, ct);

    /// <summary>Fetches a group's state; what is wrong with it is told as <see cref="GroupRefused"/>.</summary>
    public async Task RefreshGroupAsync(Guid group, CancellationToken ct)
    {
        await _groups.SyncAsync(group, ct);
        await _housekeeping.SendAsync(ct);
    }

    /// <summary>Adds accounts, who read what is sent from then on. Admins only.</summary>
    /// <inheritdoc cref="CreateGroupAsync"/>
    public async Task AddMembersAsync(Guid group, IReadOnlyCollection<Guid> members, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(members);
        var added = await DescribeAsync(members, ct);
        await ChangeGroupAsync(
            group,
            state =>
            {
                var news = added.Where(member => GroupRules.MemberOf(state, member.Account) is null).ToList();
                state.Members.Add(news);
                return news.Count > 0;
            },
            ct);
    }

    /// <summary>Removes a member, who can read nothing that is sent or changed from then on. Admins only.</summary>
    public Task RemoveMemberAsync(Guid group, Guid member, CancellationToken ct) => ChangeGroupAsync(
        group, state => GroupRules.MemberOf(state, member.ToBytes()) is { } known && state.Members.Remove(known), ct);

    /// <summary>Leaves a group. The last admin names another one before.</summary>
    public Task LeaveGroupAsync(Guid group, CancellationToken ct) => RemoveMemberAsync(group, Account, ct);

    /// <summary>Makes a member an admin, or an admin a member. Admins only.</summary>
    public Task SetGroupRoleAsync(Guid group, Guid member, GroupRole role, CancellationToken ct) => ChangeGroupAsync(
        group,
        state =>
        {
            if (GroupRules.MemberOf(state, member.ToBytes()) is not { } known || known.Role == role)
            {
                return false;
            }

            known.Role = role;
            return true;
        },
        ct);

    /// <summary>Changes a group's name. Admins only.</summary>
    public Task SetGroupNameAsync(Guid group, string name, CancellationToken ct) => ChangeGroupAsync(
        group,
        state =>
        {
            var isNews = state.Name != name;
            state.Name = name;
            return isNews;
        },
        ct);

    /// <summary>Changes a group's picture: at most 8 KiB; empty: none. Admins only.</summary>
    public Task SetGroupPictureAsync(Guid group, ReadOnlyMemory<byte> picture, CancellationToken ct) => ChangeGroupAsync(
        group,
        state =>
        {
            var isNews = !state.Picture.Span.SequenceEqual(picture.Span);
            state.Picture = ByteString.CopyFrom(picture.Span);
            return isNews;
        },
        ct);

    private Task SetGroupTimerAsync(Guid group, ExpiryTimer timer, CancellationToken ct) => ChangeGroupAsync(
        group,
        state =>
        {
            var isNews = !timer.Equals(state.Timer);
            state.Timer = timer;
            return isNews;
        },
        ct);

    private async Task ChangeGroupAsync(Guid group, Func<GroupVersion, bool> edit, CancellationToken ct)
    {
        await _groups.ChangeAsync(group, edit, ct);
        await _housekeeping.SendAsync(ct);
    }

    private Task<List<GroupMember>> DescribeAsync(IReadOnlyCollection<Guid> accounts, CancellationToken ct) => _device.Turns.RunAsync(
        async rows =>
        {
            var members = new List<GroupMember>();
            foreach (var account in accounts)
            {
                var contact = await Contacts.GetAsync(rows, account, ct);
                members.Add(contact.IdentityKey.IsEmpty
                    ? throw new InvalidOperationException("An account's keys are not known yet: write to it first.")
                    : new GroupMember { Account = contact.Account, IdentityKey = contact.IdentityKey, ProfileKey = contact.ProfileKey });
            }

            return members;
        },
        ct);
}
