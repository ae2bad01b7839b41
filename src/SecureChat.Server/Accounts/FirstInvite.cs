using SecureChat.Server.Storage;

namespace SecureChat.Server.Accounts;

/// <summary>Prints an invite at the first start of an empty server that asks for one: else nobody could ever get in.</summary>
internal sealed class FirstInvite(Registration registration, Invites invites, Database db, IHostEnvironment environment)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken ct)
    {
        if (!environment.IsProduction() || registration.Mode is not RegistrationMode.Invite
            || (await invites.ListAsync(ct)).Count > 0
            || await db.FirstOrDefaultAsync<long>($"SELECT COUNT(*) FROM accounts", ct) > 0)
        {
            return;
        }

        var code = await invites.CreateAsync(uses: 1, Life, ct);
        Terminal.WriteLine($"This server is empty. Sign up with the invite {code} (one use, {Life.Days} days).");
        Terminal.WriteLine("Make more with: securechat-server invite create");
    }

    private static readonly TimeSpan Life = TimeSpan.FromDays(7);
}
