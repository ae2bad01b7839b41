using System.Security.Cryptography;
using Google.Protobuf;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Client.Groups;

/// <summary>Which versions of a group's state are to be believed. Spec: docs/protocol/groups.md#what-members-check.</summary>
internal static class GroupRules
{
    public const int IdSize = 32;
    public const int HashSize = 32;
    public const int MaxMembers = 1000;
    public const int MaxPicture = 8 * 1024;
    public const int MaxName = 256;
    private const int AccountSize = 16;

    private static ReadOnlySpan<byte> Purpose => "secureChat group state v1"u8;

    public static SignedGroupVersion Sign(GroupVersion version, PrivateKey identity)
    {
        var bytes = version.ToByteString();
        return new SignedGroupVersion
        {
            Version = bytes,
            Signature = ByteString.CopyFrom(identity.Sign([.. Purpose, .. bytes.Span], RandomSource.System)),
        };
    }

    public static ByteString HashOf(SignedGroupVersion signed) => ByteString.CopyFrom(SHA256.HashData([.. Purpose, .. signed.Version.Span]));

    /// <summary>Reads the versions that a history holds; null: one is malformed, of another group, or out of line.</summary>
    public static IReadOnlyList<GroupStep>? Read(GroupHistory history, ByteString group)
    {
        var steps = new List<GroupStep>();
        foreach (var signed in history.Versions)
        {
            GroupVersion version;
            try
            {
                version = GroupVersion.Parser.ParseFrom(signed.Version);
            }
            catch (InvalidProtocolBufferException)
            {
                return null;
            }

            if (version.Group != group || !IsWellFormed(version) || (steps.Count > 0 && version.Version != steps[^1].State.Version + 1))
            {
                return null;
            }

            steps.Add(new GroupStep(version, signed, HashOf(signed)));
        }

        return steps.Count > 0 ? steps : null;
    }

    /// <summary>Whether a version follows from the one before: chained, signed by a member of that one, and within what its role allows.</summary>
    public static bool Follows(GroupStep before, GroupStep next)
    {
        var (old, state) = (before.State, next.State);
        if (state.Version != old.Version + 1 || state.Previous != before.Hash || state.Epoch < old.Epoch || state.Epoch > old.Epoch + 1
            || MemberOf(old, state.Author) is not { } author
            || !PublicKey.Parse(author.IdentityKey.Span).Verify([.. Purpose, .. next.Signed.Version.Span], next.Signed.Signature.Span))
        {
            return false;
        }

        return author.Role == GroupRole.Admin ? RotatesForRemoved(old, state) : IsLeaving(before, state);
    }

    public static GroupMember? MemberOf(GroupVersion state, ByteString account) =>
        state.Members.FirstOrDefault(member => member.Account == account);

    /// <summary>The version that an edit leads to, not yet signed.</summary>
    public static GroupVersion Next(GroupStep before, ByteString author)
    {
        var next = before.State.Clone();
        (next.Version, next.Previous, next.Author) = (next.Version + 1, before.Hash, author);
        return next;
    }

    private static bool IsWellFormed(GroupVersion version) =>
        version.Version > 0 && version.Previous.Length == (version.Version == 1 ? 0 : HashSize)
        && version.Author.Length == AccountSize && version.Picture.Length <= MaxPicture && version.LinkSecret.Length is 0 or GroupInvite.Size
        && System.Text.Encoding.UTF8.GetByteCount(version.Name) <= MaxName
        && version.Members.Count <= MaxMembers
        && version.Members.Select(member => member.Account).Distinct().Count() == version.Members.Count
        && version.Members.All(member => member.Account.Length == AccountSize && member.ProfileKey.Length is 0 or 32
            && PublicKey.TryParse(member.IdentityKey.Span, out _))
        && (version.Members.Count == 0 || version.Members.Any(member => member.Role == GroupRole.Admin));

    // Who was removed knows the secret: a version that leaves somebody out stands under a new one.
    private static bool RotatesForRemoved(GroupVersion old, GroupVersion state) =>
        state.Epoch == old.Epoch + 1
        || old.Members.All(member => member.Account == state.Author || MemberOf(state, member.Account) is not null);

    private static bool IsLeaving(GroupStep before, GroupVersion state)
    {
        var expected = Next(before, state.Author);
        expected.Members.Remove(MemberOf(expected, state.Author)!);
        return expected.Equals(state);
    }
}

/// <summary>One version of a group's state, and what the next one refers to.</summary>
internal sealed record GroupStep(GroupVersion State, SignedGroupVersion Signed, ByteString Hash);
