using SecureChat.Client.Testing;

namespace SecureChat.Cli.Tests.Support;

/// <summary>Commands of several people, each with a profile, against one server.</summary>
public abstract class CommandTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected DirectoryInfo Home { get; } = Directory.CreateTempSubdirectory("securechat-cli-");

    protected FakeServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await FakeServer.StartAsync(TimeProvider.System, Ct);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Home.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        limit.CancelAfter(Patience);
        while (!holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
    }

    /// <summary>Signs somebody up; returns the account.</summary>
    protected async Task<string> RegisterAsync(string profile)
    {
        var told = await RunAsync("-p", profile, "register", "--invite", await Server.CreateInviteAsync(Ct), "--server", "http://localhost");
        return told.Split("You are ")[1][..36];
    }

    /// <summary>Runs a command that succeeds; returns what it showed.</summary>
    protected Task<string> RunAsync(params string[] args) => RunAsync(0, args);

    /// <summary>Runs a command that ends with this code; returns what it showed.</summary>
    protected async Task<string> RunAsync(int code, params string[] args)
    {
        using var host = Host();
        var ended = await Program.RunAsync(args, host, Ct);
        Assert.True(ended == code, $"{string.Join(' ', args)}: {ended}\n{host.Screen}");
        return host.Screen;
    }

    private protected TypedHost Host(bool isPerson = false)
    {
        var host = new TypedHost(Server.Network, Home.FullName) { IsPerson = isPerson };
        var file = Path.Combine(Home.FullName, "passphrase");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, "correct horse battery");
        }

        host.Variables["CHAT_PASSPHRASE_FILE"] = file;
        return host;
    }
}
