using System.Diagnostics;
using SecureChat.Tests;

namespace SecureChat.Scenarios.Support;

/// <summary>A person's keyring: GNOME Keyring on a session bus, both in a folder of their own. It is unlocked while it runs.</summary>
internal sealed class Keyring : IAsyncDisposable
{
    private const string Password = "what the login asks for";

    // No folder of services: nothing starts on the bus by itself.
    private const string BusSettings = """
        <busconfig>
          <type>session</type>
          <listen>ADDRESS</listen>
          <auth>EXTERNAL</auth>
          <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
        </busconfig>
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-keyring-");
    private ChildProcess? _bus;
    private ChildProcess? _daemon;

    /// <summary>Where programs find the bus, as <c>DBUS_SESSION_BUS_ADDRESS</c>.</summary>
    public string Address => $"unix:path={InFolder("bus")}";

    public static async Task<Keyring> StartAsync(CancellationToken ct)
    {
        var keyring = new Keyring();
        await File.WriteAllTextAsync(keyring.InFolder("bus.conf"), BusSettings.Replace("ADDRESS", keyring.Address, StringComparison.Ordinal), ct);
        await File.WriteAllTextAsync(keyring.InFolder("password"), Password, ct);
        keyring._bus = ChildProcess.Start(["dbus-daemon", $"--config-file={keyring.InFolder("bus.conf")}", "--nofork", "--nopidfile"], keyring.InFolder("bus.log"));
        await keyring._bus.WaitUntilAsync(() => Task.FromResult(File.Exists(keyring.InFolder("bus"))), ct);
        await keyring.UnlockAsync(ct);
        return keyring;
    }

    /// <summary>The person logs in.</summary>
    public async Task UnlockAsync(CancellationToken ct)
    {
        // The daemon reads the password from its input.
        const string Unlock = """exec gnome-keyring-daemon --foreground --unlock --components=secrets --control-directory="$0/control" < "$0/password" """;
        _daemon = ChildProcess.Start(["sh", "-c", Unlock, _folder.FullName], InFolder("keyring.log"), new Dictionary<string, string>
        {
            ["DBUS_SESSION_BUS_ADDRESS"] = Address,
            ["XDG_DATA_HOME"] = _folder.FullName,
        });
        await _daemon.WaitUntilAsync(
            async () => (await AskAsync("org.freedesktop.DBus", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets", ct)).Contains("true", StringComparison.Ordinal), ct);
    }

    /// <summary>The person logs out: nobody answers any more.</summary>
    public async Task LockAsync(CancellationToken ct)
    {
        if (_daemon is { } daemon)
        {
            await daemon.StopAsync(ct);
            await daemon.DisposeAsync();
            _daemon = null;
        }
    }

    /// <summary>How many keys of the command line it holds.</summary>
    public async Task<int> CountAsync(CancellationToken ct) => (await AskAsync(
        "org.freedesktop.secrets", "org.freedesktop.Secret.Service.SearchItems", "dict:string:string:application,secureChat", ct)).Split("/collection/").Length - 1;

    public async ValueTask DisposeAsync()
    {
        await LockAsync(CancellationToken.None);
        if (_bus is { } bus)
        {
            await bus.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);

    private async Task<string> AskAsync(string whom, string what, string argument, CancellationToken ct)
    {
        using var ask = Process.Start(new ProcessStartInfo(
            "dbus-send", [$"--bus={Address}", "--print-reply=literal", $"--dest={whom}", "/org/freedesktop/secrets", what, argument])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (said, failed) = (ask.StandardOutput.ReadToEndAsync(ct), ask.StandardError.ReadToEndAsync(ct));
        await ask.WaitForExitAsync(ct);
        return ask.ExitCode == 0 ? await said : throw new InvalidOperationException(await failed);
    }
}
