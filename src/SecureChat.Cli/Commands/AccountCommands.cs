using System.CommandLine;
using SecureChat.Client;
using SecureChat.Client.Accounts;
using SecureChat.Client.Connection;
using SecureChat.Signal;
using SecureChat.Signal.Keys;

namespace SecureChat.Cli.Commands;

/// <summary><c>register</c>, <c>whoami</c>, <c>profiles</c>, <c>delete-account</c>.</summary>
internal static class AccountCommands
{
    public static Command Register(Cli cli)
    {
        var place = new NewDeviceOptions();
        var email = new Option<string?>("--email") { Description = "Where the one-time code is sent. The server keeps a keyed hash of it." };
        var phone = new Option<string?>("--phone") { Description = "The same for a number, such as +491701234567." };
        var invite = new Option<string?>("--invite") { Description = "The operator's invite: alone for an account without address, or where the server asks for one too." };
        var command = new Command("register", "Makes an account, whose first device is this profile.")
        {
            place.Server, place.Root, place.Keyring, email, phone, invite,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            var (to, number, code) = (parsed.GetValue(email), parsed.GetValue(phone), parsed.GetValue(invite));
            if ((to is not null && number is not null) || (to is null && number is null && code is null))
            {
                throw new CliException(ExitCode.Usage, "invalid", "Register with one of --email, --phone and --invite.", "For example --email you@example.org.");
            }

            shell.Profile.Create();
            var server = await place.ReadAsync(shell, parsed, ct);
            var proof = to is null && number is null
                ? SignUpProof.Invite(code!)
                : await CodeAsync(shell, server, to, number, code, ct);
            await using var store = await shell.NewStoreAsync(parsed.GetValue(place.Keyring), ct);
            await using var client = await ChatClient.SignUpAsync(Session.OptionsFor(shell.Host, server, store), proof, ct);
            shell.Profile.Write(server, parsed.GetValue(place.Keyring));
            await client.ConnectAsync(ct);
            shell.Output.Write(
                LineType.Registered,
                $"You are {client.Account}. Others write to you after: securechat contacts add NAME {client.Account}",
                ("account", client.Account.ToString()), ("device", client.DeviceId), ("server", server.Api.ToString()));
        },
        "securechat register --email alice@example.org",
        "securechat register --invite NC76Y-AL6XT-3W25U-KPSQ8 --server https://chat.example.org");
    }

    public static Command WhoAmI(Cli cli)
    {
        var qr = new Option<bool>("--qr") { Description = "Shows the account as a QR picture too." };
        return cli.Does(new Command("whoami", "Shows the account, the device and the server of this profile.") { qr }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.OpenAsync(shell, ct);
            var (client, server) = (session.Client, shell.Profile.Read());
            shell.Output.Write(
                LineType.Self,
                $"account  {client.Account}\ndevice   {client.DeviceId}\nserver   {server.Api}",
                ("account", client.Account.ToString()), ("device", client.DeviceId), ("server", server.Api.ToString()));
            if (parsed.GetValue(qr))
            {
                shell.Output.Say(QrPicture.Of(client.Account.ToString()));
            }
        });
    }

    public static Command Profiles(Cli cli) => cli.Does(
        new Command("profiles", "Lists the identities on this machine."),
        (shell, _, _) =>
        {
            foreach (var profile in Profile.All(shell.Host))
            {
                shell.Output.Write(LineType.Profile, $"{profile.Name}  {profile.Folder}", ("name", profile.Name), ("folder", profile.Folder));
            }

            return Task.CompletedTask;
        });

    public static Command Delete(Cli cli)
    {
        var yes = new Option<bool>("--yes") { Description = "Does not ask." };
        var command = new Command("delete-account", "Deletes the account on the server, at once and for good, and this profile with all its messages.") { yes };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            await using (var session = await Session.OpenAsync(shell, ct))
            {
                var account = session.Client.Account;
                if (!parsed.GetValue(yes) && !await shell.AgreesAsync($"Delete the account {account} for good?", ct))
                {
                    throw new CliException(ExitCode.Cancelled, "cancelled", "Nothing was deleted.", "Answer with y to delete.");
                }

                await session.Client.DeleteAccountAsync(ct);
            }

            await shell.Profile.DeleteAsync(ct);
            shell.Output.Write(LineType.Deleted, "The account and the profile are deleted.");
        });
    }

    private static async Task<SignUpProof> CodeAsync(
        Shell shell, ServerAddress server, string? email, string? phone, string? invite, CancellationToken ct)
    {
        await using var none = new Client.LocalStore.MemoryStore();
        var challenge = await ChatClient.RequestCodeAsync(Session.OptionsFor(shell.Host, server, none), email, phone, ct);
        shell.Output.Say($"A code was sent to {email ?? phone}. In Development it is on the server's terminal.");
        var code = await shell.AskAsync("Code: ", secret: false, ct);
        return SignUpProof.OneTimeCode(challenge, code.Trim(), invite);
    }
}

/// <summary>Which server a new device belongs to, what vouches for its senders, and who keeps the device's key.</summary>
internal sealed class NewDeviceOptions
{
    public Option<Uri> Server { get; } = new("--server", "-s")
    {
        Description = "The server's address.",
        DefaultValueFactory = _ => new Uri("http://localhost:8080"),
        CustomParser = result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
            {
                return address;
            }

            result.AddError($"'{result.Tokens[0].Value}' is no address of a server. Write it as https://chat.example.org.");
            return new Uri("http://localhost");
        },
    };

    public Option<string?> Root { get; } = new("--root")
    {
        Description = "The public key that vouches for the server's senders, as its operator publishes it; without it the server is asked, this once.",
    };

    public Option<bool> Keyring { get; } = new("--keyring")
    {
        Description = "The operating system keeps this device's key, in the keyring of whoever is logged in: there is no passphrase.",
    };

    /// <summary>Asks the server for its root unless the person gave one; it is kept from then on.</summary>
    public async Task<ServerAddress> ReadAsync(Shell shell, ParseResult parsed, CancellationToken ct)
    {
        var address = new ServerAddress(parsed.GetRequiredValue(Server));
        if (address.Api.Scheme != Uri.UriSchemeHttps && !address.Api.IsLoopback)
        {
            throw new CliException(ExitCode.Usage, "insecure", "Over http:// anybody in between could sign in as you.", "Use https://.");
        }

        PublicKey root;
        if (parsed.GetValue(Root) is { } given)
        {
            try
            {
                root = PublicKey.Parse(Convert.FromBase64String(given));
            }
            catch (Exception e) when (e is FormatException or SignalException)
            {
                throw new CliException(ExitCode.Usage, "invalid", "--root is no public key.", "'securechat-server keys show' prints it.");
            }
        }
        else
        {
            root = await ChatClient.FetchTrustRootAsync(address, shell.Host.Network, ct);
        }

        shell.Output.Say($"Server {address.Api}, whose root is {Convert.ToBase64String(root.Serialize())}");
        return address with { TrustRoots = [root] };
    }
}
