using System.CommandLine;
using System.Text.Json.Nodes;
using SecureChat.Client.Groups;
using SecureChat.Protocol.Proto;

namespace SecureChat.Cli.Commands;

/// <summary><c>group</c>: groups, whose members the server does not know. What is sent to one goes by its name or id, as to a person.</summary>
internal static class GroupCommands
{
    public static Command Create(Cli cli)
    {
        var group = cli.Does(new Command("group", "Lists your groups; make and change them. Write to one with 'send', 'file send' and 'chat', by its name or id."), ListAsync);
        group.Add(cli.Does(new Command("list", "Lists your groups."), ListAsync));
        group.Add(New(cli));
        group.Add(Show(cli));
        group.Add(OnMember(cli, "add", "Adds somebody, who reads what is sent from then on. Admins only.",
            (session, id, who, ct) => session.Client.AddMembersAsync(id, [who], ct)));
        group.Add(OnMember(cli, "remove", "Removes somebody, who reads nothing from then on. Admins only.",
            (session, id, who, ct) => session.Client.RemoveMemberAsync(id, who, ct)));
        group.Add(OnMember(cli, "promote", "Makes a member an admin. Admins only.",
            (session, id, who, ct) => session.Client.SetGroupRoleAsync(id, who, GroupRole.Admin, ct)));
        group.Add(OnMember(cli, "demote", "Makes an admin a member. Admins only.",
            (session, id, who, ct) => session.Client.SetGroupRoleAsync(id, who, GroupRole.Member, ct)));
        group.Add(Rename(cli));
        group.Add(Leave(cli));
        foreach (var command in GroupLinkCommands.All(cli))
        {
            group.Add(command);
        }

        return group;
    }

    private static async Task ListAsync(Shell shell, ParseResult parsed, CancellationToken ct)
    {
        await using var session = await Session.OpenAsync(shell, ct);
        var groups = await session.Client.GroupsAsync(ct);
        if (!shell.Output.IsJson && groups.Count == 0)
        {
            shell.Output.Say("None yet: securechat group new NAME WHO...");
            return;
        }

        shell.Output.Table(["name", "group", "members"], groups.Select(group => (string[])
            [group.Name, group.Id.ToString(), group.IsMember ? $"{group.Members.Count}" : "you are not in it any more"]));
        if (shell.Output.IsJson)
        {
            foreach (var group in groups)
            {
                Tell(shell, session, group);
            }
        }
    }

    private static Command New(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "What all of its members see; the server does not." };
        var who = new Argument<string[]>("who") { Description = "Names that you gave, or accounts, whose keys are known: exchange a message first.", Arity = ArgumentArity.ZeroOrMore };
        return cli.Does(
            new Command("new", "Makes a group, of which you are the admin.") { name, who },
            async (shell, parsed, ct) =>
            {
                await using var session = await Session.ConnectAsync(shell, ct);
                var members = parsed.GetRequiredValue(who).Select(session.Who).ToArray();
                Tell(shell, session, await session.Client.CreateGroupAsync(parsed.GetRequiredValue(name), members, ct));
            },
            "securechat group new \"Book club\" bob carol");
    }

    private static Command Show(Cli cli)
    {
        var which = Which();
        return cli.Does(new Command("show", "Shows a group and its members.") { which }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var id = session.Who(parsed.GetRequiredValue(which));
            await session.Client.RefreshGroupAsync(id, ct);
            Tell(shell, session, await FindAsync(session, id, ct));
        });
    }

    private static Command Rename(Cli cli)
    {
        var (which, name) = (Which(), new Argument<string>("name") { Description = "What it is called from now on." });
        return cli.Does(new Command("rename", "Changes a group's name. Admins only.") { which, name }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var id = session.Who(parsed.GetRequiredValue(which));
            await session.Client.SetGroupNameAsync(id, parsed.GetRequiredValue(name), ct);
            Tell(shell, session, await FindAsync(session, id, ct));
        });
    }

    private static Command Leave(Cli cli)
    {
        var which = Which();
        return cli.Does(new Command("leave", "Leaves a group. Its last admin makes somebody else one before.") { which }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var id = session.Who(parsed.GetRequiredValue(which));
            await session.Client.LeaveGroupAsync(id, ct);
            shell.Output.Write(LineType.Left, $"You have left {session.NameOf(id)}.", ("group", id.ToString()));
        });
    }

    private static Command OnMember(Cli cli, string verb, string description, Func<Session, Guid, Guid, CancellationToken, Task> change)
    {
        var (which, who) = (Which(), Arguments.Who());
        return cli.Does(new Command(verb, description) { which, who }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var id = session.Who(parsed.GetRequiredValue(which));
            await change(session, id, session.Who(parsed.GetRequiredValue(who)), ct);
            Tell(shell, session, await FindAsync(session, id, ct));
        });
    }

    public static Argument<string> Which() => new("group") { Description = "Its name or id." };

    private static async Task<Group> FindAsync(Session session, Guid id, CancellationToken ct) => await session.Client.FindGroupAsync(id, ct)
        ?? throw new CliException(ExitCode.NotFound, "not_found", "There is no such group.", "'securechat group' lists yours.");

    private static void Tell(Shell shell, Session session, Group group)
    {
        var members = group.Members.Select(member => $"  {session.NameOf(member.Key)}{(member.Value == GroupRole.Admin ? " (admin)" : "")}").Order(StringComparer.Ordinal);
        shell.Output.Write(
            LineType.Group,
            string.Join('\n', members.Prepend($"{group.Name}: {group.Id}")),
            ("group", group.Id.ToString()),
            ("name", group.Name),
            ("version", group.Version),
            ("isMember", group.IsMember),
            ("members", new JsonArray([.. group.Members.Select(member => (JsonNode)new JsonObject { ["account"] = member.Key.ToString(), ["admin"] = member.Value == GroupRole.Admin })])),
            ("timerSeconds", (long?)group.Timer?.TotalSeconds));
    }
}
