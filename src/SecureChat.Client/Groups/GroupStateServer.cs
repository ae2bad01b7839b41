using Google.Protobuf;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Protocol;
using SecureChat.Protocol.Groups;
using SecureChat.Protocol.Proto;
using SecureChat.Signal;
using SecureChat.Signal.Groups;

namespace SecureChat.Client.Groups;

/// <summary>The state of groups on the server, which sees neither what is in it nor who asks. Spec: docs/protocol/groups.md.</summary>
internal sealed class GroupStateServer(Device device)
{
    public async Task PutAsync(GroupChange change, CancellationToken ct)
    {
        var history = GroupHistories.Write(change.Steps);
        using var old = new GroupSecret(change.Secret.Span);
        using var secret = new GroupSecret((change.NewSecret ?? change.Secret).Span);
        using var key = old.RequestKey();
        using var newKey = secret.RequestKey();
        var version = change.Steps[^1].State.Version;
        var state = secret.Encrypt(
            history.ToByteArray(), change.Group.Span, version, (Limits.MinGroupStateBytes, Limits.MaxGroupStateBytes), RandomSource.System);
        var link = LinkOf(change.Steps[^1].State, change.NewSecret ?? change.Secret);
        var body = new PutGroup((long)version, state, link, change.NewSecret is null ? null : newKey.PublicKey.Serialize());
        await new SignedRequests(device.Api, key, device.Options.Time).PutAsync("/v1/groups/state", body, ct);
    }

    // Every version names it anew: the server forgets a link that one leaves out.
    private static GroupLink? LinkOf(GroupVersion state, ByteString secret)
    {
        if (state.LinkSecret.IsEmpty)
        {
            return null;
        }

        using var invite = new GroupInvite(state.LinkSecret.Span);
        using var key = invite.RequestKey();
        return new GroupLink(key.PublicKey.Serialize(), invite.Preview(state, secret.Span));
    }

    public async Task<(GroupHistory? History, GroupFault? Refused)> FetchAsync(ByteString group, ByteString secret, CancellationToken ct)
    {
        using var opened = new GroupSecret(secret.Span);
        using var key = opened.RequestKey();
        try
        {
            var state = await new SignedRequests(device.Api, key, device.Options.Time).GetAsync<GroupState>(
                "/v1/groups/state", ct);
            return opened.Decrypt(state.State, group.Span, (ulong)state.Version) is { } plaintext
                && GroupHistory.Parser.ParseFrom(plaintext) is { Versions.Count: > 0 } history
                ? (history, null)
                : (null, GroupFault.Forged);
        }
        catch (ServerException missing) when (missing.Code == "not_found")
        {
            return (null, GroupFault.NotFound);
        }
        catch (InvalidProtocolBufferException)
        {
            return (null, GroupFault.Forged);
        }
    }
}

/// <summary>One version to put: all that goes with it, the newest last.</summary>
internal sealed record GroupChange(ByteString Group, ByteString Secret, ByteString? NewSecret, IReadOnlyList<GroupStep> Steps)
{
    /// <summary>Never the secret.</summary>
    public override string ToString() => nameof(GroupChange);
}
