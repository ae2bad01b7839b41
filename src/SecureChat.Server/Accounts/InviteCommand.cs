using System.CommandLine;
using System.Globalization;
using SecureChat.Server.Hosting;

namespace SecureChat.Server.Accounts;

/// <summary><c>securechat-server invite create|list|revoke</c>: works beside a running server, on its database.</summary>
internal static class InviteCommand
{
    public static Command Create()
    {
        var invite = new Command("invite", "Makes, lists and revokes invites.");
        invite.Subcommands.Add(CreateCommand());
        invite.Subcommands.Add(ListCommand());
        invite.Subcommands.Add(RevokeCommand());
        return invite;
    }

    private static Command CreateCommand()
    {
        var uses = new Option<int>("--uses") { Description = "How many accounts it is good for.", DefaultValueFactory = _ => 1 };
        var days = new Option<int>("--days") { Description = "After how many days it expires.", DefaultValueFactory = _ => 7 };
        AcceptBetween(uses, 1, 100_000);
        AcceptBetween(days, 1, 3650);
        var create = new Command("create", "Makes an invite and prints its code, this once.") { uses, days };
        return CommandLine.On<Invites>(create, async (invites, parsed, ct) =>
        {
            Terminal.WriteLine(await invites.CreateAsync(
                parsed.GetValue(uses), TimeSpan.FromDays(parsed.GetValue(days)), ct));
            return 0;
        });
    }

    private static Command ListCommand()
    {
        var list = new Command("list", "Lists the invites: name, uses, expiry. Codes are not kept.");
        return CommandLine.On<Invites>(list, async (invites, _, ct) =>
        {
            foreach (var invite in await invites.ListAsync(ct))
            {
                Terminal.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{invite.Name}  used {invite.Used} of {invite.Uses}  expires {invite.ExpiresAt:yyyy-MM-dd HH:mm} UTC"));
            }

            return 0;
        });
    }

    private static Command RevokeCommand()
    {
        var name = new Argument<string>("name") { Description = "As 'invite list' shows it." };
        var revoke = new Command("revoke", "Revokes an invite.") { name };
        return CommandLine.On<Invites>(revoke, async (invites, parsed, ct) =>
        {
            var revoked = await invites.RevokeAsync(parsed.GetRequiredValue(name), ct);
            Terminal.WriteLine(revoked ? "Revoked." : "There is no invite of that name.");
            return revoked ? 0 : 1;
        });
    }

    private static void AcceptBetween(Option<int> option, int least, int most) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() is var value && (value < least || value > most))
        {
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} must be between {least} and {most}."));
        }
    });
}
