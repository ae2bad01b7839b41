using Microsoft.Playwright;
using SecureChat.Tests;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>One after the other: each call takes all that a small machine has.</summary>
[CollectionDefinition(nameof(CallSite))]
public sealed class SharedCallSite : ICollectionFixture<CallSite>;

/// <summary>A server in Development, and a Chromium with made-up cameras that opens its call page.</summary>
public sealed class CallSite : IAsyncLifetime
{
    // Made-up devices, and candidates on a machine that has the loopback interface only.
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--auto-accept-this-tab-capture", "--allow-loopback-in-peer-connection",
    ];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("securechat-calls-");
    private readonly string _secret = Coturn.NewSecret();
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private ServerSite? _server;

    /// <summary>Of a credential for the relay: long enough to begin a call.</summary>
    public static readonly TimeSpan CredentialLife = TimeSpan.FromSeconds(20);

    /// <summary>Of an allocation that is not refreshed: a call that lasts longer was refreshed with a credential that had expired.</summary>
    public static readonly TimeSpan AllocationLife = TimeSpan.FromSeconds(40);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Null where coturn is not installed.</summary>
    internal Coturn? Relay { get; private set; }

    public Uri Api => _server!.Api;

    public async ValueTask InitializeAsync()
    {
        if (Coturn.IsInstalled)
        {
            // A relay for a machine that has the loopback interface only.
            Relay = await Coturn.StartAsync(
                _folder.FullName, [_secret],
                ["--relay-ip=127.0.0.1", "--allow-loopback-peers", "--allowed-peer-ip=127.0.0.1", $"--max-allocate-lifetime={AllocationLife.TotalSeconds}"], Ct);
        }

        var settings = new Dictionary<string, string>(Relay?.ServerSettings(_secret) ?? []) { ["SECURECHAT_CALLS__CREDENTIALLIFE"] = CredentialLife.ToString() };
        _server = await ServerSite.StartAsync(settings, Ct);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = "/usr/bin/chromium",
            Headless = true,
            Args = [.. Arguments, $"--ignore-certificate-errors-spki-list={Relay?.CertificateHash}"],
        });
    }

    /// <summary>A page in a profile of its own, not opened yet.</summary>
    /// <param name="script">Runs before every script of the page.</param>
    internal async Task<CallPage> NewPageAsync(string script = "")
    {
        var context = await _browser!.NewContextAsync(new BrowserNewContextOptions { Permissions = ["camera", "microphone"] });
        var page = await context.NewPageAsync();
        page.SetDefaultTimeout(20_000);
        await page.AddInitScriptAsync(CallPage.Recorder + script);
        return new CallPage(page, new Uri(Api, "/call-demo"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (Relay is not null)
        {
            await Relay.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }
}
