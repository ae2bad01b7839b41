using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.LocalStore;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Groups;

/// <summary>A group as its newest state says that this device has accepted.</summary>
/// <param name="Id">The conversation: what messages are sent to. A name on this account's devices, not the id on the wire.</param>
/// <param name="Version">One more with every change; 0 while the state has not been fetched.</param>
/// <param name="Members">Who is in it and what they may do.</param>
/// <param name="Timer">After which its messages destroy themselves; null: they stay.</param>
/// <param name="IsMember">Whether this account is in it.</param>
/// <param name="HasLink">Whether there is an invite link.</param>
public sealed record Group(
    Guid Id, ulong Version, string Name, ReadOnlyMemory<byte> Picture, IReadOnlyDictionary<Guid, GroupRole> Members, TimeSpan? Timer, bool IsMember,
    bool HasLink)
{
    internal static Group Of(GroupRecord record, Guid self)
    {
        var state = record.Newest()?.State ?? new GroupVersion();
        var members = state.Members.ToDictionary(member => member.Account.ToGuid(), member => member.Role);
        return new Group(
            GroupRecords.ConversationOf(record.Group), state.Version, state.Name, state.Picture.Memory, members,
            state.Timer is { Seconds: > 0 } timer ? TimeSpan.FromSeconds(timer.Seconds) : null, !record.IsLeft && members.ContainsKey(self),
            !state.LinkSecret.IsEmpty);
    }
}

/// <summary>What an invite link shows of a group.</summary>
/// <param name="Id">The conversation that it will be.</param>
public sealed record GroupShown(Guid Id, string Name, ReadOnlyMemory<byte> Picture);

/// <summary>Somebody who has an invite link and asks to join: proved by that account's identity key, as far as this device knows it.</summary>
public sealed class GroupApplicant
{
    internal GroupApplicant(Guid group, Guid id, GroupApplication request) => (Group, Id, Request) = (group, id, request);

    public Guid Group { get; }

    public Guid Account => Request.Account.ToGuid();

    public DateTimeOffset AskedAt => Request.AskedAt.ToTime();

    internal Guid Id { get; }

    internal GroupApplication Request { get; }
}

/// <summary>Why something about a group was refused.</summary>
public enum GroupFault
{
    /// <summary>Somebody who is not in the group sent to it, or speaks for it.</summary>
    NotAMember = 1,

    /// <summary>There are two different versions of one number: the server, or a member, shows different states to different people.</summary>
    Forked = 2,

    /// <summary>The server has an older state than this device or another member has seen.</summary>
    RolledBack = 3,

    /// <summary>The state is damaged, or a version is not signed by a member who may make that change.</summary>
    Forged = 4,

    /// <summary>This device was away for more versions than the state holds, and nobody has vouched for a newer one.</summary>
    OutOfReach = 5,

    /// <summary>Nothing is there under any secret that this device knows: this account was removed, or the server hides the group.</summary>
    NotFound = 6,

    /// <summary>A member's identity key is another than the state says. Nothing is sent to it until an admin has added it anew.</summary>
    OtherIdentity = 7,
}

/// <summary>A group's state changed, or this account was added to one.</summary>
public sealed record GroupChanged(Guid Group) : ChatEvent;

/// <summary>Something about a group was refused, and nothing of it is shown.</summary>
/// <param name="Account">Whose doing it is; null: the server's, or not known.</param>
public sealed record GroupRefused(Guid Group, GroupFault Fault, Guid? Account) : ChatEvent;

/// <summary>The rows of groups.</summary>
internal static class GroupRecords
{
    /// <summary>The conversation that the app knows a group as.</summary>
    /// <remarks>
    /// A hash, and a kind of UUID that no account has: whoever makes a group cannot choose one that is somebody's conversation.
    /// </remarks>
    public static Guid ConversationOf(ByteString group)
    {
        var hash = SHA256.HashData([.. "secureChat group conversation v1"u8, .. group.Span]);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }

    public static ValueTask<GroupRecord?> FindAsync(StoreTransaction rows, Guid conversation, CancellationToken ct) =>
        rows.ReadAsync(Tables.Groups, Tables.Hex(conversation.ToBytes()), ct);

    public static void Put(StoreTransaction rows, GroupRecord record) =>
        rows.Put(Tables.Groups, Tables.Hex(ConversationOf(record.Group).ToBytes()), record);

    /// <summary>
    /// Whether the person is in the group by its own will: it made it, asked to join, did something in it, or a contact brought it in. Anybody can
    /// add anybody, and nothing that a stranger does makes a device answer (attack M2).
    /// </summary>
    public static async Task<bool> IsAgreedAsync(StoreTransaction rows, GroupRecord record, CancellationToken ct) =>
        record.Agreed || (!record.AddedBy.IsEmpty && (await Contacts.GetAsync(rows, record.AddedBy.ToGuid(), ct)) is { Accepted: true, Blocked: false });

    /// <summary>The newest state that was accepted; null: none was.</summary>
    public static GroupStep? Newest(this GroupRecord record)
    {
        if (record.History is not { Versions.Count: > 0 } history)
        {
            return null;
        }

        var signed = history.Versions[^1];
        return new GroupStep(GroupVersion.Parser.ParseFrom(signed.Version), signed, GroupRules.HashOf(signed));
    }

    public static bool Has(this GroupRecord record, ByteString account) =>
        record.Newest() is { } newest && GroupRules.MemberOf(newest.State, account) is not null;
}
