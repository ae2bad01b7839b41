using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>Which addresses a page tells the others in the room.</summary>
[Collection(nameof(CallSite))]
public sealed class AddressTests(CallSite site)
{
    private const string Candidates = """
        seen.candidates = [];
        window.RTCPeerConnection = class extends RTCPeerConnection {
          constructor(configuration) {
            super({ ...configuration, iceServers: [] });
            this.addEventListener("icecandidate", event => event.candidate?.candidate && seen.candidates.push(event.candidate.candidate));
          }
        };
        """;

    // A network card and a way out, as every device has; nothing is at its other end.
    private const string OwnNetwork =
        "ip link set lo up && ip link add card type veth peer name plug && ip address add 10.77.0.2/24 dev card && ip link set card up && ip link set plug up "
        + "&& ip route add default via 10.77.0.1";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Until_the_person_allows_camera_or_microphone_a_page_names_no_address_and_still_connects()
    {
        Assert.SkipUnless(await CanHaveNetworkAsync(), "needs root, ip (Debian: apt-get install iproute2) and leave to make a network of its own");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var folder = Directory.CreateTempSubdirectory("securechat-network-");
        var program = Path.Combine(folder.FullName, "chromium");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec unshare -n sh -c '{OwnNetwork} && exec /usr/bin/chromium \"$@\"' sh \"$@\"\n", Ct);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = program,
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        });
        await using var alice = await OpenAsync(browser, over.Token);
        await using var bob = await OpenAsync(browser, over.Token);
        var secret = CallPage.NewSecret();

        await alice.JoinAsync(secret, "Alice");
        await bob.JoinAsync(secret, "Bob");
        await Task.WhenAll(alice.SeesAsync(1), bob.SeesAsync(1));
        var told = (await alice.Page.EvaluateAsync<string[]>("seen.candidates")).Concat(await bob.Page.EvaluateAsync<string[]>("seen.candidates")).ToList();
        await over.CancelAsync();

        Assert.NotEmpty(told);
        Assert.All(told, candidate => Assert.Matches("^candidate:[^ ]+ 1 (udp|tcp) [0-9]+ [0-9a-f-]{36}\\.local [0-9]+ typ host", candidate));
        folder.Delete(recursive: true);
    }

    // The server is in another network than the browser: this process, which is in the server's, asks in its place.
    private async Task<CallPage> OpenAsync(IBrowser browser, CancellationToken ct)
    {
        var page = await (await browser.NewContextAsync()).NewPageAsync();
        page.SetDefaultTimeout(20_000);
        await page.AddInitScriptAsync(CallPage.Recorder + Candidates);
        await page.RouteAsync("**/*", async route => await route.FulfillAsync(new RouteFulfillOptions { Response = await route.FetchAsync() }));
        await page.RouteWebSocketAsync("**/ws/rooms", near =>
        {
            var said = Channel.CreateUnbounded<string>();
            near.OnMessage(message => said.Writer.TryWrite(message.Text!));
            _ = BridgeAsync(near, said.Reader, ct);
        });
        return new CallPage(page, new Uri(site.Api, "/call-demo"));
    }

    private async Task BridgeAsync(IWebSocketRoute near, ChannelReader<string> said, CancellationToken ct)
    {
        using var far = new ClientWebSocket();
        far.Options.AddSubProtocol("securechat.rooms.v1.json");
        await far.ConnectAsync(new UriBuilder(site.Api) { Scheme = "ws", Path = "/ws/rooms" }.Uri, ct);
        var sending = SendAsync();
        var buffer = new byte[64 * 1024];
        try
        {
            while (await far.ReceiveAsync(buffer, ct) is { MessageType: WebSocketMessageType.Text, EndOfMessage: true } received)
            {
                near.Send(Encoding.UTF8.GetString(buffer, 0, received.Count));
            }

            await sending;
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }

        async Task SendAsync()
        {
            await foreach (var text in said.ReadAllAsync(ct))
            {
                await far.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, ct);
            }
        }
    }

    private static async Task<bool> CanHaveNetworkAsync()
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/usr/sbin/ip"))
        {
            return false;
        }

        using var probe = Process.Start(new ProcessStartInfo("unshare", ["-n", "sh", "-c", OwnNetwork]) { RedirectStandardError = true })!;
        await probe.WaitForExitAsync(Ct);
        return probe.ExitCode == 0;
    }
}
