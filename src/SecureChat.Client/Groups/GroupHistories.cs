using Google.Protobuf;
using SecureChat.Client.LocalStore;
using SecureChat.Protocol.Proto;

namespace SecureChat.Client.Groups;

/// <summary>Judges the history that a server hands out, by what this device has accepted and what members have said.</summary>
internal static class GroupHistories
{
    /// <summary>Versions that are kept with the state for those who were away, and the bytes that they may take.</summary>
    private const int Most = 16;

    private const int MostBytes = 128 * 1024;

    /// <summary>The newest versions, as many as fit.</summary>
    public static GroupHistory Write(IReadOnlyList<GroupStep> steps)
    {
        var history = new GroupHistory();
        var bytes = 0;
        foreach (var step in steps.Reverse().Take(Most))
        {
            bytes += step.Signed.CalculateSize();
            if (history.Versions.Count > 0 && bytes > MostBytes)
            {
                break;
            }

            history.Versions.Insert(0, step.Signed);
        }

        return history;
    }

    /// <summary>What to accept of a history, or what is wrong with it.</summary>
    /// <param name="self">This account: what it said itself is no witness, because others may have been first.</param>
    public static Judged Judge(GroupRecord record, GroupHistory history, ByteString secret, ByteString self)
    {
        if (GroupRules.Read(history, record.Group) is not { } steps)
        {
            return Judged.Refused(GroupFault.Forged);
        }

        var known = record.Newest();
        var vouched = record.Pending.Where(anchor => known is null ? !anchor.Secret.IsEmpty : record.Has(anchor.Account)).ToList();
        var newest = steps[^1].State.Version;
        if (newest < (known?.State.Version ?? 0) || (known is null && vouched.All(anchor => anchor.Version > newest)))
        {
            return Judged.Refused(GroupFault.RolledBack);
        }

        if (steps.Any(step => vouched.Any(
                anchor => anchor.Account != self && anchor.Version == step.State.Version && anchor.Hash != step.Hash)
            || record.Known.Any(anchor => anchor.Version == step.State.Version && anchor.Hash != step.Hash)))
        {
            return Judged.Refused(GroupFault.Forked);
        }

        var begin = Begin(steps, known, vouched);
        if (begin < 0)
        {
            return Judged.Refused(GroupFault.OutOfReach);
        }

        // Those before it are kept for others who were away: its hash stands for them.
        for (var i = 1; i < steps.Count; i++)
        {
            if (i <= begin ? steps[i].State.Previous != steps[i - 1].Hash : !GroupRules.Follows(steps[i - 1], steps[i]))
            {
                return Judged.Refused(GroupFault.Forged);
            }
        }

        // A new secret goes with a new epoch and never without: the removed one could go on reading. What comes from a backup has none.
        var isSameEpoch = known is null || known.State.Epoch == steps[^1].State.Epoch;
        return known is not null && !record.Secret.IsEmpty && isSameEpoch != (secret == record.Secret)
            ? Judged.Refused(GroupFault.Forged)
            : new Judged(null, steps);
    }

    /// <summary>The first version that is believed without the one before it: this device's own, or one that a member vouched for.</summary>
    private static int Begin(IReadOnlyList<GroupStep> steps, GroupStep? known, List<GroupAnchor> vouched)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i].Hash == known?.Hash
                || (i == 0 && known is not null && steps[0].State.Version == known.State.Version + 1 && GroupRules.Follows(known, steps[0])))
            {
                return i;
            }
        }

        for (var i = 0; i < steps.Count; i++)
        {
            var isBeyond = known is null || steps[0].State.Version > known.State.Version + 1;
            if (isBeyond && vouched.Any(anchor => anchor.Hash == steps[i].Hash))
            {
                return i;
            }
        }

        return -1;
    }
}

/// <summary>What became of a history.</summary>
/// <param name="Fault">Null: accepted.</param>
/// <param name="Steps">What to keep, the newest last.</param>
internal sealed record Judged(GroupFault? Fault, IReadOnlyList<GroupStep> Steps)
{
    public static Judged Refused(GroupFault fault) => new(fault, []);
}
