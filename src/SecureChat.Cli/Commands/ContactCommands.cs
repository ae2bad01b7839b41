using System.CommandLine;
using SecureChat.Client;

namespace SecureChat.Cli.Commands;

/// <summary><c>contacts</c>: whom one knows, by which name, and whom to hear from.</summary>
internal static class ContactCommands
{
    public static Command Create(Cli cli)
    {
        var contacts = cli.Does(new Command("contacts", "Lists the people you know; add, accept and block them."), ListAsync);
        contacts.Add(cli.Does(new Command("list", "Lists the people you know."), ListAsync));
        contacts.Add(Add(cli));
        contacts.Add(OnWho(cli, "accept", "Agrees to hear from somebody: receipts, and the right to write without showing the server who writes.",
            (session, who, ct) => session.Client.AcceptAsync(who, ct), "accepted", LineType.Accepted));
        contacts.Add(OnWho(cli, "block", "Drops what somebody sends, and has the server refuse it.",
            (session, who, ct) => session.Client.BlockAsync(who, blocked: true, ct), "blocked", LineType.Blocked));
        contacts.Add(OnWho(cli, "unblock", "Hears somebody again.",
            (session, who, ct) => session.Client.BlockAsync(who, blocked: false, ct), "unblocked", LineType.Unblocked));
        contacts.Add(OnWho(cli, "approve", "Agrees to somebody's new identity key: what waits for them is sent.",
            (session, who, ct) => session.Client.ApproveIdentityAsync(who, ct), "approved", LineType.Approved));
        return contacts;
    }

    private static async Task ListAsync(Shell shell, ParseResult parsed, CancellationToken ct)
    {
        await using var session = await Session.OpenAsync(shell, ct);
        if (!shell.Output.IsJson)
        {
            if (session.Contacts.Count == 0)
            {
                shell.Output.Say("Nobody yet: securechat contacts add NAME ACCOUNT");
                return;
            }

            shell.Output.Table(["name", "account", "state"], session.Contacts.Select(contact => (string[])[contact.Name, contact.Account.ToString(), StateOf(contact)]));
            return;
        }

        foreach (var contact in session.Contacts)
        {
            shell.Output.Write(
                LineType.Contact, "", ("account", contact.Account.ToString()), ("name", contact.Name), ("accepted", contact.IsAccepted), ("blocked", contact.IsBlocked),
                ("verified", contact.IsVerified), ("needsApproval", contact.NeedsApproval), ("timerSeconds", (long?)contact.Timer?.TotalSeconds));
        }
    }

    private static Command Add(Cli cli)
    {
        var name = new Argument<string>("name") { Description = "What you call them; other people never see it." };
        var account = new Argument<Guid>("account")
        {
            Description = "What 'securechat whoami' shows them.",
            CustomParser = result =>
            {
                if (Guid.TryParse(result.Tokens[0].Value, out var parsed))
                {
                    return parsed;
                }

                result.AddError($"'{result.Tokens[0].Value}' is no account: it looks like 01234567-89ab-cdef-0123-456789abcdef.");
                return default;
            },
        };
        return cli.Does(new Command("add", "Gives an account a name.") { name, account }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var (who, called) = (parsed.GetRequiredValue(account), parsed.GetRequiredValue(name).Trim());
            if (called.Length == 0 || Guid.TryParse(called, out _))
            {
                throw new CliException(ExitCode.Usage, "invalid", $"'{called}' cannot be a name.", "Take one that is not an account.");
            }

            if (session.Contacts.Any(contact => contact.Account != who && string.Equals(contact.Name, called, StringComparison.OrdinalIgnoreCase)))
            {
                throw new CliException(ExitCode.Usage, "taken", $"You call somebody else '{called}'.", "Take another name.");
            }

            await session.Client.SetNameAsync(who, called, ct);
            shell.Output.Write(LineType.Contact, $"{called} is {who}", ("account", who.ToString()), ("name", called));
        });
    }

    private static Command OnWho(Cli cli, string verb, string description, Func<Session, Guid, CancellationToken, Task> work, string outcome, LineType done)
    {
        var who = Arguments.Who();
        return cli.Does(new Command(verb, description) { who }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var account = session.Who(parsed.GetRequiredValue(who));
            await work(session, account, ct);
            shell.Output.Write(done, $"{session.NameOf(account)}: {outcome}", ("account", account.ToString()));
        });
    }

    private static string StateOf(Contact contact) => string.Join(", ", Words(contact));

    private static IEnumerable<string> Words(Contact contact)
    {
        if (contact.IsBlocked)
        {
            yield return "blocked";
        }

        if (contact.NeedsApproval)
        {
            yield return "NEW IDENTITY";
        }

        if (!contact.IsAccepted)
        {
            yield return "not accepted";
        }

        if (contact.IsVerified)
        {
            yield return "verified";
        }

        if (contact.Timer is { } timer)
        {
            yield return $"timer {Durations.Show(timer)}";
        }
    }
}

/// <summary>Arguments that several commands take.</summary>
internal static class Arguments
{
    public static Argument<string> Who() => new("who") { Description = "A name that you gave, or an account." };

    public static Argument<string> Message() => new("message") { Description = "A message's id; its first characters are enough." };
}
