using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Playwright;

namespace SecureChat.Browser.Tests.Calls;

/// <summary>One person's call page, used as a person would, and looked into through WebRTC's own statistics.</summary>
internal sealed class CallPage(IPage page, Uri address) : IAsyncDisposable
{
    /// <summary>Keeps what the page makes, for tests to look at: connections, what they did, what data channels said.</summary>
    public const string Recorder = """
        window.seen = { connections: [], descriptions: [], texts: [], mostWaiting: 0 };
        {
          const Real = RTCPeerConnection;
          window.RTCPeerConnection = class extends Real {
            constructor(configuration) { super(configuration); seen.connections.push(this); }
            setRemoteDescription(description) { seen.descriptions.push(description.sdp); return super.setRemoteDescription(description); }
          };
          const send = RTCDataChannel.prototype.send;
          RTCDataChannel.prototype.send = function (data) {
            if (typeof data === "string") { seen.texts.push(JSON.parse(data)); }
            send.call(this, data);
            seen.mostWaiting = Math.max(seen.mostWaiting, this.bufferedAmount);
          };
        }
        window.look = async () => {
          const all = (await Promise.all(seen.connections.map(async one => [...(await one.getStats()).values()]))).flat();
          const sum = (type, field, kind) => all.filter(one => one.type === type && (!kind || one.kind === kind)).reduce((total, one) => total + (one[field] ?? 0), 0);
          const transport = all.filter(one => one.type === "transport" && one.dtlsState === "connected").at(-1);
          const pair = all.find(one => one.id === transport?.selectedCandidatePairId && one.type === "candidate-pair");
          const local = all.find(one => one.id === pair?.localCandidateId);
          return {
            framesDecoded: sum("inbound-rtp", "framesDecoded"), packetsSent: sum("outbound-rtp", "packetsSent"), packetsReceived: sum("inbound-rtp", "packetsReceived"),
            audioPackets: sum("outbound-rtp", "packetsSent", "audio"), audioBytes: sum("outbound-rtp", "bytesSent", "audio"), energy: sum("inbound-rtp", "totalAudioEnergy"),
            dtls: transport?.dtlsState ?? "", cipher: transport?.srtpCipher ?? "", type: local?.candidateType ?? "", relayProtocol: local?.relayProtocol ?? "",
            videosPlaying: [...document.querySelectorAll(".tile:not(.self) video")].filter(one => !one.hidden && one.videoWidth > 0 && one.currentTime > 0).length,
          };
        };
        """;

    /// <summary>Counts the packets of media, also of connections that are closed by the time somebody asks.</summary>
    public const string PacketCounter = """
        window.packets = { sent: 0, received: 0 };
        {
          const counts = new Map();
          const count = async connection => {
            const all = [...(await RTCPeerConnection.prototype.getStats.call(connection)).values()];
            const sum = (type, field) => all.filter(one => one.type === type).reduce((total, one) => total + (one[field] ?? 0), 0);
            const before = counts.get(connection) ?? { sent: 0, received: 0 };
            counts.set(connection, {
              sent: Math.max(before.sent, sum("outbound-rtp", "packetsSent")), received: Math.max(before.received, sum("inbound-rtp", "packetsReceived")),
            });
            packets.sent = [...counts.values()].reduce((total, one) => total + one.sent, 0);
            packets.received = [...counts.values()].reduce((total, one) => total + one.received, 0);
          };
          const close = RTCPeerConnection.prototype.close;
          RTCPeerConnection.prototype.close = function () { count(this); return close.call(this); };
          setInterval(() => seen.connections.filter(one => one.connectionState === "connected").forEach(count), 100);
        }
        """;

    public IPage Page => page;

    /// <summary>What stands in the fragment of a room's link.</summary>
    public static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public async Task JoinAsync(string secret, string name, bool isRelayOnly = false)
    {
        await page.GotoAsync($"{address}#{secret}");
        await page.FillAsync("#name", name);
        await page.SetCheckedAsync("#relay-only", isRelayOnly);
        await page.ClickAsync("#enter");
    }

    /// <summary>Until so many others are connected.</summary>
    public Task SeesAsync(int others) =>
        UntilAsync($"document.querySelectorAll('.tile:not(.self) .quality:not([hidden])').length === {others}");

    /// <summary>Asks again and again: the page's policy forbids scripts that wait within it.</summary>
    public async Task UntilAsync(string condition, int seconds = 40)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(seconds));
        while (!await page.EvaluateAsync<bool>(condition))
        {
            if (patience.IsCancellationRequested)
            {
                var shown = await page.InnerTextAsync("body");
                var states = await page.EvaluateAsync<string>(
                    "seen.connections.map(one => `${one.connectionState}/${one.iceConnectionState}/${one.signalingState}`).join(', ')");
                throw new TimeoutException($"It did not come to this: {condition}. Connections: {states}. The page shows: {shown}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    public async Task<Statistics> LookAsync() =>
        (await page.EvaluateAsync<JsonElement>("look()")).Deserialize<Statistics>(JsonSerializerOptions.Web)!;

    /// <summary>Until more pictures were decoded than <paramref name="before"/>.</summary>
    public Task DecodesMoreThanAsync(int before) => UntilAsync($"look().then(now => now.framesDecoded > {before})");

    /// <summary>Of all connections there were; for pages with the <see cref="PacketCounter"/>.</summary>
    public async Task<(int Sent, int Received)> PacketsAsync() =>
        (await page.EvaluateAsync<int>("packets.sent"), await page.EvaluateAsync<int>("packets.received"));

    /// <summary>Keeps a picture of the page in the folder that CHAT_TEST_PICTURES names.</summary>
    public async Task PhotographAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("CHAT_TEST_PICTURES") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, name + ".png") });
        }
    }

    /// <summary>Chooses a file for the one other member.</summary>
    /// <remarks>The browser's own dialogue gives a bare name; a page that lies about it must do so itself.</remarks>
    public async Task SendFileAsync(byte[] content, string name)
    {
        var chooser = await page.RunAndWaitForFileChooserAsync(() => page.ClickAsync(".send"));
        await page.EvaluateAsync("name => Object.defineProperty(File.prototype, 'name', { get: () => name, configurable: true })", name);

        // Megabytes go to the browser as text: on a busy machine that takes longer than a click may.
        await chooser.SetFilesAsync(
            new FilePayload { Name = "file", MimeType = "application/octet-stream", Buffer = content }, new FileChooserSetFilesOptions { Timeout = 60_000 });
    }

    /// <summary>The file that came, as the person saves it.</summary>
    public async Task<(string Name, byte[] Content)> SavedFileAsync()
    {
        await UntilAsync("document.querySelector('.save') !== null", seconds: 120);
        var download = await page.RunAndWaitForDownloadAsync(() => page.ClickAsync(".save"));
        return (download.SuggestedFilename, await File.ReadAllBytesAsync(await download.PathAsync(), TestContext.Current.CancellationToken));
    }

    public Task<string> NoticeAsync() => page.Locator("#notice").InnerTextAsync();

    public async ValueTask DisposeAsync() => await page.Context.CloseAsync();
}

/// <summary>Of all connections of a page together; the transport is that of the last one that is up.</summary>
internal sealed record Statistics(
    int FramesDecoded, int PacketsSent, int PacketsReceived, int AudioPackets, int AudioBytes, double Energy, string Dtls, string Cipher, string Type, string RelayProtocol,
    int VideosPlaying);
