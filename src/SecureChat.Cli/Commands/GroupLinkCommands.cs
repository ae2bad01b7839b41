using System.CommandLine;
using SecureChat.Client.Groups;

namespace SecureChat.Cli.Commands;

/// <summary><c>group invite</c> and what follows from it: links, and those who ask to join by one.</summary>
internal static class GroupLinkCommands
{
    public static IEnumerable<Command> All(Cli cli) =>
    [
        Invite(cli),
        Join(cli),
        Requests(cli),
        OnApplicant(cli, "approve", "Lets somebody in who asks to join. Admins only.", "is in", LineType.Approved, (session, applicant, ct) => session.Client.ApproveAsync(applicant, ct)),
        OnApplicant(cli, "deny", "Throws a request to join away; whoever asked is not told. Admins only.", "is not let in", LineType.Denied, (session, applicant, ct) => session.Client.DenyAsync(applicant, ct)),
    ];

    private static Command Invite(Cli cli)
    {
        var which = GroupCommands.Which();
        var reset = new Option<bool>("--reset") { Description = "Makes another link; the one before is of no use any more." };
        var off = new Option<bool>("--off") { Description = "Takes the link away." };
        return cli.Does(
            new Command("invite", "Shows a group's invite link, and makes it first if there is none. Whoever has it may ask to join.") { which, reset, off },
            async (shell, parsed, ct) =>
            {
                await using var session = await Session.ConnectAsync(shell, ct);
                var id = session.Who(parsed.GetRequiredValue(which));
                if (parsed.GetValue(off))
                {
                    await session.Client.RevokeGroupInviteAsync(id, ct);
                    shell.Output.Write(LineType.Invite, $"{session.NameOf(id)} has no invite link any more.", ("group", id.ToString()), ("link", null));
                    return;
                }

                var link = await session.Client.InviteToGroupAsync(id, parsed.GetValue(reset), ct);
                shell.Output.Write(LineType.Invite, link, ("group", id.ToString()), ("link", link));
            },
            "securechat group invite \"Book club\"");
    }

    private static Command Join(Cli cli)
    {
        var link = new Argument<string>("link") { Description = "An invite link, in quotes: securechat://group/#..." };
        return cli.Does(
            new Command("join", "Asks to join a group. An admin sees your account and lets you in, or does not answer.") { link },
            async (shell, parsed, ct) =>
            {
                await using var session = await Session.ConnectAsync(shell, ct);
                var shown = await session.Client.AskToJoinAsync(parsed.GetRequiredValue(link), ct);
                shell.Output.Write(
                    LineType.Asked, $"Asked to join {shown.Name}. Once an admin has let you in, 'securechat receive' tells.",
                    ("group", shown.Id.ToString()), ("name", shown.Name));
            },
            "securechat group join \"securechat://group/#...\"");
    }

    private static Command Requests(Cli cli)
    {
        var which = GroupCommands.Which();
        return cli.Does(new Command("requests", "Shows who asks to join a group.") { which }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var id = session.Who(parsed.GetRequiredValue(which));
            var applicants = await session.Client.GroupApplicantsAsync(id, ct);
            if (applicants.Count == 0 && !shell.Output.IsJson)
            {
                shell.Output.Say("Nobody.");
            }

            foreach (var applicant in applicants)
            {
                shell.Output.Write(
                    LineType.Request, $"{session.When(applicant.AskedAt)}  {session.NameOf(applicant.Account)}",
                    ("group", id.ToString()), ("account", applicant.Account.ToString()),
                    ("askedAt", applicant.AskedAt.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", null)));
            }
        });
    }

    private static Command OnApplicant(
        Cli cli, string verb, string description, string outcome, LineType done, Func<Session, GroupApplicant, CancellationToken, Task> answer)
    {
        var (which, who) = (GroupCommands.Which(), Arguments.Who());
        return cli.Does(new Command(verb, description) { which, who }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var (id, account) = (session.Who(parsed.GetRequiredValue(which)), session.Who(parsed.GetRequiredValue(who)));
            var applicant = (await session.Client.GroupApplicantsAsync(id, ct)).FirstOrDefault(one => one.Account == account)
                ?? throw new CliException(ExitCode.NotFound, "not_found", $"{session.NameOf(account)} does not ask to join.", "'securechat group requests' lists who does.");
            await answer(session, applicant, ct);
            shell.Output.Write(done, $"{session.NameOf(account)} {outcome}.", ("group", id.ToString()), ("account", account.ToString()));
        });
    }
}
