using System.Text.Json.Nodes;
using SecureChat.Client.Groups;
using SecureChat.Client.Messages;
using SecureChat.Protocol.Proto;
using Progress = SecureChat.Client.Messages.Progress;

namespace SecureChat.Cli;

/// <summary>Tells what happens, a line each.</summary>
internal sealed class EventPrinter(Session session, Output output)
{
    private readonly Dictionary<Guid, string> _shown = [];
    private readonly Dictionary<Guid, ulong?> _versions = [];

    /// <summary>Writes one event; some are for programs alone.</summary>
    public async Task PrintAsync(ChatEvent told, CancellationToken ct)
    {
        switch (told)
        {
            case MessageReceived { Message: var message }:
                // Somebody may have got a name since.
                await session.RefreshAsync(ct);
                output.Write(LineType.Message, Line(message), Fields(session, message));
                break;
            case MessageChanged { Message: var message }:
                // One's own change, and several that came at once, read the same: people see them once.
                if (output.IsJson || _shown.GetValueOrDefault(message.Id) != Line(message))
                {
                    output.Write(LineType.Changed, Line(message), Fields(session, message));
                    _shown[message.Id] = Line(message);
                }

                break;
            case MessageProgressed { Message: var message } when output.IsJson || message.Progress == Progress.NotDelivered:
                output.Write(LineType.Progress, $"{Line(message)}  ({Words(message.Progress)})", Fields(session, message));
                break;
            case MessageErased erased:
                output.Write(
                    LineType.Erased, $"       a message of {session.NameOf(erased.Sender)} destroyed itself", ("conversation", erased.Conversation.ToString()),
                    ("sender", erased.Sender.ToString()), ("id", erased.Id.ToString()));
                break;
            case CallSignalled { Signal.BodyCase: CallMessage.BodyOneofCase.Offer } call:
                output.Write(LineType.Call, $"       {session.NameOf(call.Account)} is calling; this program takes no calls", ("account", call.Account.ToString()));
                break;
            case TypingChanged typing when output.IsJson:
                output.Write(LineType.Typing, "", ("account", typing.Account.ToString()), ("stopped", typing.Stopped));
                break;
            case ConnectionChanged connection when output.IsJson:
                output.Write(LineType.Connection, "", ("connected", connection.IsConnected));
                break;
            case ConnectionChanged { IsConnected: false }:
                output.Say("       (connection lost, trying again)");
                break;
            default:
                await PrintTrustAsync(told, ct);
                break;
        }
    }

    /// <summary>What touches whom one can trust: identities, devices, and who is in a group.</summary>
    private async Task PrintTrustAsync(ChatEvent told, CancellationToken ct)
    {
        switch (told)
        {
            case IdentityChanged changed:
                output.Write(
                    LineType.IdentityChanged,
                    $"  !!   The identity of {session.NameOf(changed.Account)} CHANGED: a new phone, or somebody in between. Compare: securechat verify {session.NameOf(changed.Account)}",
                    ("account", changed.Account.ToString()));
                break;
            case DeviceLinked linked:
                output.Write(LineType.DeviceLinked, $"  !!   Device {linked.Device} was added to your account. If you did not: securechat devices remove {linked.Device}",
                    ("device", linked.Device));
                break;
            case DeviceListInvalid invalid:
                output.Write(
                    LineType.DeviceListInvalid,
                    $"  !!   The server gives out devices or keys of {session.NameOf(invalid.Account)} that cannot be theirs ({invalid.Fault}): nothing is sent to them.",
                    ("account", invalid.Account.ToString()), ("fault", invalid.Fault.ToString()));
                break;
            case GroupChanged changed:
                await PrintGroupAsync(changed.Group, ct);
                break;
            case GroupRefused refused:
                output.Write(
                    LineType.GroupRefused, $"  !!   {session.NameOf(refused.Group)}: {Sentence(refused)}", ("group", refused.Group.ToString()),
                    ("fault", refused.Fault.ToString()), ("account", refused.Account?.ToString()));
                break;
        }
    }

    // Changes that came together are all in what is there now: people see it once.
    private async Task PrintGroupAsync(Guid group, CancellationToken ct)
    {
        await session.RefreshAsync(ct);
        var line = $"       {session.NameOf(group)} has changed: securechat group show \"{session.NameOf(group)}\"";
        var version = (await session.Client.FindGroupAsync(group, ct))?.Version;
        if (output.IsJson || _versions.GetValueOrDefault(group) != version)
        {
            output.Write(LineType.GroupChanged, line, ("group", group.ToString()));
            _versions[group] = version;
        }
    }

    private string Sentence(GroupRefused refused)
    {
        var by = refused.Account is { } account ? session.NameOf(account) : "the server";
        return refused.Fault switch
        {
            GroupFault.NotAMember => $"something from {by}, who is not in the group, was dropped",
            GroupFault.Forked => "there are two different states of it: the server or a member shows different ones to different people",
            GroupFault.RolledBack => "the server hands out an older state than you have seen",
            GroupFault.Forged => $"a change by {by} is forged or not allowed, and was dropped",
            GroupFault.OutOfReach => "you were away for too many changes; it goes on when a member writes",
            GroupFault.NotFound => "you can read it no more: you were removed, or the server hides it",
            _ => $"the identity of {by} is another than the group knows: an admin has to add them anew",
        };
    }

    /// <summary>One message as a line: when, who, what.</summary>
    public string Line(ChatMessage message)
    {
        var id = message.Id.ToString()[..8];
        var text = message switch
        {
            { IsTakenBack: true } => "(taken back)",
            { IsViewOnce: true } when message.Sender == session.Client.Account => "(opens once)",
            { IsViewOnce: true, IsFile: true } => $"(a file that opens once: securechat file get {id})",
            { IsViewOnce: true } => $"(opens once: securechat open {id})",
            { Media: { } media } => $"[{FileName(media)}, {Size(media.Length)}: securechat file get {id}]{(media.Caption.Length > 0 ? " " : "")}{media.Caption}",
            { IsUnknown: true } => "(something that this version does not know: update it)",
            _ => message.Text,
        };
        var edited = message.IsEdited ? " (edited)" : "";
        var reactions = message.Reactions.Count > 0 ? $"  {string.Join(' ', message.Reactions.Values)}" : "";
        return $"{Lead(message)}  {text}{edited}{reactions}";
    }

    public static (string Name, JsonNode? Value)[] Fields(Session session, ChatMessage message) =>
    [
        ("id", message.Id.ToString()),
        ("conversation", message.Conversation.ToString()),
        ("sender", message.Sender.ToString()),
        ("sentAt", message.SentAt.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", null)),
        ("text", message.Text),
        ("file", message.Media is { } media ? new JsonObject { ["name"] = FileName(media), ["bytes"] = media.Length, ["contentType"] = media.ContentType, ["caption"] = media.Caption, ["preview"] = media.Preview.IsEmpty ? null : media.Preview.ToBase64() } : null),
        ("viewOnce", message.IsViewOnce),
        ("edited", message.IsEdited),
        ("takenBack", message.IsTakenBack),
        ("progress", message.Sender == session.Client.Account ? message.Progress.ToString() : null),
        ("erasedAt", message.ErasedAt?.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", null)),
        ("reactions", new JsonObject(message.Reactions.Select(reaction => KeyValuePair.Create(reaction.Key.ToString(), (JsonNode?)reaction.Value)))),
    ];

    /// <summary>The sender's name for a file, without anything that could lead out of a folder.</summary>
    public static string FileName(Media media)
    {
        var name = string.Concat(media.Name.Split('/', '\\')[^1].Where(symbol => !char.IsControl(symbol) && !"<>:\"|?*".Contains(symbol, StringComparison.Ordinal)))
            .Trim().TrimStart('.');
        return name.Length > 0 ? name : "file";
    }

    public static string Size(ulong bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1024 * 1024 => string.Create(null, $"{bytes / 1024.0:0.0} KiB"),
        _ => string.Create(null, $"{bytes / (1024.0 * 1024):0.0} MiB"),
    };

    private string Lead(ChatMessage message) => message.Sender == session.Client.Account
        ? $"{session.When(message.SentAt)}  you → {session.NameOf(message.Conversation)}"
        : session.IsGroup(message.Conversation)
            ? $"{session.When(message.SentAt)}  {session.NameOf(message.Sender)} → {session.NameOf(message.Conversation)}"
            : $"{session.When(message.SentAt)}  {session.NameOf(message.Sender)}";

    public static string Words(Progress progress) => progress switch
    {
        Progress.Waiting => "waits",
        Progress.Sent => "sent",
        Progress.Delivered => "delivered",
        Progress.Read => "read",
        _ => "NOT DELIVERED",
    };
}
