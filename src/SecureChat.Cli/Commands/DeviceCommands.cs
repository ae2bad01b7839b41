using System.CommandLine;
using SecureChat.Client.Accounts;

namespace SecureChat.Cli.Commands;

/// <summary><c>link</c> on a new device; <c>devices</c> on one that there is.</summary>
internal static class DeviceCommands
{
    public static Command Link(Cli cli)
    {
        var place = new NewDeviceOptions();
        var command = new Command("link", "Makes this profile another device of an account: shows a code, which the account's first device is given.")
        {
            place.Server, place.Root, place.Keyring,
        };
        return cli.Does(command, async (shell, parsed, ct) =>
        {
            shell.Profile.Create();
            var server = await place.ReadAsync(shell, parsed, ct);
            await using var store = await shell.NewStoreAsync(parsed.GetValue(place.Keyring), ct);
            await using var link = await DeviceLink.BeginAsync(Session.OptionsFor(shell.Host, server, store), ct);
            if (shell.Host.IsInteractive)
            {
                shell.Output.Say(QrPicture.Of(link.Code));
            }

            shell.Output.Write(LineType.LinkCode, $"Within 90 seconds, on the first device: securechat devices add {link.Code}", ("code", link.Code));
            var number = await link.NumberAsync(ct);
            shell.Output.Write(LineType.LinkNumber, $"The first device must show the same number: {number}", ("number", number));
            await using var client = await link.CompleteAsync(ct);
            shell.Profile.Write(server, parsed.GetValue(place.Keyring));
            await client.ConnectAsync(ct);
            shell.Output.Write(
                LineType.Linked, $"This is device {client.DeviceId} of {client.Account}.", ("account", client.Account.ToString()), ("device", client.DeviceId));
        },
        "securechat --profile laptop link --server https://chat.example.org",
        "securechat devices add CODE");
    }

    public static Command Create(Cli cli)
    {
        var devices = cli.Does(new Command("devices", "Lists the account's devices; add and remove them."), ListAsync);
        devices.Add(cli.Does(new Command("list", "Lists the account's devices."), ListAsync));
        devices.Add(Add(cli));
        devices.Add(Remove(cli));
        return devices;
    }

    private static async Task ListAsync(Shell shell, ParseResult parsed, CancellationToken ct)
    {
        await using var session = await Session.ConnectAsync(shell, ct);
        var devices = await session.Client.DevicesAsync(ct);
        shell.Output.Table(["device", "added", "last seen", ""], devices.Select(device => (string[])
            [$"{device.Id}", $"{device.Added:yyyy-MM-dd}", $"{device.LastSeen:yyyy-MM-dd}", device.IsThis ? "this one" : device.IsListed ? "" : "NOT YOURS? remove it"]));
        if (shell.Output.IsJson)
        {
            foreach (var device in devices)
            {
                shell.Output.Write(
                    LineType.Device, "", ("device", device.Id), ("added", $"{device.Added:yyyy-MM-dd}"), ("lastSeen", $"{device.LastSeen:yyyy-MM-dd}"),
                    ("isThis", device.IsThis), ("isListed", device.IsListed));
            }
        }
    }

    private static Command Add(Cli cli)
    {
        var code = new Argument<string>("code") { Description = "What the new device shows, or what its QR picture holds." };
        var number = new Option<string?>("--number") { Description = "The number that the new device shows, instead of a question." };
        return cli.Does(new Command("add", "Links a device that shows a code. It reads everything from then on.") { code, number }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var request = await session.Client.ReviewLinkAsync(parsed.GetRequiredValue(code), ct);
            shell.Output.Write(LineType.LinkNumber, $"The new device must show the same number: {request.Number}", ("number", request.Number));
            var agrees = parsed.GetValue(number) is { } given
                ? string.Concat(given.Where(char.IsAsciiDigit)) == string.Concat(request.Number.Where(char.IsAsciiDigit))
                : await shell.AgreesAsync("Does it?", ct);
            if (!agrees)
            {
                throw new CliException(ExitCode.Mismatch, "mismatch", "Nothing was linked.", "If the numbers differ, somebody else answered the code: begin again.");
            }

            await request.ApproveAsync(ct);
            shell.Output.Write(LineType.Approved, "The new device may come. 'securechat devices' shows it when it has.");
        });
    }

    private static Command Remove(Cli cli)
    {
        var device = new Argument<int>("device") { Description = "Its number." };
        return cli.Does(new Command("remove", "Removes a linked device. It reads nothing that is sent afterwards.") { device }, async (shell, parsed, ct) =>
        {
            await using var session = await Session.ConnectAsync(shell, ct);
            var removed = parsed.GetRequiredValue(device);
            await session.Client.RemoveDeviceAsync(removed, ct);
            shell.Output.Write(LineType.Removed, $"Device {removed} is removed.", ("device", removed));
        });
    }
}
